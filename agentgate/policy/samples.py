"""The ready policies that are shipped: ``agentgate init --profile NAME``."""

from __future__ import annotations

from pathlib import Path

from agentgate.policy.schema import modeline
from agentgate.policy.store import default_text

__all__ = ["about", "names", "text"]

_HERE = Path(__file__).with_name("samples")
_FOLDER = _HERE if _HERE.is_dir() else Path(__file__).parents[2] / "policy-samples"  # in a clone


def names() -> list[str]:
    """All profiles; "default" is what holds where there is no policy."""
    return ["default", *sorted(path.stem for path in _FOLDER.glob("*.yaml"))]


def text(name: str) -> str:
    """The policy of a profile, with the line that leads an editor to the schema. Raises OSError."""
    if name == "default":
        return f"{modeline()}\n{default_text()}"
    lines = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    return f"{modeline()}\n{''.join(lines[1:])}"


def about(name: str) -> str:
    """Its first sentence."""
    words = " ".join(line.removeprefix("#").strip() for line in _comment(text(name)))
    return words.partition(". ")[0].rstrip(".")


def _comment(policy: str) -> list[str]:
    lines = policy.splitlines()[1:]
    return lines[: next(at for at, line in enumerate(lines) if not line.startswith("#"))]
