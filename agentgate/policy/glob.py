"""Globs of paths and command lines, as regular expressions that take linear time.

The language is git's (gitignore(5)): ``*``, ``?``, ``[a-z]``, ``[!a-z]``, a backslash makes the next
character literal; plus ``$VAR``, ``${VAR}`` and a leading ``~/``, whose values are inserted literally.

*Paths* are absolute. ``*`` and ``?`` stay within one segment; ``**`` spans segments: ``/p/**`` is ``/p``
and everything below, ``/p/**/x`` an ``x`` at any depth below ``/p``, ``/p/**.py`` short for ``/p/**/*.py``.
A glob without ``/`` is a name at any depth. ``/p/*`` does not match ``/p/a/b``: git lets a matched directory
stand for everything in it, a policy must not. *Command lines* are one string: ``*`` is anything, newlines
and slashes too.

pathspec says what a character class means. The stars are ours: pathspec's regular expressions for them
take polynomial time on a hostile name, and its ``.`` and ``$`` stumble over newlines. Between two stars the
leftmost match is always as good as any later one, so each star up to its next fixed run becomes an atomic
group that is never tried again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from functools import lru_cache

__all__ = [
    "GlobError",
    "Lookup",
    "Wild",
    "command_regex",
    "command_tokens",
    "escape",
    "expand",
    "has_variable",
    "is_narrow",
    "path_regex",
    "path_segments",
    "path_tokens",
]

Lookup = Callable[[str], str]
"""Gives a variable's value; raises GlobError when it is not set."""

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_SLASH = "\\/"
_FRAME = "x"
_SWAP = "\ud800"  # no file name or argument holds it: os.fsdecode gives U+DC80 to U+DCFF only


class GlobError(ValueError):
    """A glob that cannot be understood; the message says how to mend it."""


def escape(text: str) -> str:
    """A glob that matches exactly ``text``, in a path as in a command line."""
    quoted = re.sub(r"[*?\[$\\]", lambda m: "\\\\" if m[0] == "\\" else f"[{m[0]}]", text)
    return f"[~]{quoted[1:]}" if quoted.startswith("~") else quoted


def has_variable(glob: str) -> bool:
    """Whether the glob's meaning depends on the environment."""
    return glob == "~" or glob.startswith("~/") or _VARIABLE.search(glob) is not None


def expand(text: str, lookup: Lookup) -> str:
    """``text`` (no glob) with a leading ``~/`` and its variables replaced."""
    if text == "~" or text.startswith("~/"):
        text = lookup("HOME") + text[1:]
    return _VARIABLE.sub(lambda m: lookup(m[1] or m[2]), text)


def _tokens(glob: str, lookup: Lookup) -> list[str]:
    """One git pattern per matched character (``\\c``, ``?``, ``[...]``) or ``*`` for a star."""
    tokens: list[str] = []
    at = 0
    if glob == "~" or glob.startswith("~/"):
        tokens += ["\\" + char for char in lookup("HOME").rstrip("/")]
        at = 1
    while at < len(glob):
        char = glob[at]
        at += 1
        if char in "*?":
            tokens.append(char)
        elif char == "\\":
            if at == len(glob):
                raise GlobError("ends in a lone backslash (write two for a literal one)")
            tokens.append("\\" + glob[at])
            at += 1
        elif char == "[":
            end = glob.find("]", at + (2 if glob[at : at + 1] in ("!", "^") else 1))
            if end < 0:
                raise GlobError("'[' is never closed (write '[[]' for a literal one)")
            body = glob[at:end]
            tokens.append(f"\\{body}" if len(body) == 1 and body != "\\" else _checked(f"[{body}]"))
            at = end + 1
        elif char == "$" and (match := _VARIABLE.match(glob, at - 1)):
            tokens += ["\\" + value for value in lookup(match[1] or match[2])]
            at = match.end()
        else:
            tokens.append("\\" + char)
    return tokens


