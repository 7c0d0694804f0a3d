"""The warden: takes every held call of the agent's tree, has it decided, does it or refuses it.

One thread, one loop, its own process, so that drawing never delays a held call. It decides allow and deny
itself with its copy of the policy; questions go to the app, and their answers are carried out whenever
they come while all else runs on.

Every path ends in an answer to the caller. What goes wrong - memory that cannot be read, a process that
is gone, a fault in this program - is a refusal; the app's end of file is a refusal of everything and the
end of the tree.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import time
from typing import Any

from agentgate.actions import Action, Answer, Decision, Kind, Ruling, Source, Verdict
from agentgate.intercept.kernel import attributes, files, opens, others
from agentgate.intercept.kernel.abi import Abi
from agentgate.intercept.kernel.asked import Asked, Held
from agentgate.intercept.kernel.before import Before
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.effect import Descriptor, Effect, LetGo, NotYet, Reply
from agentgate.intercept.kernel.ending import reap_orphans
from agentgate.intercept.kernel.execs import Execs
from agentgate.intercept.kernel.handler import Handler
from agentgate.intercept.kernel.ipc import Ipc
from agentgate.intercept.kernel.journal import Journal, shown
from agentgate.intercept.kernel.judge import Judge, Rules
from agentgate.intercept.kernel.kept import Kept
from agentgate.intercept.kernel.link import LinkError, Unpacker
from agentgate.intercept.kernel.names import Names
from agentgate.intercept.kernel.notify import Call, Listener
from agentgate.intercept.kernel.procs import Procs
from agentgate.intercept.kernel.reads import Reads
from agentgate.intercept.kernel.sockets import Sockets
from agentgate.intercept.kernel.stderr import tell
from agentgate.policy.model import Policy

__all__ = ["Warden"]

_TICK = 1.0  # seconds between looks after processes that ended; see procs.py
_RETRY = 0.02  # seconds between tries of what cannot be done yet (a fifo without a reader)


class Warden:
    def __init__(
        self, abi: Abi, listener: Listener, link: socket.socket, rules: Rules, policy: Policy,
        *, root: int, proxy_port: int, stdio: tuple[int, ...], names: Names,
        keep: bool, hold_reads: bool, store: str,
    ) -> None:  # fmt: skip
        self._names = {number: name for name, number in abi.numbers.items()}
        self._listener = listener
        self._link = link
        self._judge = Judge(rules, policy)
        self.journal = Journal(link)
        self._before = Before(store, lambda text: self.journal.send({"type": "notice", "text": text}))
        self.journal.beside = self._before.flush
        self._procs = Procs(root)
        for descriptor in stdio:
            self._procs.ptys.adopt(descriptor)
        self._root = root
        self._started = False
        self.held = 0  # calls taken so far
        self._asked = Asked(self._procs, listener.alive)
        self._retry: list[Held] = []
        self._waits = False  # no call is taken, until the app says so
        self._poll = select.poll()
        self._awaited: set[int] = set()  # descriptors of what is to be tried again, while polled
        self._execs = Execs(rules.places, self._judge.lets_write)
        self._known = names
        if names.network:
            self._procs.outside.add(names.network.pid)
        self.kept = Kept(keep, self._procs.outside)
        sockets = Sockets(proxy_port, self._attribute, names)
        self._handlers: dict[str, Handler] = {
            **opens.HANDLERS, **files.HANDLERS, **attributes.HANDLERS, **others.HANDLERS, **sockets.handlers,
            **self._execs.handlers, **Ipc(abi).handlers,
        }  # fmt: skip
        self._reads = Reads(self._judge, dict(self._handlers))
        if hold_reads:
            self._handlers |= self._reads.handlers

    # -- the loop

    def run(self, rootfd: int, trouble: int, unpacker: Unpacker) -> None:
        """Serve until the agent's first process ended (``rootfd``, its pidfd, is readable), or the last of
        those that it left and that are kept, or the app is gone; the caller ends the tree. ``trouble``
        tells, by its end, that the agent's program runs, or else why it cannot; ``unpacker`` may hold
        messages that came with the order."""
        poll = self._poll
        mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        poll.register(mounts, select.POLLPRI)  # proc_pid_mounts(5); first, as a call behind it may be there
        listener, link = self._listener.descriptor, self._link.fileno()
        poll.register(listener, select.POLLIN)
        poll.register(link, select.POLLIN)
        poll.register(trouble, select.POLLIN)  # before rootfd: its news comes first when both are ready
        poll.register(rootfd, select.POLLIN)
        if not self._hear(unpacker, b""):
            return
        swept = time.monotonic()
        wait_ms = 0
        takes = True
        while True:
            ready = poll.poll(wait_ms)
            if not ready:
                self.journal.flush()
            for descriptor, events in ready:
                if descriptor == listener:
                    if events & select.POLLIN:
                        call = self._listener.receive()
                        if call is not None:
                            self._take(call)
                elif descriptor == mounts:
                    self._procs.directories.forget()  # something may lie over one of them now
                elif descriptor == trouble:
                    poll.unregister(trouble)
                    self._tell_start(trouble)
                    trouble = -1  # its number will be another's
                elif descriptor == rootfd:
                    left = self.kept.begin(self._root)
                    if not left:
                        return
                    poll.unregister(rootfd)
                    self._root = self._procs.root = 0
                    self.journal.send({"type": "kept", "status": self.kept.status, "left": left})
                elif descriptor in self._awaited:  # or closed meanwhile; all are tried again below
                    self._awaited.discard(descriptor)
                    poll.unregister(descriptor)
                elif events & select.POLLIN:
                    data = self._link.recv(1 << 16)
                    if not data or not self._hear(unpacker, data):
                        return
                else:  # the link hung up
                    return
            if self.journal.broken:
                return
            if self._retry:
                self._try_again()
            if takes is (self._waits or self.journal.full):  # what is decided could not be recorded
                takes = not takes
                poll.modify(listener, select.POLLIN if takes else 0)
            now = time.monotonic()
            if now - swept >= _TICK:
                swept = now
                self._tick()
                if self.kept.over:
                    return
            # a short first wait lets a busy tree fill a batch of records; then nothing happens at all
            wait_ms = 10 if ready else int(1000 * (_RETRY if self._retry else _TICK))
            if self.journal.waiting:
                wait_ms = min(wait_ms, 20)

    def _tell_start(self, trouble: int) -> None:
        """The pipe closed on the agent's execve, or says which step failed."""
        text = os.read(trouble, 4096).decode("utf-8", "replace")
        os.close(trouble)
        if not text and self._started:
            self.journal.send({"type": "started", "pid": self._root})
            return
        code, _, words = (text or "0:the agent's process was ended before it ran").partition(":")
        self.journal.send({"type": "failed", "errno": int(code), "text": words})

    def _tick(self) -> None:
        self.journal.flush()
        self._procs.sweep()
        self._procs.directories.forget()  # what is held open cannot be unmounted
        for number in self._asked.unawaited():
            held = self._asked.take(number)
            if held is not None:
                held.effect.close()
                self.journal.send({"type": "withdrawn", "number": number})
        reap_orphans(self._root)

    # -- one call

    def _take(self, call: Call) -> None:
        self.held += 1
        try:
            self._handle(call)
        except OSError as error:
            self._listener.fail(call.id, error.errno or errno.EPERM)
        except Exception as error:  # a fault of ours must not become an allow, nor a hang
            self._listener.fail(call.id, errno.EPERM)
            name = self._names.get(call.number, str(call.number))
            self.journal.send({"type": "fault", "text": f"{name}: {type(error).__name__}: {error}"})

    def _handle(self, call: Call) -> None:
        name = self._names[call.number]
        proc = self._procs.of(call.pid)
        caller = Caller(call.pid, proc)
        if proc.pending and not self._runs_what_was_approved(call, caller, name):
            return
        effect = self._handlers[name](caller, call.args)
        if isinstance(effect, Descriptor):
            self._give(call.id, effect)
        elif isinstance(effect, LetGo):
            self._listener.let_go(call.id)
        else:
            self._begin(call, name, caller, effect)

    def _begin(self, call: Call, name: str, caller: Caller, effect: Effect) -> None:
        if effect.kind is None and not effect.refused:
            self._perform(Held(call, name, caller, effect, _NOTHING))
        else:
            self._decide(Held(call, name, caller, effect, self._action(caller, effect)))

    def _action(self, caller: Caller, effect: Effect) -> Action:
        """What is decided: in full, however long it is."""
        process = caller.proc.process
        return Action(
            effect.kind or Kind.EXEC,
            effect.target,
            effect.argv if effect.argv is not None else process.argv,
            caller.cwd(),
            caller.proc.chain,
            effect.syscall,
            effect.origin,
        )

    def _decide(self, held: Held) -> None:
        effect, action = held.effect, held.action
        ruling = self._ruling(held)
        if ruling.decision is Decision.ALLOW:
            self.journal.allowed(shown(action), ruling)
            self._perform(held)
            return
        try:
            effect.check()
        except OSError:
            effect.close()
            raise
        if ruling.decision is Decision.DENY:
            answer = Answer(Verdict.DENY, ruling.source, ruling)
            self.journal.record(shown(action), answer)
            self._refuse(held, answer.why)
            return
        self._asked.add(held)
        self.journal.flush()
        self.journal.send(
            {
                "type": "ask",
                "number": held.call.id,
                "action": shown(action).to_wire(),
                "ruling": ruling.to_wire(),
            }
        )

    def _ruling(self, held: Held) -> Ruling:
        first = not self._started and held.caller.proc.pid == self._root
        return self._judge.rule(held.action, held.effect, first=first)

    def _refuse(self, held: Held, why: str) -> None:
        """One line for the refused process, then an ordinary error."""
        held.effect.close()
        if held.action.kind is Kind.EXEC:
            held.caller.proc.denied = held.effect.argv
        if not held.effect.quiet:
            tell(held.caller.proc, held.action, why)
        self._listener.fail(held.call.id, held.effect.code)

    # -- doing it

    def _perform(self, held: Held) -> None:
        following = held.effect.then
        if following:
            held.effect.keeps.clear()  # they are what follows, which is not done with
            self._begin(held.call, held.name, held.caller, following)
            return
        try:
            self._reply(held, self._before.perform(held.effect))
        except NotYet as later:
            self._retry.append(held)
            if later.descriptor >= 0:
                self._poll.register(later.descriptor, select.POLLOUT)
                self._awaited.add(later.descriptor)
        except OSError as error:
            self._reply(held, error)

    def _reply(self, held: Held, reply: Reply | OSError) -> None:
        call, effect = held.call.id, held.effect
        try:
            effect.done()
            if isinstance(reply, OSError):
                self._listener.fail(call, reply.errno or errno.EIO)
            elif isinstance(reply, Descriptor):
                self._give(call, reply)
            elif isinstance(reply, LetGo):
                self._started = self._started or held.caller.proc.pid == self._root
                self._listener.let_go(call)
            else:
                self._listener.give(call, reply)
        finally:
            effect.close()

    def _give(self, call: int, reply: Descriptor) -> None:
        try:
            self._listener.inject(call, reply.fd, cloexec=reply.cloexec)
        except OSError as error:
            self._listener.fail(call, error.errno or errno.EMFILE)
        finally:
            os.close(reply.fd)

    def _try_again(self) -> None:
        waiting, self._retry = self._retry, []
        for held in waiting:
            if self._listener.alive(held.call.id):
                self._perform(held)
            else:
                held.effect.close()

    # -- what the app says

    def _hear(self, unpacker: Unpacker, data: bytes) -> bool:
        """Do what is said; False when it is to stop."""
        for message in unpacker.feed(data):
            if message["type"] == "stop":
                return False
            self._obey(message)
        return True

    def _obey(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "answer":
            held = self._asked.take(message["number"])
            if held is not None:
                self._answered(held, message)
        elif kind in ("policy", "answers"):
            self._judge.hear(message)
            self._reads.forget()
        elif kind == "hold":
            self._judge.hold(message["why"])
            self._waits = message["wait"]
        elif kind == "forget":
            self._before.forget(*message["paths"])
        elif kind == "name":
            self._known.learn(message)
            self.journal.send({"type": "named", "address": message["address"]})
        else:
            raise LinkError(f"a message of type {kind!r}")

    def _answered(self, held: Held, answer: dict[str, Any]) -> None:
        if not self._listener.alive(held.call.id):
            held.effect.close()  # nobody waits any more: it must not happen, nor be expected to have happened
            return
        now = self._ruling(held)
        if answer["allow"] is not True:
            self._refuse(held, answer["why"])
        elif now.decision is Decision.DENY:
            # What was shown may have been cut, and a new policy answered by what was shown.
            self.journal.record(shown(held.action), Answer(Verdict.DENY, now.source, now))
            self._refuse(held, now.why)
        elif held.effect.moved():
            held.effect.close()  # what was asked about lies elsewhere now: ask again about what is there
            self._take(held.call)
        else:
            if answer["grant"]:
                self._judge.grant(held.action)
            try:
                self._perform(held)
            except Exception as error:
                self._listener.fail(held.call.id, errno.EPERM)
                self.journal.send({"type": "fault", "text": f"{held.name}: {error}"})

    # -- what runs

    def _runs_what_was_approved(self, call: Call, caller: Caller, name: str) -> bool:
        proc = caller.proc
        pending = proc.pending
        wrong = self._execs.compare(caller, name, lambda: self._listener.alive(call.id))
        if not wrong:
            return True
        with contextlib.suppress(OSError):
            os.kill(proc.pid, signal.SIGKILL)
        target = " or ".join(" ".join(approved.words) for approved in pending)
        reason = f"approved was {target!r}, but this is what ran; the process was killed"
        ruling = Ruling(Decision.DENY, Source.GATE, reason=reason)
        action = Action(Kind.EXEC, wrong, chain=proc.chain, syscall="execve", cwd=caller.cwd())
        self.journal.record(action, Answer(Verdict.DENY, Source.GATE, ruling))
        self._listener.fail(call.id, errno.EPERM)
        return False

    def _attribute(self, port: int, caller: Caller, name: str, to: int) -> None:
        chain = [process.to_wire() for process in caller.proc.chain]
        self.journal.send({"type": "connection", "port": port, "chain": chain, "name": name, "to": to})

    # -- the end

    def close(self) -> None:
        """Refuse everything that waits, by letting the listener go: the kernel answers ENOSYS."""
        os.close(self._listener.descriptor)


_NOTHING = Action(Kind.EXEC, "")
