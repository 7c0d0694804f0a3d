"""Programs that run outside and work for whoever reaches them: reached when they were asked for by name."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import OPEN_POLICY, World, allow, deny

WHERE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def allowing(glob: str) -> str:
    return (
        f'default: ask\nrules:\n  - match: {{action: net_egress, target_glob: "{glob}"}}\n'
        "    decision: allow\n  - match: {action: exec}\n    decision: allow\n"
    )


def need(program: str) -> str:
    path = shutil.which(program, path=WHERE["PATH"])
    if not path:
        pytest.skip(f"not here: {program}")
    return path


@contextlib.contextmanager
def running(world: World, *command: str, at: Path) -> Iterator[Path]:
    """A server of the user's, outside the session, that listens at ``at``."""
    process = world.worker.spawn(
        list(command), cwd=world.outside, env=world.environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 10
        while not at.is_socket():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield at
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def tmux(world: World) -> Iterator[tuple[str, Path]]:
    """A terminal of the operator's in a multiplexer."""
    program = need("tmux")
    at = world.outside / "tmux.sock"
    with running(world, program, "-S", str(at), "-D", "-f", "/dev/null", at=at):
        subprocess.run(
            [program, "-S", at, "new-session", "-d", "-s", "mine", "sleep 60"], check=True,
            env=world.environment(),
        )  # fmt: skip
        yield program, at


def typed(tmux: tuple[str, Path], world: World, name: str) -> tuple[list[str], Path]:
    """The command that has the operator's tmux make a file, and the file."""
    made = world.outside / name
    return [tmux[0], "-S", str(tmux[1]), "run-shell", f"touch {made}"], made


def test_a_multiplexer_works_for_nobody_unasked(world: World, tmux: tuple[str, Path]) -> None:
    command, made = typed(tmux, world, "bare")
    assert world.bare(*command).status == 0 and made.exists()
    command, made = typed(tmux, world, "gated")
    refused = world.run(*command, operator=deny, policy=OPEN_POLICY)
    assert refused.status and not made.exists()
    [ask] = [ask for ask in refused.asks if ask.kind == "net_egress"]
    assert (ask.target, ask.source) == (f"unix:{tmux[1]}", "unnamed")
    assert "outside this session" in refused.err
    allowed = world.run(*command, operator=allow, policy=OPEN_POLICY)
    assert allowed.status == 0 and made.exists()


@pytest.mark.parametrize(
    ("glob", "asked"), [("unix:{}/**", True), ("unix:{}/*", True), ("unix:{}/tmux.*", False)]
)
def test_only_a_rule_that_names_it_is_enough(
    world: World, tmux: tuple[str, Path], glob: str, asked: bool
) -> None:
    policy = allowing(glob.format(world.outside))
    command, made = typed(tmux, world, "ruled")
    result = world.run(*command, operator=deny, policy=policy)
    assert made.exists() is not asked
    assert result.targets == ([f"net_egress unix:{tmux[1]}"] if asked else [])


def test_another_name_leads_to_the_same_helper(world: World, tmux: tuple[str, Path]) -> None:
    """A link in the project, where a rule names all sockets."""
    os.link(tmux[1], world.project / "own.sock")
    command, made = typed((tmux[0], world.project / "own.sock"), world, "linked")
    policy = allowing(f"unix:{world.project}/*.sock")
    assert world.bare(*command).status == 0 and made.exists()
    made.unlink()
    result = world.run(*command, operator=deny, policy=policy)
    assert not made.exists()
    [ask] = result.asks
    assert (ask.target, ask.origin) == (f"unix:{world.project}/own.sock", f"unix:{tmux[1]}")


def test_keys_are_not_used_unasked(world: World) -> None:
    agent, add = need("ssh-agent"), need("ssh-add")
    at = world.outside / "agent.sock"
    with running(world, agent, "-D", "-a", str(at), at=at):
        command = (add, "-l")
        env = {"SSH_AUTH_SOCK": str(at)}
        assert world.bare(*command, env=env).status == 1  # it was reached, and has no keys
        refused = world.run(*command, operator=deny, policy=OPEN_POLICY, env=env)
        assert refused.status == 2 and refused.targets == [f"net_egress unix:{at}"]
        assert world.run(*command, operator=allow, policy=OPEN_POLICY, env=env).status == 1


def test_what_the_session_itself_runs_is_free(world: World) -> None:
    """A multiplexer and a key agent of the agent's own are nobody's outside."""
    tmux, agent, add = need("tmux"), need("ssh-agent"), need("ssh-add")
    script = (
        f"{tmux} -S own.sock -f /dev/null new-session -d 'sleep 60' && "
        f"{tmux} -S own.sock run-shell 'touch made' && "
        f"{tmux} -S own.sock kill-server && test -e made && {agent} {add} -l"
    )
    result = world.run("sh", "-c", script, operator=deny, policy=OPEN_POLICY)
    assert [ask for ask in result.asks if ask.kind == "net_egress"] == []
    assert result.status == 1 and "no identities" in result.out


class Cache:
    """A name service cache that answers nobody, and notes the user of each who comes."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.bind("/run/nscd/socket")
        os.chmod("/run/nscd/socket", 0o666)
        self._sock.listen()
        self.users: list[int] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._sock.accept()
                credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                self.users.append(struct.unpack("=3i", credentials)[1])
                client.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


@pytest.mark.parametrize("worlds", ["ordinary user"], indirect=True)
def test_the_name_service_cache_is_not_there(worlds: World) -> None:
    """The C library tries it in every second program: no question, no word, as if it did not run. Every
    other program of the machine tries it too, so it is done as a user whom nobody else is."""
    if os.geteuid() != 0 or Path("/run/nscd").exists():
        pytest.skip("not here: the right to make /run/nscd, or there is one")
    Path("/run/nscd").mkdir()
    cache = None
    try:
        cache = Cache()
        assert worlds.bare("id", "nosuchuser").status == 1
        assert worlds.uid in cache.users
        cache.users.clear()
        result = worlds.run("id", "nosuchuser", operator=deny)
        assert result.status == 1 and result.asks == [] and worlds.uid not in cache.users
        assert "agentgate" not in result.err
    finally:
        if cache:
            cache.close()
        shutil.rmtree("/run/nscd")
