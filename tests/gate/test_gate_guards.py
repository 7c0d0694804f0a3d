"""Which writes are asked about whatever the rules say: places times calls, existing or not.

Nothing here exists on disk: a guard looks at names only, so what is true here is true of every path.
"""

from __future__ import annotations

import pytest
from gate_kit import HOME, PROJECT, guards
from hypothesis import given
from hypothesis import strategies as st

from agentgate.actions import GuardName
from agentgate.gate.guards import GUARDS

EVERY_CALL = (
    "open", "mkdir", "mknod", "symlink", "link", "rename", "unlink", "rmdir", "truncate", "chmod", "chown",
    "utime", "setxattr", "removexattr", "",
)  # fmt: skip
PLACING = ("rename", "symlink", "link", "open", "mknod", "")  # put something there that was not there
HARMLESS = ("mkdir", "rmdir", "unlink", "tmpfile", "chmod", "chown", "utime", "setxattr", "removexattr")

# What runs code later, however it is touched.
GUARDED = [
    (f"{HOME}/.bashrc", "shell-startup"),
    (f"{HOME}/.profile", "shell-startup"),
    (f"{HOME}/.zshenv", "shell-startup"),
    (f"{HOME}/.gitconfig", "shell-startup"),
    (f"{HOME}/.config/git/config", "shell-startup"),
    (f"{HOME}/.config/fish/conf.d/x.fish", "shell-startup"),
    (f"{HOME}/.vim/plugin/x.vim", "shell-startup"),
    (f"{HOME}/.ssh", "ssh"),
    (f"{HOME}/.ssh/authorized_keys", "ssh"),
    (f"{HOME}/.ssh/config.d/x", "ssh"),
    (f"{HOME}/.config/autostart/x.desktop", "autostart"),
    (f"{HOME}/.config/systemd/user/x.service", "systemd-user"),
    (f"{HOME}/.local/share/systemd/user/timers.target.wants/x.timer", "systemd-user"),
    (f"{HOME}/Library/LaunchAgents/x.plist", "launch-agents"),
    ("/etc/crontab", "cron"),
    ("/etc/cron.d/x", "cron"),
    ("/var/spool/cron/crontabs/me", "cron"),
    (f"{PROJECT}/.git/hooks/pre-commit", "git-hooks"),
    (f"{PROJECT}/deep/er/.git/hooks/post-checkout", "git-hooks"),
    (f"{PROJECT}/.git/modules/sub/hooks/pre-commit", "git-hooks"),
    ("/anywhere/.git/hooks/pre-push", "git-hooks"),
    (f"{PROJECT}/.envrc", "envrc"),
    (f"{PROJECT}/sub/.envrc", "envrc"),
    (f"{PROJECT}/.vscode/tasks.json", "editor-tasks"),
    (f"{PROJECT}/sub/.vscode/settings.json", "editor-tasks"),
    (f"{PROJECT}/.idea/runConfigurations/x.xml", "editor-tasks"),
    (f"{HOME}/.claude/settings.json", "agent-config"),
    (f"{HOME}/.claude/hooks/x.sh", "agent-config"),
    (f"{HOME}/.codex/config.toml", "agent-config"),
    (f"{HOME}/.codex/hooks/x", "agent-config"),
    (f"{HOME}/.config/opencode/plugin/x.js", "agent-config"),
    (f"{PROJECT}/.claude/agents/helper.md", "agent-config"),
    (f"{PROJECT}/.cursor/rules/x.mdc", "agent-config"),
    (f"{PROJECT}/sub/.codex/config.toml", "agent-config"),
    (f"{PROJECT}/.mcp.json", "agent-config"),
    (f"{PROJECT}/.github/workflows/ci.yml", "ci-workflows"),
    (f"{PROJECT}/sitecustomize.py", "python-startup"),
    (f"{PROJECT}/policy.yaml", "gate"),
    (f"{PROJECT}/.agentgate", "gate"),
    (f"{PROJECT}/.agentgate/audit.jsonl", "gate"),
    ("/opt/agentgate/lib/actions.py", "gate"),
]  # fmt: skip

