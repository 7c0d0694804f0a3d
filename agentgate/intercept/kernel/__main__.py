"""The warden process: told over its link what to run, it launches the agent and serves it to the end.

Started by ``backend.py`` with the link's descriptor as its one argument. Exit status 0 after an agent ran,
1 when it could not be started (the reason went over the link).
"""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import os
import resource
import signal
import socket
import sys
from typing import Any

from agentgate.gate.command import Places
from agentgate.intercept.kernel import caps, filter, landlock, libc
from agentgate.intercept.kernel.abi import Abi, native
from agentgate.intercept.kernel.ending import end_tree, reap
from agentgate.intercept.kernel.judge import Rules
from agentgate.intercept.kernel.launch import Plan, Started, launch
from agentgate.intercept.kernel.link import Unpacker, pack
from agentgate.intercept.kernel.names import Names
from agentgate.intercept.kernel.netns import Netns, NoNamespace
from agentgate.intercept.kernel.notify import Listener
from agentgate.intercept.kernel.probe import wait_killable
from agentgate.intercept.kernel.warden import Warden
from agentgate.limits import raise_open_files
from agentgate.policy.match import Context
from agentgate.policy.model import Policy

_PR_SET_CHILD_SUBREAPER, _PR_SET_NAME = 36, 15


def _order(link: socket.socket, unpacker: Unpacker) -> dict[str, Any] | None:
    """The first message: what to run. None when the app is gone before it said so."""
    while data := link.recv(1 << 16):
        for message in unpacker.feed(data):
            return message
    return None


def _launch(order: dict[str, Any], abi: Abi) -> Started:
    landlock_abi = landlock.abi_version()
    return launch(
        Plan(
            order["command"],
            order["cwd"],
            order["env"],
            tuple(order["stdio"]),
            order["controlling"],
            filter.build(abi, hold_signals=landlock_abi < 6, hold_reads=order["hold_reads"]),
            landlock_abi,
            wait_killable(),
        )
    )


def _network(order: dict[str, Any]) -> Netns | None:
    """The network for UDP, on its way; None when none is wanted."""
    if order["names"] is None:
        return None
    with socket.socket(fileno=order["names"]["app"]) as app:
        return Netns(app)


def _names(order: dict[str, Any], network: Netns | None) -> Names:
    """What there is for names: without that network nothing is."""
    if network is None:
        return Names()
    try:
        network.ready()
    except NoNamespace as error:
        return Names(why=str(error))
    names = order["names"]
    return Names(network, names["relay"], names["dns"], ipaddress.IPv4Network(names["pool"]))


def main(link: socket.socket) -> int:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGHUP, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)  # the terminal's keys are for the agent
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    gc.freeze()
    gc.set_threshold(50_000)  # little here is cyclic, and a collection delays a held call
    unpacker = Unpacker()
    order = _order(link, unpacker)
    if order is None:
        return 1
    abi = native()
    assert abi is not None
    try:
        network = _network(order)  # before the agent, so that it inherits nothing of it
        started = _launch(order, abi)
    except OSError as error:
        link.sendall(pack({"type": "failed", "errno": error.errno or 0, "text": str(error.strerror)}))
        return 1
    names = _names(order, network)
    if os.geteuid() == 0:
        caps.drop(caps.WARDEN)  # what is done for the agent is done with little more than it has itself
    raise_open_files()
    os.chdir("/")
    context = Context(order["project"], order["home"], order["env"])
    places = Places(frozenset(order["tools"]), tuple(order["writable"]))
    rules = Rules(context, places, tuple(order["own"]), order["enforce"], order["network"])
    warden = Warden(
        abi, Listener(started.listener, sync_wake_up=True), link, rules,
        Policy.from_wire(order["policy"]),
        root=started.pid, proxy_port=order["proxy_port"], stdio=tuple(order["stdio"]), names=names,
        keep=order["keep"],
        hold_reads=order["hold_reads"],
        store=order["store"],
    )  # fmt: skip
    for descriptor in set(order["stdio"]):
        if descriptor > 2:
            os.close(descriptor)
    rootfd = libc.pidfd_open(started.pid)
    started.go.send(b"g")
    try:
        warden.run(rootfd, started.trouble, unpacker)
    finally:
        status = _end(started.pid, warden, network)
    spent = resource.getrusage(resource.RUSAGE_SELF)
    cpu = spent.ru_utime + spent.ru_stime
    warden.journal.flush()
    warden.journal.send({"type": "ended", "status": status, "held": warden.held, "cpu": cpu})
    warden.journal.finish(5.0)
    return 0


def _end(root: int, warden: Warden, network: Netns | None) -> int:
    """The tree's end. Whatever was pending is refused: nobody serves the listener any more."""
    status = warden.kept.status
    if status is None:
        if os.waitid(os.P_PID, root, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            with contextlib.suppress(OSError):
                os.kill(root, signal.SIGKILL)
        status = reap(root)
    warden.close()
    if network:
        network.close()
    end_tree()
    return status


if __name__ == "__main__":
    sys.exit(main(socket.socket(fileno=int(sys.argv[1]))))
