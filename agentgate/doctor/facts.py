"""What the probes found. Data only; ``promises.py`` says what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Facts", "Finding", "Terminal"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one probe. ``why`` says, when it is not ``ok``, what went wrong; ``code`` is the errno,
    where there was one."""

    ok: bool
    why: str = ""
    code: int = 0
    value: Any = None


@dataclass(frozen=True, slots=True)
class Terminal:
    """What the control room would be drawn on. ``term`` is $TERM; ``tty`` whether it is a terminal."""

    term: str = ""
    truecolor: bool = False
    utf8: bool = False
    tty: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """``missing`` is what keeps the kernel gate from running at first sight (`probe.missing`). ``probes``
    and ``drill`` are by name; one that was not run, because another one failed, is not there. ``yama`` is
    kernel.yama.ptrace_scope, None without Yama; ``switches`` the sysctls that forbid user namespaces;
    ``capabilities`` the effective ones of this process."""

    system: str
    machine: str
    release: str
    missing: str = ""
    landlock: int = 0
    yama: int | None = None
    switches: Mapping[str, str] = field(default_factory=dict)
    uid: int = 0
    capabilities: int = 0
    surroundings: tuple[str, ...] = ()
    probes: Mapping[str, Finding] = field(default_factory=dict)
    drill: Mapping[str, Finding] = field(default_factory=dict)
    terminal: Terminal = field(default_factory=Terminal)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Facts:
        """The inverse of `to_json`. Raises TypeError or KeyError for what is no facts."""
        return cls(
            **{
                **data,
                "surroundings": tuple(data["surroundings"]),
                "probes": {name: Finding(**one) for name, one in data["probes"].items()},
                "drill": {name: Finding(**one) for name, one in data["drill"].items()},
                "terminal": Terminal(**data["terminal"]),
            }
        )