# What looks like it and is not: asked about by nobody but the rules.
FREE = [
    f"{PROJECT}/src/app.py",
    f"{PROJECT}/.git/hooks/pre-commit.sample",  # as `git init` writes them
    f"{PROJECT}/.git/HEAD",
    f"{HOME}/.cache/uv/sdists-v11/.git",
    f"{PROJECT}/.git/index.lock",
    f"{PROJECT}/.git/objects/ab/cdef",
    f"{PROJECT}/.git/refs/heads/hooks/mine",  # a branch named hooks/mine
    f"{PROJECT}/.git/refs/heads/config",
    f"{PROJECT}/.git/modules/sub/index",
    f"{PROJECT}/.git/modules/sub/index.lock",
    f"{PROJECT}/.gitignore",
    f"{PROJECT}/git/hooks/pre-commit",
    f"{PROJECT}/.bashrc",  # the project's, not the home directory's
    f"{PROJECT}/.ssh/x",
    f"{HOME}x/.bashrc",
    f"/other{HOME}/.bashrc",
    f"{HOME}/.bash_history",
    f"{HOME}/.config/app/x",
    f"{HOME}/.config/gitlab/x",
    f"{HOME}/.claude/projects/x.jsonl",  # the agent's own state
    f"{HOME}/.claude/settings.json.bak",
    f"{HOME}/.codex/sessions/x",
    f"{HOME}/other/.claude/x",
    f"{PROJECT}/.claude.json",
    f"{PROJECT}/node_modules/x/.vscode/tasks.json",
    f"{PROJECT}/node_modules/x/.claude/settings.json",
    f"{PROJECT}/node_modules/x/.github/workflows/ci.yml",
    f"{PROJECT}/node_modules/x/.mcp.json",
    f"{PROJECT}/.vscode/extensions.json",
    f"{PROJECT}/.github/dependabot.yml",
    f"{PROJECT}/envrc",
    f"{PROJECT}/model.pth",  # weights
    f"{PROJECT}/my-site-packages/x.pth",
    f"{PROJECT}/notsitecustomize.py",
    f"{PROJECT}/etc/cron.d/x",
    f"{PROJECT}/policy.yaml.bak",
    f"{PROJECT}/.agentgate2/x",
    "/opt/agentgate-other/x",
]

# Directories that hold what is guarded: to make one is free, to put another one in its place is not.
# And files that do harm by what they say, but none when they are removed.
HOLDERS = [
    (f"{PROJECT}/.git/config", "git-config"),
    (f"{PROJECT}/.git/config.worktree", "git-config"),
    (f"{PROJECT}/.git/modules/a/modules/b/config", "git-config"),
    (f"{PROJECT}/.git/commondir", "git-config"),
    (f"{PROJECT}/.git/worktrees/w/commondir", "git-config"),
    ("/v/lib/python3.11/site-packages/x.pth", "python-startup"),
    ("/usr/lib/python3/dist-packages/x.pth", "python-startup"),
    (f"{PROJECT}/.git", "git-hooks"),
    (f"{PROJECT}/.git/hooks", "git-hooks"),
    (f"{PROJECT}/new/.git", "git-hooks"),
    (f"{PROJECT}/.cache/uv/sdists-v11/.git", "git-hooks"),
    (f"{PROJECT}/.git/modules", "git-hooks"),
    (f"{PROJECT}/.git/modules/sub", "git-hooks"),
    (f"{PROJECT}/.git/modules/sub/modules/deeper", "git-hooks"),
    (f"{PROJECT}/.git/modules/sub/hooks", "git-hooks"),
    (f"{PROJECT}/.vscode", "editor-tasks"),
    (f"{PROJECT}/.idea", "editor-tasks"),
    (f"{PROJECT}/.claude", "agent-config"),
    (f"{PROJECT}/.github", "ci-workflows"),
    (f"{PROJECT}/.github/workflows", "ci-workflows"),
    (f"{HOME}/.config", "shell-startup"),
    (f"{HOME}/.config/systemd", "systemd-user"),
    (f"{HOME}/.local/share/systemd", "systemd-user"),
    (f"{HOME}/.config/opencode", "agent-config"),
    (f"{HOME}/Library", "launch-agents"),
    ("/v/lib/python3.11/site-packages", "python-startup"),
]


def find(path: str, syscall: str) -> str | None:
    guard = guards().find(path, syscall)
    return guard.name.value if guard else None


@pytest.mark.parametrize(("path", "name"), GUARDED)
def test_guarded_whatever_the_call(path: str, name: str) -> None:
    assert {call: find(path, call) for call in EVERY_CALL} == dict.fromkeys(EVERY_CALL, name)


@pytest.mark.parametrize("path", FREE)
def test_free_whatever_the_call(path: str) -> None:
    assert {call: find(path, call) for call in EVERY_CALL} == dict.fromkeys(EVERY_CALL)


@pytest.mark.parametrize(("path", "name"), HOLDERS)
def test_what_holds_guarded_files_is_free_to_make_and_guarded_against_being_replaced(
    path: str, name: str
) -> None:
    assert {call: find(path, call) for call in PLACING} == dict.fromkeys(PLACING, name)
    assert {call: find(path, call) for call in HARMLESS} == dict.fromkeys(HARMLESS)


def test_what_comes_with_a_package_may_be_put_in_place() -> None:
    for folder in (".vscode", ".github", ".claude", ".idea"):
        assert find(f"{PROJECT}/node_modules/x/{folder}", "rename") is None


