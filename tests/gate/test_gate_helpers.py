"""Sockets of programs outside the session: what is known of them, and which rules allow them."""

from __future__ import annotations

import pytest
from gate_kit import connect, decider

from agentgate.actions import Decision, Ruling, Source
from agentgate.cli.box import lines
from agentgate.gate import helpers
from agentgate.gate.events import Ask
from agentgate.tui.widgets.detail import describe

KNOWN = {
    "Docker": ["/run/docker.sock", "/var/run/docker.sock", "/run/user/1000/docker.sock",
               "/home/me/.docker/run/docker.sock", "/home/me/.docker/desktop/docker.sock"],
    "Podman": ["/run/podman/podman.sock", "/run/user/1000/podman/podman.sock"],
    "containerd": ["/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock"],
    "systemd": ["/run/systemd/private", "/run/user/1000/systemd/private"],
    "the journal": ["/run/systemd/journal/stdout", "/dev/log"],
    "D-Bus": ["/run/dbus/system_bus_socket", "/run/user/1000/bus", "@/tmp/dbus-AbC123", "/tmp/dbus-xyz"],
    "the SSH agent": ["/tmp/ssh-XXa9/agent.4711", "/home/me/.ssh/agent/s.abc.agent.1",
                      "/run/user/1000/gcr/ssh", "/run/user/1000/keyring/ssh",
                      "/run/user/1000/gnupg/S.gpg-agent.ssh",
                      "/home/me/.1password/agent.sock", "/run/user/1000/ssh-agent.socket"],
    "the GnuPG agent": ["/run/user/1000/gnupg/S.gpg-agent", "/home/me/.gnupg/S.keyboxd"],
    "the keyring": ["/run/user/1000/keyring/control"],
    "tmux or screen": ["/tmp/tmux-1000/default", "/run/screen/S-me/1.pts-0.host", "/run/screens/S-me/1.x",
                       "/tmp/screens/S-me/1.x", "/home/me/.screen/1.pts"],
    "an agent that runs already": [
        "/home/me/.codex/app-server-control/app-server-control.sock", "/tmp/codex-daemon-1000/4f3a",
        "/tmp/cc-socks/4711.sock", "/tmp/claude-http-1.sock"],
    "an editor": ["/run/user/1000/vscode-ipc-1.sock", "/tmp/vscode-git-1.sock",
                  "/run/user/1000/emacs/server"],
    "the X server": ["/tmp/.X11-unix/X0", "@/tmp/.X11-unix/X0"],
    "the Wayland compositor": ["/run/user/1000/wayland-0"],
    "a database": ["/run/postgresql/.s.PGSQL.5432", "/tmp/.s.PGSQL.5432", "/run/mysqld/mysqld.sock"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in KNOWN.items() for path in paths])
def test_known_helpers(name: str, path: str) -> None:
    found = helpers.find(f"unix:{path}")
    assert found and found.name == name
    assert helpers.meaning(f"unix:{path}").startswith(f"{name} {found.does};")


@pytest.mark.parametrize(
    "path", ["/home/me/project/app.sock", "@mine", "/srv/x/docker.sock.bak", "/run/x\nbus"]
)
def test_others_are_said_to_be_outside(path: str) -> None:
    assert helpers.find(f"unix:{path}") is None
    assert "outside this session" in helpers.meaning(f"unix:{path}")


def test_what_is_no_socket_means_nothing() -> None:
    assert helpers.meaning("docker.sock:443") == helpers.meaning("/run/docker.sock") == ""


BROAD = ["'*'", "'unix:*'", "'unix:/**'", "'unix:/run/**'", "'unix:/run/*'", "'unix:/r*/docker.sock'",
         "'unix:**/docker.sock'", "'unix:docker.sock'", "'unix:/run/**docker.sock'",
         "'unix:/run/???????????'", "['evil.example', 'unix:/run/*']"]  # fmt: skip
