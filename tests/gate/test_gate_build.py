"""What a session's decider is made of: which files are the gate's own, what the variables mean."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import agentgate
from agentgate.actions import Action, Decision, Kind
from agentgate.gate import build
from agentgate.policy.errors import PolicyError
from agentgate.policy.load import load_text
from agentgate.settings import Settings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "project"
    folder.mkdir()
    return folder


def settings(project: Path, **changes: object) -> Settings:
    given = {"audit": project / ".agentgate" / "audit.jsonl", "env": {"HOME": str(project.parent)}} | changes
    return Settings(("true",), "true", project, **given)  # type: ignore[arg-type]


def guarded(session: Settings, path: Path, policy: Path | None = None) -> bool:
    """Whether a write to ``path`` is asked about as the gate's own, where every rule allows it."""
    rules = build.decider(session, load_text("default: allow", "p"), policy)
    return rules.rule(Action(Kind.FS_WRITE, str(path), syscall="open")).guard == "gate"


def test_policy_record_and_program_are_the_gates_own(project: Path) -> None:
    session = settings(project)
    for own in (
        project / "policy.yaml",  # also before there is one
        project / ".agentgate" / "audit.jsonl",
        project / ".agentgate" / "other",
        Path(agentgate.__file__).parent / "actions.py",
        Path(agentgate.__file__).parent / "new" / "module.py",
    ):
        assert guarded(session, own), own
    assert not guarded(session, project / "src.py")
    assert not guarded(session, project.parent / "policy.yaml")


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="not run from a virtual environment")
def test_the_environment_that_the_gate_runs_from_is_its_own(project: Path) -> None:
    assert guarded(settings(project), Path(sys.prefix).resolve() / "lib" / "yaml.py")


def test_a_record_put_among_other_files_guards_itself_only(project: Path) -> None:
    session = settings(project, audit=project / "logs" / "a.jsonl")
    assert guarded(session, project / "logs" / "a.jsonl")
    assert not guarded(session, project / "logs" / "b.jsonl")


def test_a_policy_elsewhere_is_the_gates_own(project: Path) -> None:
    elsewhere = project.parent / "rules.yaml"
    assert guarded(settings(project), elsewhere, elsewhere)
    assert guarded(settings(project), project / "policy.yaml", elsewhere)


def test_every_link_that_leads_to_the_policy_is_the_gates_own(project: Path) -> None:
    """Who can turn a link can put another policy in force without touching the file."""
    store = project.parent / "store"
    (store / "v1").mkdir(parents=True)
    (store / "v1" / "rules.yaml").write_text("default: ask\n")
    (store / "current").symlink_to("v1")
    (project / "conf").symlink_to("../store/current")
    (project / "rules.yaml").symlink_to(project / "conf" / "rules.yaml")
    (project / "loop").symlink_to("loop")
    policy = project / "rules.yaml"
    for link in (policy, project / "conf", store / "current", store / "v1" / "rules.yaml"):
        assert guarded(settings(project), link, policy), link
    assert not guarded(settings(project), store / "v2", policy)
    assert guarded(settings(project), project / "loop", project / "loop")  # ends


def test_home_and_project_are_what_the_run_was_given(project: Path) -> None:
    home = project.parent / "home"
    home.mkdir()
    link = project.parent / "link"
    link.symlink_to(home)
    context = build.context(settings(project, env={"HOME": str(link)}))
    assert (context.home, context.project) == (str(home), str(project))
    fallback = build.context(settings(project, env={"HOME": ""}))
    assert fallback.home == os.path.realpath(os.path.expanduser("~"))


def test_enforce_holds_for_the_decider(project: Path) -> None:
    strict = build.decider(settings(project, enforce=True), load_text("default: ask", "p"), None)
    assert strict.rule(Action(Kind.EXEC, "ls")).decision is Decision.DENY


def test_a_policy_that_cannot_be_compiled_is_refused_with_its_place(project: Path) -> None:
    text = "rules:\n  - match: {action: fs_write, target_glob: $NOWHERE/x}\n    decision: allow\n"
    with pytest.raises(PolicyError) as caught:
        build.decider(settings(project), load_text(text, "policy.yaml"), None)
    assert str(caught.value).startswith("policy.yaml:2: glob '$NOWHERE/x': $NOWHERE is not set")


def test_places_are_the_operators_path_without_where_the_agent_works(project: Path) -> None:
    tools, own = Path("/srv/tools"), project / "bin"
    env = {"PATH": f"{tools}:{own}:relative:", "TMPDIR": str(project.parent / "t"), "HOME": "/"}
    places = build.places(settings(project, env=env))
    assert places.word(str(tools / "lint")) == "lint"
    assert places.word(str(own / "lint")) == str(own / "lint")
    assert places.word(str(project.parent / "t" / "ls")) == str(project.parent / "t" / "ls")
    assert places.word("/usr/bin/ls") == "ls"