def _checked(bracket: str) -> str:
    if "\\" in bracket:
        raise GlobError(f"a backslash inside {bracket} (write it outside, doubled)")
    if "[:" in bracket[1:]:
        raise GlobError(f"{bracket}] is not supported (write the characters, like [a-z0-9])")
    try:
        re.compile(_git(bracket.replace("/", _SWAP)))
    except re.error as error:
        raise GlobError(f"{bracket} is not a character class ({error.msg})") from None
    return bracket


@lru_cache(maxsize=256)
def _git(run: str) -> str:
    """The regular expression of a git pattern without stars and slashes."""
    # Imported here: few globs have a class, and it takes longer than all the rest of the warden.
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    # A character of our own at the end keeps pathspec from trimming spaces, and shows where its
    # frame for whole patterns begins.
    frame: str | None = GitIgnoreSpecPattern.pattern_to_regex("/" + _FRAME)[0]
    regex: str | None = GitIgnoreSpecPattern.pattern_to_regex("/" + run + _FRAME)[0]
    head, _, tail = (frame or "").partition(_FRAME)
    if not regex or not regex.startswith(head) or not regex.endswith(_FRAME + tail):
        raise GlobError(f"{run!r} is not a pattern that git knows")
    return regex[len(head) : len(regex) - len(tail) - len(_FRAME)]