NARROW = ["'unix:/run/docker.sock'", "'unix:/var/run/docker.sock'", "'unix:/run/docker.*'",
          "'unix:/run/[d]ocker.sock'", "['unix:/run/*', 'unix:/run/docker.sock']"]  # fmt: skip


def rule(glob: str, action: str = "net_egress") -> str:
    return (
        f"default: deny\nrules:\n  - match: {{action: {action}, target_glob: {glob}}}\n    decision: allow\n"
    )


@pytest.mark.parametrize("glob", BROAD)
def test_a_broad_rule_does_not_cover_them(glob: str) -> None:
    ruling = decider(rule(glob)).rule(connect("unix:/run/docker.sock"))
    assert (ruling.decision, ruling.source, ruling.rule) == (Decision.ASK, Source.UNNAMED, 1)
    assert ruling.why.startswith("no rule names this socket: Docker runs anything, as root")


def test_variables_are_what_they_stand_for() -> None:
    ruling = decider(rule("'unix:$HOME/.docker/run/docker.sock'")).rule
    assert ruling(connect("unix:/home/me/.docker/run/docker.sock")).decision is Decision.ALLOW


@pytest.mark.parametrize("policy", [
    "default: allow\n", "rules:\n  - {decision: allow}\n",
    "rules:\n  - {match: {action: net_egress}, decision: allow}\n",
])  # fmt: skip
def test_no_default_and_no_rule_for_everything(policy: str) -> None:
    found = decider(policy)
    assert found.rule(connect("unix:/run/user/1000/bus")).source is Source.UNNAMED
    assert found.rule(connect("unix:@anything")).source is Source.UNNAMED
    assert found.rule(connect("example.com:443")).decision is Decision.ALLOW


@pytest.mark.parametrize("glob", NARROW)
def test_a_rule_that_names_it_does(glob: str) -> None:
    assert decider(rule(glob)).rule(connect("unix:/run/docker.sock")).decision is Decision.ALLOW


@pytest.mark.parametrize(("glob", "named"), [
    ("unix:@/tmp/.X11-unix/X0", True), ("unix:@/tmp/.X11-unix/X*", True), ("unix:@*", False),
    ("unix:@/tmp/*/X0", False), ("unix:@/*/.X11-unix/X0", False),
])  # fmt: skip
def test_abstract_names(glob: str, named: bool) -> None:
    ruling = decider(rule(f"'{glob}'")).rule(connect("unix:@/tmp/.X11-unix/X0"))
    assert ruling.decision is (Decision.ALLOW if named else Decision.ASK)


def test_a_rule_that_denies_may_be_broad() -> None:
    policy = rule("'unix:/**'").replace("allow", "deny")
    assert decider(policy).rule(connect("unix:/run/docker.sock")).decision is Decision.DENY


def test_enforced_it_is_a_denial() -> None:
    ruling = decider("default: allow\n", enforce=True).rule(connect("unix:/run/docker.sock"))
    assert (ruling.decision, ruling.source) == (Decision.DENY, Source.ENFORCE)
    assert "Docker" in ruling.reason


def test_a_question_says_what_a_yes_means() -> None:
    ruling = decider("default: ask\n").rule(connect("unix:/tmp/tmux-1000/default"))
    assert ruling.source is Source.DEFAULT and "types into your other terminals" in ruling.why


def test_the_screens_say_it() -> None:
    found = decider("default: allow\n").rule
    action = connect("unix:/run/docker.sock")
    plain = Ruling(Decision.ASK, Source.RULE, 1, 3, "mine")
    for ruling in (found(action), plain):
        ask = Ask(1, action, ruling, 0.0, "kernel")
        panel = " ".join(
            "".join(text for text, _ in line).strip() for line in describe(ask, "", 1.0, "", True, 60)
        )
        box = " ".join(lines(ask, mark="m", waiting=1, size=(24, 100)))
        for shown in (panel, box):
            assert "Docker runs anything, as root, on this machine" in shown
