"""The policy file of a session: find it, load it, notice that it changed, edit it, take an edit back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentgate.policy.edit import delete_rule, insert_rule, move_rule, replace_rule, set_disabled
from agentgate.policy.errors import PolicyError
from agentgate.policy.load import decode, load_text
from agentgate.policy.model import Policy
from agentgate.policy.nodes import MAX_BYTES
from agentgate.policy.suggest import Draft
from agentgate.regular import open_regular

__all__ = ["BUILT_IN", "UNDO_LIMIT", "Change", "Check", "PolicyFile", "default_text", "find_policy"]

BUILT_IN = "built-in default"

_PATIENCE = 2.0  # seconds that another of our writers may take

UNDO_LIMIT = 50
"""Changes that can be taken back."""


def default_text() -> str:
    """The text of the policy that holds where there is no file."""
    return Path(__file__).with_name("default.yaml").read_text(encoding="utf-8")


Check = Callable[[Policy], object]
"""Raises PolicyError for a policy that cannot be used, though it can be read."""


def _anything(policy: Policy) -> None:
    pass


Edit = Callable[[str, str], str]
"""Makes a new text of the old one and of the file's name in errors. Raises PolicyError."""


@dataclass(frozen=True, slots=True)
class Change:
    """What was written by this session: ``path`` and ``label`` as they were before it (None: the built-in
    default, of which a file was made), the bytes before and after, and when (Unix time)."""

    what: str
    path: Path | None
    label: str
    before: bytes = field(repr=False)
    after: bytes = field(repr=False)
    at: float = field(default_factory=time.time)


@dataclass
class PolicyFile:
    """``path`` None stands for the built-in default; the first ``add`` then writes ``new_path``. ``changes``
    are this session's own, which can be taken back, the last first.

    Not for several threads. Other writers of ours are locked out while one writes; those of other programs
    are noticed (``changed``).
    """

    path: Path | None
    label: str
    new_path: Path = field(default_factory=lambda: Path("policy.yaml"))
    changes: list[Change] = field(default_factory=list, init=False, repr=False)
    _loaded: bytes | None = field(default=None, init=False, repr=False)
    _tried: bytes | None = field(default=None, init=False, repr=False)

    def _read(self) -> bytes:
        if self.path is None:
            return default_text().encode()
        try:
            with open_regular(self.path) as file:
                return file.read(MAX_BYTES + 1)
        except OSError as error:
            raise PolicyError(f"cannot be read: {error.strerror or error}", self.label) from None

    def load(self, check: Check = _anything) -> Policy:
        """Load the file anew. Raises PolicyError, also what ``check`` raises for a policy that cannot be
        used; ``changed`` then still compares with the last good one."""
        self._tried = None
        self._tried = data = self._read()
        policy = load_text(decode(data, self.label), self.label)
        check(policy)
        self._loaded = data
        return policy

    def text(self) -> str:
        """The text as it is in the file now. Raises PolicyError."""
        return decode(self._read(), self.label)

    def changed(self) -> bool:
        """Whether the file differs from what was last loaded (or cannot be read any more)."""
        try:
            return self._read() != self._loaded
        except PolicyError:
            return True

    def news(self) -> bool:
        """Whether the file says what ``load`` has not seen yet, or can be read again, or no more."""
        try:
            return self._read() != self._tried
        except PolicyError:
            return self._tried is not None

    def add(self, draft: Draft, before: int | None, check: Check = _anything) -> Policy:
        """Write ``draft`` in front of rule ``before`` (behind the last one when None); see ``change``."""
        what = f"{draft.decision} {draft.action or 'any action'} {' | '.join(draft.targets)}".rstrip()
        return self.change(lambda text, label: insert_rule(text, draft, before, label), what, check)

    def replace(self, number: int, draft: Draft, check: Check = _anything) -> Policy:
        """Write ``draft`` in the place of rule ``number``; see ``change``."""
        return self.change(
            lambda text, label: replace_rule(text, number, draft, label), f"rule {number} changed", check
        )

    def delete(self, number: int, check: Check = _anything) -> Policy:
        """Take rule ``number`` out; see ``change``."""
        return self.change(
            lambda text, label: delete_rule(text, number, label), f"rule {number} removed", check
        )

    def move(self, number: int, to: int, check: Check = _anything) -> Policy:
        """Make rule ``number`` rule ``to``; see ``change``."""
        return self.change(
            lambda text, label: move_rule(text, number, to, label), f"rule {number} moved to {to}", check
        )

    def disable(self, number: int, disabled: bool, check: Check = _anything) -> Policy:
        """Switch rule ``number`` off, or on again; see ``change``."""
        what = f"rule {number} switched {'off' if disabled else 'on'}"
        return self.change(lambda text, label: set_disabled(text, number, disabled, label), what, check)

    def write(self, text: str, check: Check = _anything, base: str | None = None) -> Policy:
        """Write ``text`` for all that is there; see ``change``. ``base`` is the text that was edited, where
        that is not the one last loaded: a file that cannot be loaded can be mended."""
        expected = None if base is None else base.encode("utf-8")
        return self.change(lambda old, label: text, "the text as edited", check, expected)

    def change(
        self, edit: Edit, what: str, check: Check = _anything, expected: bytes | None = None
    ) -> Policy:
        """Write what ``edit`` makes of the text and load it; ``what`` is what ``undo`` calls it. What
        changes nothing is not written.

        The built-in default cannot be written: it is copied to ``./policy.yaml`` with the change in it, and
        this object stands for that file from then on (``path`` and ``label`` change). Refused with
        PolicyError, and nothing written, when the file is not the one last loaded (or ``expected``), cannot
        be edited, or ``check`` refuses the outcome.
        """
        with _alone(self.path or self.new_path, self.label):
            return self._change(edit, what, check, self._loaded if expected is None else expected)

    def _change(self, edit: Edit, what: str, check: Check, expected: bytes | None) -> Policy:
        data = self._read()
        if expected is not None and data != expected:
            raise PolicyError("the file was changed meanwhile; load it again first", self.label)
        label = self.label if self.path else self.new_path.name
        text = edit(decode(data, self.label), label)
        change = Change(what, self.path, self.label, data, text.encode("utf-8"))
        if change.after == data and self.path is not None:
            policy = load_text(text, label)
            check(policy)
            return policy
        policy = self._put(text, self.path or self.new_path, label, check, new=self.path is None)
        self.changes.append(change)
        del self.changes[:-UNDO_LIMIT]
        return policy

    def undo(self, check: Check = _anything) -> tuple[Change, Policy]:
        """Take the last ``change`` back: the text before it stands in the file again, or the file that it
        made is gone and the built-in default is in force. Raises PolicyError, and nothing is written, when
        there is none, or when somebody else changed the file since."""
        if not self.changes:
            raise PolicyError("no rule was changed in this session", self.label)
        with _alone(self.path or self.new_path, self.label):
            return self._undo(self.changes[-1], check)

    def _undo(self, change: Change, check: Check) -> tuple[Change, Policy]:
        if self._read() != change.after:
            raise PolicyError("the file was changed since by somebody else; edit it by hand", self.label)
        if change.path is not None:
            text = decode(change.before, change.label)
            policy = self._put(text, change.path, change.label, check, new=False)
        else:
            policy = load_text(decode(change.before, change.label), change.label)
            check(policy)
            try:
                self.new_path.unlink()
            except OSError as error:
                raise PolicyError(f"cannot be removed: {error.strerror or error}", self.label) from None
            self.path, self.label = None, change.label
            self._loaded = self._tried = change.before
        self.changes.pop()
        return change, policy

    def _put(self, text: str, target: Path, label: str, check: Check, *, new: bool) -> Policy:
        """Write ``text`` to ``target``, a ``new`` file or the one that is there, and stand for it."""
        policy = load_text(text, label)
        check(policy)
        data = text.encode("utf-8")
        try:
            _write(target, data, exclusive=new)
        except FileExistsError:
            raise PolicyError("exists already; start again to use it", label) from None
        except OSError as error:
            raise PolicyError(f"cannot be written: {error.strerror or error}", label) from None
        self.path, self.label = target, label
        self._loaded = self._tried = data
        return policy


