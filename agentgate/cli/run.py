"""``agentgate run``: an agent behind the gate, in your own terminal or your own pipes."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

from agentgate.cli import exits, learn
from agentgate.cli.options import UsageError, add_session, session_settings
from agentgate.escape import printable
from agentgate.settings import GateChoice, SecretsChoice, Settings

if TYPE_CHECKING:
    import asyncio

    from agentgate.cli.direct import Direct
    from agentgate.cli.questions import Questions
    from agentgate.cli.relay import Relay
    from agentgate.session import Session

__all__ = ["add", "program"]

_EXAMPLE = """\
example:
  agentgate run -- claude
  agentgate run --enforce -- npm ci      in CI: what would be asked is denied
  agentgate run --learn -- claude        answer for a while, and get a policy of your answers

A question appears in your terminal: a allows once, d denies, A shows the rule that would allow it always.
Exits with the agent's status; 69 when the chosen gate cannot run here, 127 when there is no such command.
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "run",
        help="run an agent in this terminal",
        description="Run an agent in this terminal; what the rules ask about is asked here.",
        usage="agentgate run [options] -- COMMAND ...",
        epilog=_EXAMPLE,
    )
    parser.add_argument("--enforce", action="store_true", help="never ask: what would be asked is denied")
    parser.add_argument(
        "--learn",
        action="store_true",
        help="ask about nearly all that goes beyond the project; write a policy of the answers at the end",
    )
    add_session(parser)
    parser.set_defaults(run=_run)


def program(settings: Settings) -> None:
    """Raise UsageError, with a shell's status, when there is no such command to run."""
    from agentgate.programs import cannot_run  # shutil is slow to import: it brings the compressors along

    name = settings.command[0]
    lacking = cannot_run(name, settings.env)
    if lacking is not None:
        status = exits.NOT_FOUND if isinstance(lacking, FileNotFoundError) else exits.CANNOT_RUN
        raise UsageError(f"{printable(name, 200)}: {lacking.strerror}", status)


def _run(args: argparse.Namespace) -> int:
    import asyncio

    if args.learn:
        if args.policy or args.enforce:
            raise UsageError("--learn has rules of its own and asks: without --policy and --enforce")
        args.policy, args.always = str(learn.POLICY), False
    settings = session_settings(args, args.command)
    program(settings)
    return asyncio.run(_session(settings, learns=args.learn))


async def _session(settings: Settings, *, learns: bool = False) -> int:
    import asyncio

    from agentgate.cli.direct import Direct
    from agentgate.cli.questions import Questions
    from agentgate.cli.relay import Relay
    from agentgate.session import Session

    session = Session(settings)
    stopped = _stop_signals()
    front = Relay() if all(os.isatty(fd) for fd in (0, 1, 2)) else Direct()
    questions = Questions(session, front)
    front.typed, front.resized = questions.typed, questions.redraw
    if os.isatty(2):
        _say_how(session)
    # Questions can come before start returns: the agent's own command may be one.
    follower = asyncio.create_task(questions.follow(session.hub.subscribe()))
    try:
        front.start()
        return await _until_the_end(session, front, questions, stopped)
    finally:
        try:
            await session.close()
        finally:
            follower.cancel()
            await asyncio.wait({follower})
            await front.finish()
            if session.audit.failed:
                print(f"agentgate: the record is incomplete: {session.audit.failed}", file=sys.stderr)
            with contextlib.suppress(OSError):  # the terminal may be gone
                if os.isatty(2):
                    _say_what_happened(session)
                if learns:
                    print(f"agentgate: {learn.write(settings, session.id)}", file=sys.stderr)


async def _until_the_end(
    session: Session,
    front: Relay | Direct,
    questions: Questions,
    stopped: asyncio.Future[int],
) -> int:
    """The agent's exit status, or ours when a signal, a lost terminal or a lost gate came first."""
    import asyncio
    import signal

    ends: set[asyncio.Future[Any]] = {stopped, front.hangup, questions.lost}
    running = asyncio.create_task(_agent(session, front))
    try:
        await asyncio.wait({running, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()
    finally:
        running.cancel()
    if questions.lost.done():
        why = printable(questions.lost.result(), 1000)
        front.say(f"the gate was lost, the agent was ended: {why}")
        return exits.GATE_LOST
    if questions.left:
        return questions.left.status
    return exits.SIGNALLED + (stopped.result() if stopped.done() else signal.SIGHUP)


async def _agent(session: Session, front: Relay | Direct) -> int:
    await session.start(front.stdio, controlling=front.controlling)
    front.started()
    return await session.wait()


def _stop_signals() -> asyncio.Future[int]:
    """Set with the signal that asks us to end. The agent has its own terminal, or gets them as we do."""
    import asyncio
    import signal

    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(signum: int) -> None:
        if not stopped.done():
            stopped.set_result(signum)

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(signum, stop, signum)
    return stopped


def _say_how(session: Session) -> None:
    """One line before the agent begins: what holds, by which rules, and what a question looks like."""
    gate = "kernel gate"
    if session.settings.gate is GateChoice.SHIM:
        gate = "shim gate, which holds only what goes through PATH and the proxy"
    elif session.settings.secrets is SecretsChoice.OPEN:
        gate = "kernel gate, with secrets open to be read"
    rules = printable(session.policy_file.label, 200)
    if session.policy_file.path is None:
        rules = "built-in rules (agentgate init writes them to a file)"
    asking = "what would be asked is denied" if session.settings.enforce else f"questions say {session.mark}"
    print(f"agentgate: {gate}; {rules}; {asking}", file=sys.stderr)


def _say_what_happened(session: Session) -> None:
    """What was refused, asked, read of secrets and changed outside the project: nothing, most often."""
    import shutil

    from agentgate.audit.ending import at_the_end

    settings, log = session.settings, session.audit
    cells = min(shutil.get_terminal_size().columns, 160) - len("agentgate: ")
    for line in at_the_end(
        settings.audit, session.id, log.begin, log.written, settings.project, cells, only_notable=True
    ):
        print(f"agentgate: {line}", file=sys.stderr)
