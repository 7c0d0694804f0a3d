"""Text from outside, made safe to show: nothing in it can move a cursor or reorder what is read.

Control characters, bidirectional and other invisible format characters (Unicode category Cf, see
"Trojan Source", CVE-2021-42574) and bytes that are not UTF-8 appear as visible escapes.
"""

from __future__ import annotations

import unicodedata

__all__ = ["printable"]

_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def _escape(char: str) -> str:
    if unicodedata.category(char) not in _HIDDEN:
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode's mark for a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if char in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def printable(text: str, limit: int | None = None) -> str:
    """``text`` with everything invisible escaped; longer than ``limit`` characters, it is cut in the
    middle and the cut says how many characters are missing, so both ends stay readable."""
    if limit is not None and len(text) > limit:
        head = limit * 2 // 3
        tail = max(limit - head - 24, 0)
        missing = len(text) - head - tail
        end = text[len(text) - tail :] if tail else ""
        return f"{printable(text[:head])} …{missing} more characters… {printable(end)}".rstrip()
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escape, text))
