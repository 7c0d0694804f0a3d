"""The two ways in which agents draw, as streams of bytes: Ink's (claude, gemini) and ratatui's (codex).

Ink stays on the main screen and rewrites the lines of its last frame: cursor up, erase the line, write; what
is finished scrolls away above. Ratatui owns the alternate screen and writes the cells that changed. Both hold
the screen still meanwhile (mode 2026) where the terminal can.
"""

from __future__ import annotations

from collections.abc import Iterator

ESC, CSI = "\x1b", "\x1b["
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def ink() -> Iterator[bytes]:
    """Thirty frames: finished messages above, and below them a spinner and a box that text is typed into."""
    yield f"{CSI}?2004h{CSI}?1004h{CSI}?25l".encode()
    drawn = 0
    typed = "fix the déjà vu 你好 👩‍💻 bug"
    for n in range(30):
        frame = [
            f"{CSI}38;2;215;119;87m{SPINNER[n % 10]}{CSI}39m Thinking… {CSI}2m({n}s · esc stops){CSI}22m",
            "",
            f"{CSI}38;2;153;153;153m╭{'─' * 58}╮{CSI}39m",
            f"{CSI}38;2;153;153;153m│{CSI}39m > {typed[: n + 1]}{CSI}7m {CSI}27m{CSI}60G{CSI}38;5;246m│",
            f"{CSI}38;2;153;153;153m╰{'─' * 58}╯{CSI}39m",
        ]
        if n % 10 > 6:  # a line of help comes and goes, so the frame's height changes
            frame.append(f"  {CSI}2m? for shortcuts{CSI}22m")
        lines = []
        if n % 5 == 4:
            lines = [f"{CSI}1m● Step {n // 5}{CSI}22m", f"  {CSI}32m+ added{CSI}39m line {n}", ""]
        erase = f"{CSI}2K" + f"{CSI}1A{CSI}2K" * (drawn - 1) + f"{CSI}G" if drawn else ""
        text = erase + "\r\n".join([*lines, *frame])
        yield f"{CSI}?2026h{text}{CSI}?2026l".encode()
        drawn = len(frame)
    yield f"\r\n{CSI}?25h{CSI}?2004l{CSI}?1004l".encode()


def ratatui() -> Iterator[bytes]:
    """A list beside a text in boxes, and then only what changes: the selection, a gauge, the text."""
    yield f"{CSI}?1049h{CSI}?1000h{CSI}?1002h{CSI}?1006h{CSI}?25l{CSI}2J".encode()
    whole = []
    for box, left, right in (("Files", 1, 30), ("Diff", 31, 80)):
        title = f" {box} "
        whole.append(f"{CSI}1;{left}H┌{title}{'─' * (right - left - 1 - len(title))}┐")
        whole += [f"{CSI}{y};{left}H│{CSI}{y};{right}H│" for y in range(2, 22)]
        whole.append(f"{CSI}22;{left}H└{'─' * (right - left - 1)}┘")
    names = [f"src/módulo_{n}.rs" if n % 3 else f"文件/{n}.rs" for n in range(20)]
    whole += [f"{CSI}{y + 2};3H{name}" for y, name in enumerate(names)]
    yield f"{CSI}?2026h{''.join(whole)}{CSI}?2026l".encode()
    for n in range(20):
        out = [f"{CSI}?2026h"]
        if n:
            out.append(f"{CSI}{n + 1};3H{CSI}39;49m{names[n - 1]}")
        out.append(f"{CSI}{n + 2};3H{CSI}38;5;0;48;5;14m{names[n]}{CSI}39;49m")
        out.append(f"{CSI}2;21r{CSI}2;32H{CSI}r")
        for y in range(20):
            sign, colour = ("+", 10) if (y + n) % 2 else ("-", 9)
            out.append(f"{CSI}{y + 2};33H{CSI}38;5;{colour}m{sign} line {y + n:<4}{CSI}39m{CSI}{30 - y}X")
        full, part = divmod(n * 40, 10)
        gauge = "█" * full + ("" if not part else "▏▎▍▌▋▊▉"[part - 1 if part < 8 else 6])
        out.append(f"{CSI}24;1H{CSI}48;2;40;40;40m{CSI}K{gauge[:78]}{CSI}49m")
        out.append(f"{CSI}?2026l")
        yield "".join(out).encode()


FRAMES = {"ink": ink, "ratatui": ratatui}


def in_tens(name: str) -> list[bytes]:
    """The stream of a way to draw, ten frames at a time."""
    frames = list(FRAMES[name]())
    return [b"".join(frames[n : n + 10]) for n in range(0, len(frames), 10)]