@contextlib.contextmanager
def _alone(path: Path, label: str) -> Iterator[None]:
    """Keep other writers of ours out between looking at the file and replacing it: flock(2) on its directory,
    because the file itself is another one afterwards. Raises PolicyError when one does not end."""
    try:
        directory = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise PolicyError(f"cannot be written: {error.strerror or error}", label) from None
    try:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise PolicyError("another program is writing it; try again", label) from None
                time.sleep(0.01)
            except OSError:  # a file system without locks: it is compared before it is replaced, all the same
                break
        yield
    finally:
        os.close(directory)


def _write(path: Path, data: bytes, *, exclusive: bool) -> None:
    """Replace the file in one step, so that a reader sees the old or the new text and nothing between;
    its mode and owner stay, or it is not replaced. A link is followed: the file it points to is replaced."""
    import tempfile  # few sessions write a rule, and it is slow to import

    path = path.resolve()
    if exclusive:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    try:
        old = path.stat()
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
                os.fchmod(file.fileno(), old.st_mode & 0o7777)
                file.flush()
                os.fsync(file.fileno())
            os.rename(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except BaseException:
        if exclusive:
            os.unlink(path)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def find_policy(flag: str | None, env: Mapping[str, str], cwd: str | Path) -> PolicyFile:
    """The policy that holds: ``flag``, else $AGENTGATE_POLICY, else ./policy.yaml, else the built-in one.

    Raises PolicyError when a file is named that does not exist: no policy the operator did not mean.
    """
    named = flag or env.get("AGENTGATE_POLICY")
    usual = Path(cwd) / "policy.yaml"
    if named:
        path = Path(cwd) / Path(named).expanduser()
        if not path.is_file():
            source = "" if flag else " ($AGENTGATE_POLICY)"
            raise PolicyError(f"no such file{source}", named)
        return PolicyFile(path, named, usual)
    if os.path.lexists(usual):
        return PolicyFile(usual, "policy.yaml", usual)
    return PolicyFile(None, BUILT_IN, usual)