@pytest.mark.parametrize("path", [PROJECT, HOME, "/home", "/opt", "/"])
def test_directories_above_the_gates_files_may_be_worked_in_but_not_moved(path: str) -> None:
    for call in ("rename", "rmdir", "unlink", "symlink", "link", ""):
        assert find(path, call) == "gate", call
    for call in ("mkdir", "open", "chmod", "chown", "utime", "setxattr", "removexattr"):
        assert find(path, call) is None, call


def test_names_are_names_and_no_expressions() -> None:
    """Regex characters and newlines in the home, the project and the path mean themselves."""
    home, project = "/home/a+b (c)\n[d]", "/srv/x.y|z*$"
    odd = guards(home, project, own=(f"{project}/policy.yaml",))
    for path, name in (
        (f"{home}/.bashrc", "shell-startup"),
        (f"{home}/.ssh/a\nb", "ssh"),
        (f"{project}/.claude/x\n", "agent-config"),
        (f"{project}/\n/.git/hooks/pre-commit", "git-hooks"),
        (f"{project}/policy.yaml", "gate"),
        ("/\n.*/.git/hooks/x.sample\n", "git-hooks"),  # ends with a newline, not with .sample
    ):
        guard = odd.find(path, "open")
        assert guard is not None and guard.name == name, path
    for path in (
        "/home/aab (c)\nd/.bashrc",
        "/srv/xzy/.claude/x",
        "/srv/x.y/.claude/x",
        f"{home}/.bashrc\n",
        f"{project}/.envrc\n",
        f"{project}/policy.yaml\n",
    ):
        assert odd.find(path, "open") is None, path


def test_the_root_directory_as_home_and_project() -> None:
    """A container's user without a home has /, and may work there."""
    bare = guards("/", "/", own=("/policy.yaml",))
    for path, name in (("/.bashrc", "shell-startup"), ("/.ssh/x", "ssh"), ("/x/.claude/y", "agent-config")):
        guard = bare.find(path, "open")
        assert guard is not None and guard.name == name
    assert bare.find("/x/.bashrc", "open") is None


def test_the_agents_own_state_is_free_also_in_a_project_that_is_the_home_directory() -> None:
    both = guards(HOME, HOME)
    assert both.find(f"{HOME}/.claude/projects/x.jsonl", "open") is None
    for path in (f"{HOME}/.claude/settings.json", f"{HOME}/x/.claude/agents/y.md"):
        guard = both.find(path, "open")
        assert guard is not None and guard.name == "agent-config"


@pytest.mark.parametrize("name", [guard.name for guard in GUARDS] + [GuardName.GATE])
def test_a_lifted_guard_is_gone_and_no_other(name: GuardName) -> None:
    lifted = guards(lifted=[name])
    for path, guarded_by in [*GUARDED, *HOLDERS]:
        found = lifted.find(path, "open")
        if guarded_by != name:
            assert found is not None and found.name == guarded_by
        elif found is not None:
            assert found.name != name
    assert any(lifted.find(path, "open") is None for path, by in [*GUARDED, *HOLDERS] if by == name)


def test_all_lifted_nothing_is_guarded() -> None:
    none = guards(lifted=list(GuardName))
    assert not [path for path, _ in [*GUARDED, *HOLDERS] if none.find(path, "rename")]


def test_every_name_of_the_policys_language_is_a_guard() -> None:
    reads = [name for name in GuardName if name.startswith("read-")]  # see test_gate_secrets.py
    assert sorted([*(guard.name for guard in GUARDS), GuardName.GATE, *reads]) == sorted(GuardName)


@pytest.mark.parametrize(
    "path",
    [
        "/.git/modules" * 310 + "/x",
        "/.git/worktrees/modules" * 180,
        "/a" * 2047,
        f"{PROJECT}/" + ".claude" * 500,
        "/.vscode/x" * 400 + "\n",
        "/.git/hooks" * 370 + ".sample",
    ],
)
@pytest.mark.timeout(30, method="thread")  # an expression that doubles its work would take for ever
def test_a_hostile_path_costs_no_more_than_moments(path: str) -> None:
    for call in ("open", "rename", "mkdir"):
        guards().find(path, call)


_NAMES = st.text(
    st.sampled_from("ab.\n*+[(\\$ é\udc80") | st.characters(exclude_characters="/\0"), min_size=1, max_size=8
).filter(lambda name: name not in (".", ".."))


@given(st.lists(_NAMES, max_size=4), st.lists(_NAMES, max_size=4), st.sampled_from(EVERY_CALL))
def test_at_any_depth_below_any_name(above: list[str], below: list[str], call: str) -> None:
    """Nothing that stands around a guarded place opens it."""
    start = "".join(f"/{name}" for name in above)
    tail = "/".join(below)
    found = guards().find(f"{start}/.git/hooks/{tail}x", call)
    assert found is not None
    assert guards().find(f"{start}/.envrc", call) is not None
    own = guards("/h", "/p", own=[f"{start}/o"])
    assert own.find(f"{start}/o/{tail}", call) is not None