def _split(tokens: list[str], at: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == at:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _starred(runs: list[str], star: str) -> str:
    """Runs with a star between each two; ``star`` is the regular expression of one character."""
    first, *middle, last = runs
    middle = [run for run in middle if run]
    end = f"{star}*{last}" if last else f"{star}*+"
    if middle and not last:  # whatever follows fits, so the search may as well be the faster, greedy one
        end = f"{star}*{middle.pop()}{end}"
    return first + "".join(f"(?>{star}*?{run})" for run in middle) + end


def is_narrow(glob: str, lookup: Lookup) -> bool:
    """Whether the glob stands for names of one kind in one directory: no wildcard but in its last name,
    where there is more than wildcards. Raises GlobError."""
    tokens = _tokens(glob, lookup)
    if tokens[:1] not in ([_SLASH], ["\\@"]):  # a name at any depth
        return False
    *directory, name = _split(tokens, _SLASH)
    literal = [token[0] == "\\" for token in name]
    if all(literal):
        directory.append(name)
    elif not directory or not any(literal) or "**" in "".join(name):
        return False
    return bool(literal) and all(token[0] == "\\" for segment in directory for token in segment)


def command_tokens(glob: str, lookup: Lookup) -> tuple[str, ...]:
    """A command's glob, taken apart: ``*``, and for one character ``\\c``, ``?`` or ``[...]``. Raises
    GlobError."""
    return tuple(_tokens(glob, lookup))


def path_tokens(glob: str, lookup: Lookup) -> tuple[tuple[str, ...], ...]:
    """The segments of a path's glob, each taken apart likewise; ``("**",)`` stands for any number of
    segments. Raises GlobError as ``path_regex``."""
    return tuple(map(tuple, _path(glob, lookup)))


def command_regex(glob: str, lookup: Lookup) -> str:
    """A regular expression (for DOTALL and a full match) of the command lines that ``glob`` means.

    Raises GlobError.
    """

    def one(token: str) -> str:
        if token == "?":
            return "."
        if token[0] == "\\":
            return re.escape(token[1])
        return _git(token.replace("/", _SWAP)).replace(_SWAP, "/")

    runs = ["".join(map(one, run)) for run in _split(_tokens(glob, lookup), "*")]
    return runs[0] if len(runs) == 1 else _starred(runs, ".")


def _in_segment(token: str) -> str:
    if token == "?":
        return "[^/]"
    return re.escape(token[1]) if token[0] == "\\" else _git(token)


def _segment(tokens: list[str]) -> str:
    """The regular expression of one path segment; what follows it is a slash or the end."""
    if tokens == ["*"]:
        return "[^/]++"
    runs = []
    for run in _split(tokens, "*"):
        regex = "".join(map(_in_segment, run))
        if any(token[0] == "[" for token in run):  # a class must not step over a slash
            regex = f"(?=[^/]{{{len(run)}}}){regex}"
        runs.append(regex)
    if len(runs) == 1:
        return f"{runs[0]}(?![^/])"
    return f"(?>{_starred(runs, '[^/]')}(?![^/]))"


def _segments(tokens: list[str]) -> list[list[str]]:
    """The segments of an absolute glob; ``["**"]`` stands for any number of them."""
    segments: list[list[str]] = []
    for segment in _split(tokens, _SLASH):
        text = "".join(segment)
        stars = text.count("**")
        if not segment:  # doubled slashes, by a variable that ends in one
            continue
        if text in ("\\.", "\\.\\."):
            raise GlobError("'.' and '..' never occur in a resolved path")
        if any(token[0] == "[" and "/" in token for token in segment):
            raise GlobError("a class never matches '/'")
        if not stars:
            segments.append(segment)
        elif text == "**":
            segments.append(["**"])
        elif stars == 1 and "***" not in text and text.startswith("**"):
            segments += [["**"], segment[1:]]
        elif stars == 1 and "***" not in text and text.endswith("**"):
            segments += [segment[:-1], ["**"]]
        else:
            raise GlobError("'**' inside a name (write '*', or '/**/' between names)")
    return [s for i, s in enumerate(segments) if s != ["**"] or i == 0 or segments[i - 1] != ["**"]]


class Wild(Enum):
    """A segment of a path's glob that is no literal name."""

    NAME = 1  # one name, of more than one spelling
    DEPTH = 2  # ``**``: any number of names


def _path(glob: str, lookup: Lookup) -> list[list[str]]:
    """The segments of a path's glob; none for the root. Raises GlobError."""
    tokens = _tokens(glob, lookup)
    if set(tokens) <= {"*"}:
        if not tokens:
            raise GlobError("an empty glob matches nothing (leave the key out for any target)")
        return [["**"]]
    if _SLASH not in tokens:
        tokens = ["*", "*", _SLASH, *tokens]
    if tokens == [_SLASH]:
        return []
    if tokens[0] != _SLASH and tokens[:2] != ["*", "*"]:
        raise GlobError(f"a path starts with '/', '~/', '$PWD/' or '**/' (perhaps '$PWD/{glob}')")
    if glob.endswith("/"):
        raise GlobError(f"ends in '/' (write '{glob}**' for the directory and everything below)")
    return _segments(tokens)


def path_regex(glob: str, lookup: Lookup) -> str:
    """A regular expression (for DOTALL and a full match) of the absolute paths that ``glob`` means.

    Raises GlobError, also for a glob that could never match an absolute path.
    """
    segments = _path(glob, lookup)
    if segments == [["**"]]:
        return ".*"
    if not segments:
        return "/"
    groups: list[list[str]] = [[]]
    for segment in segments:
        if segment == ["**"]:
            groups.append([])
        else:
            groups[-1].append("/" + _segment(segment))
    first, *rest = ("".join(group) for group in groups)
    if not rest:
        return first
    *middle, last = rest
    regex = first + "".join(f"(?>.*?{group})" for group in middle)
    return regex + (f".*{last}" if last else "(?:/.*)?")


def path_segments(glob: str, lookup: Lookup) -> tuple[str | Wild, ...]:
    """The segments of the same glob, to tell where its paths lie. Raises GlobError as ``path_regex``."""

    def one(segment: list[str]) -> str | Wild:
        if segment == ["**"]:
            return Wild.DEPTH
        literal = all(token[0] == "\\" for token in segment)
        return "".join(token[1:] for token in segment) if literal else Wild.NAME

    return tuple(map(one, _path(glob, lookup)))
