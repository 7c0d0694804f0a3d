"""What a policy can say of the things in a directory, told from the directory's path alone.

A rule names files by their paths, so who renames a directory changes which rules hold for all that is in
it, and who puts a symbolic link in a directory's place changes what a path in a rule leads to. Both are
decided for the whole (``intercept/kernel/moves.py``); this tells, without a look at the disk, whether there
is anything to decide. Pure, and on the safe side: it may expect a strict rule where none can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from agentgate.actions import Action, Decision, Kind, Ruling
from agentgate.policy.glob import GlobError, Lookup, Wild, path_segments
from agentgate.policy.match import STRICTNESS, Compiled, Matcher

__all__ = ["Beneath"]

_CACHED = 4096  # directories
_Glob = tuple[str | Wild, ...]


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _reaches(glob: _Glob, directory: Sequence[str]) -> bool:
    """Whether something strictly below ``directory`` may match."""
    for part, segment in zip(directory, glob, strict=False):
        if segment is Wild.DEPTH:
            return True
        if segment not in (Wild.NAME, part):
            return False
    return len(glob) > len(directory)


def _covers(glob: _Glob, directory: Sequence[str]) -> bool:
    """Whether everything below ``directory`` matches for sure."""
    literal = glob[:-1]
    return glob[-1:] == (Wild.DEPTH,) and literal == tuple(directory[: len(literal)])


def _passes(glob: _Glob, path: Sequence[str]) -> bool:
    """Whether the glob names ``path`` itself as a directory on the way to what it matches."""
    return len(glob) > len(path) and glob[: len(path)] == tuple(path)


class Beneath:
    """What ``matcher``'s file rules can say. Immutable but for its memory; not for several threads."""

    def __init__(self, matcher: Matcher) -> None:
        self._default = matcher.policy.default
        lookup = matcher.context.variable
        self._rules = [(rule, _globs(rule, lookup)) for rule in matcher.rules[Kind.FS_WRITE]]
        self._spelled = any(
            isinstance(segment, str)
            for rule, globs in self._rules
            if rule.rule.decision is not Decision.ALLOW
            for glob in globs
            for segment in glob[:1]
        )
        self.strictest = lru_cache(maxsize=_CACHED)(self._strictest)

    def _strictest(self, directory: str) -> Decision:
        """The strictest decision that a name below ``directory`` can meet."""
        parts = _parts(directory)
        found = Decision.ALLOW
        for rule, globs in self._rules:
            if any(_reaches(glob, parts) for glob in globs):
                found = max(found, _decision(rule, directory), key=STRICTNESS.__getitem__)
            if _ends(rule, globs, parts):
                return found
        return max(found, self._default, key=STRICTNESS.__getitem__)

    def through(self, path: str, action: Action) -> Ruling | None:
        """The strictest rule, if there is one that does not allow, whose glob spells out ``path`` as a
        directory on its way: a link there would put other files under the names that it speaks of."""
        if not self._spelled:
            return None
        parts = _parts(path)
        found: Ruling | None = None
        strictest = Decision.ALLOW
        for rule, globs in self._rules:
            stricter = STRICTNESS[rule.rule.decision] > STRICTNESS[strictest]
            if stricter and any(_passes(glob, parts) for glob in globs) and rule.holds(action):
                found, strictest = rule.ruling, rule.rule.decision
            if _ends(rule, globs, parts):
                break
        return found


def _decision(rule: Compiled, directory: str) -> Decision:
    """What ``rule`` says, at its strictest, of what it matches below ``directory``."""
    inside = not rule.scope or f"{directory.rstrip('/')}/".startswith(f"{rule.scope.rstrip('/')}/")
    return rule.rule.decision if inside else Decision.DENY


def _ends(rule: Compiled, globs: Sequence[_Glob], directory: Sequence[str]) -> bool:
    """Whether no later rule has a say below ``directory``."""
    return not rule.conditional and any(_covers(glob, directory) for glob in globs)


def _globs(rule: Compiled, lookup: Lookup) -> tuple[_Glob, ...]:
    if not rule.rule.targets:
        return ((Wild.DEPTH,),)
    found = []
    for glob in rule.rule.targets:
        try:
            found.append(path_segments(glob, lookup))
        except GlobError:  # of a rule for any kind of action: a glob in the language of another
            pass
    return tuple(found)
