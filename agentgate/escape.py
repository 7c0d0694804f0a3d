"""Text from outside, made safe to show: nothing in it can move a cursor, reorder what is read, or be there
without being seen.

Control characters, bidirectional and other invisible format characters (Unicode category Cf, see
"Trojan Source", CVE-2021-42574), marks that stack upon the character before them, letters and spaces that
show nothing, and bytes that are not UTF-8 appear as visible escapes.
"""

from __future__ import annotations

import unicodedata

__all__ = ["printable"]

# Mn and Me take no cell of their own: any number of them can stand on one letter, and cover its neighbours.
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp", "Zs", "Mn", "Me"})
# Letters and symbols that are blank all the same: Hangul fillers, the empty Braille pattern, and musical and
# Khmer ones (Default_Ignorable_Code_Point in DerivedCoreProperties.txt).
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5\U0001d159")


def _escape(char: str) -> str:
    if char == " " or (unicodedata.category(char) not in _HIDDEN and char not in _BLANK):
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
