"""Rules about files hold though a directory above them gets another name, and back, or is replaced."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from harness import OPEN_POLICY, Result, World, allow, deny


def rules(glob: str, decision: str = "deny") -> str:
    return f"""\
default: ask
rules:
  - {{match: {{action: fs_write, target_glob: "{glob}"}}, decision: {decision}, reason: "not this one"}}
  - {{match: {{action: fs_write, target_glob: "$PWD/**"}}, decision: allow}}
  - {{match: {{action: exec}}, decision: allow}}
"""


# What a rule that denies the glob must not let happen to locked/secret, by directories alone.
WAYS = {
    "away and back": ("$PWD/locked/secret", "mv locked x; echo evil > x/secret; mv x locked"),
    "by a glob of names": ("$PWD/locked/s*", "mv locked x; echo evil > x/secret; mv x locked"),
    "by the directory's glob": ("$PWD/locked/**", "mv locked x; echo evil > x/secret; mv x locked"),
    "by any directory's": ("$PWD/*/secret", "mv locked x; mkdir locked"),
    "another in its place": ("$PWD/locked/secret", "mv locked x; mkdir locked; echo evil > locked/secret"),
    "a name at any depth": ("secret", "mv locked x; mkdir locked"),
    "the directory above": (
        "$PWD/top/locked/secret", "mkdir top; mv locked top/locked; mv top/locked locked"
    ),
    "exchanged": ("$PWD/locked/secret", "mkdir x; echo evil > x/secret; $SWAP x locked"),
    "exchanged the other way": ("$PWD/locked/secret", "mkdir x; echo evil > x/secret; $SWAP locked x"),
    "exchanged with a file": ("$PWD/locked/secret", "touch x; $SWAP locked x; rm locked; mkdir locked"),
    "moved deeper": ("$PWD/locked/secret", "mkdir -p x/y; mv locked x/y/; mkdir locked"),
}  # fmt: skip


def locked(world: World) -> Path:
    """The project with nothing but locked/secret."""
    for path in world.project.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (world.project / "locked").mkdir()
    world.give(world.project / "locked")
    return world.file(world.project / "locked" / "secret", "kept\n")


def shell(world: World, script: str, **options: object) -> Result:
    swap = {"SWAP": " ".join(world.python("exchange"))}
    return world.run("sh", "-c", f"{script}; true", env=swap, **options)


def untouched(secret: Path) -> bool:
    return secret.exists() and secret.read_text() == "kept\n"


@pytest.mark.parametrize("way", WAYS)
def test_a_rule_is_not_undone_by_its_directory(worlds: World, way: str) -> None:
    glob, script = WAYS[way]
    secret = locked(worlds)
    bare = worlds.bare("sh", "-c", script, env={"SWAP": " ".join(worlds.python("exchange"))})
    assert "denied" not in bare.err
    assert way == "the directory above" or not untouched(secret)  # the control

    secret = locked(worlds)
    result = shell(worlds, script, policy=rules(glob), operator=allow)
    assert untouched(secret), result
    assert result.asks == [] and "rule 1 (line 3)" in result.err and "not this one" in result.err


PLACED = {
    "renamed": "mkdir x; echo evil > x/secret; mv x locked",
    "renamed from below": "mkdir -p x/y; echo evil > x/y/secret; mv x/y locked",
    "with the one above": "mkdir -p x/locked; echo evil > x/locked/secret; mv x top",
    "a link": "mkdir x; echo evil > x/secret; ln -s x locked",
    "a link above": "mkdir -p x/locked; echo evil > x/locked/secret; ln -s x top",
    "a renamed link": "mkdir x; echo evil > x/secret; ln -s x y; mv -T y locked",
    "a link of a link": "mkdir x; echo evil > x/secret; ln -s x y; ln -P y locked",
    "an exchanged link": "mkdir x; echo evil > x/secret; ln -s x y; touch locked; $SWAP y locked",
    "a link in a directory": "mkdir x t; echo evil > x/secret; ln -s ../x t/locked; mv t top",
}


@pytest.mark.parametrize("way", PLACED)
def test_what_a_rule_forbids_is_not_put_in_place(worlds: World, way: str) -> None:
    """The file is made where no rule speaks of it, and its directory then gets the right name."""
    script = PLACED[way]
    secret = locked(worlds).parent / "secret"
    top = "top" in script
    shutil.rmtree(secret.parent)
    if top:
        secret = worlds.project / "top" / "locked" / "secret"
    bare = worlds.bare("sh", "-c", script, env={"SWAP": " ".join(worlds.python("exchange"))})
    assert secret.read_text() == "evil\n", bare

    shutil.rmtree(locked(worlds).parent)
    glob = "$PWD/top/locked/secret" if top else "$PWD/locked/secret"
    result = shell(worlds, script, policy=rules(glob), operator=allow)
    assert not secret.exists() and "rule 1 (line 3)" in result.err, result


def test_a_question_says_what_the_directory_holds(world: World) -> None:
    secret = locked(world)
    refused = shell(world, "mv locked x", policy=rules("$PWD/locked/secret", "ask"), operator=deny)
    assert refused.targets == [f"fs_write {world.project}/x"] and untouched(secret)
    assert f"it holds {secret}: not this one" in refused.err
    [record] = [record for record in refused.records if record["action"] == "fs_write"]
    assert record["rule"] == 1 and str(secret) in record["reason"]

    allowed = shell(world, "mv locked x", policy=rules("$PWD/locked/secret", "ask"), operator=allow)
    assert len(allowed.asks) == 1 and untouched(world.project / "x" / "secret")


def test_a_question_is_a_deny_where_asks_are(world: World) -> None:
    secret = locked(world)
    result = shell(world, "mv locked x", policy=rules("$PWD/locked/secret", "ask"), enforce=True)
    assert result.asks == [] and untouched(secret) and "(enforce: rule 1 (line 3): it holds " in result.err


def test_a_changed_policy_does_not_answer_for_what_it_cannot_see(world: World) -> None:
    secret = locked(world)
    policy = rules("$PWD/locked/secret", "ask")
    with world.start("mv", "locked", "x", policy=policy, operator=lambda ask: None) as run:
        ask = run.asked("fs_write *")
        run.policy(policy.replace("locked/secret", "locked/other"))
        run.serve(0.4)
        assert untouched(secret) and run.withdrawn == []
        run.answer(ask, "deny")
        run.finish()
    assert untouched(secret)


def test_what_the_rules_leave_alone_is_left_alone(worlds: World) -> None:
    locked(worlds)
    script = "mkdir a; echo x > a/f; mv a b; $SWAP b locked; mv locked c; ln -s c d; mv b locked; cat c/f"
    result = shell(worlds, script, policy=rules("$PWD/locked/other"))
    assert (result.out, result.err, result.asks) == ("x\n", "", [])


def test_a_name_that_is_nowhere_in_it(worlds: World) -> None:
    """``**/x`` may be anywhere, so it is looked for; where it is not, nobody is asked."""
    locked(worlds)
    script = "mkdir -p a/b; touch a/b/k.pub; mv a b; cp b/b/k.pub b/b/k.pem; cp -r b c; touch d; mv b d2; ls"
    result = shell(worlds, script, policy=rules("*.pem"))
    assert result.err.count("agentgate: denied") == 1 and "k.pem" in result.err
    assert result.out.split() == ["c", "d", "d2", "locked"]


def test_more_than_can_be_looked_at_is_asked(world: World) -> None:
    many = world.project / "many"
    many.mkdir()
    for number in range(20_100):
        (many / str(number)).touch()
    script = "i=0; mv many x & while [ $i -lt 100 ]; do echo > f; i=$((i+1)); done; wait"
    start = time.monotonic()
    result = shell(world, script, policy=rules("*.pem"), operator=deny)
    assert time.monotonic() - start < 10
    assert result.targets == [f"fs_write {world.project}/x"] and many.exists()
    assert "it holds more than the gate can look at" in result.err


def test_what_may_not_be_looked_at_is_asked(worlds: World) -> None:
    if worlds.uid == 0:
        pytest.skip("not here: a directory that root may not look into")
    locked(worlds)
    script = "mkdir -p x/y; chmod 0 x/y; mv x z"
    result = shell(worlds, script, policy=rules("*.pem"), operator=deny)
    assert result.targets == [f"fs_write {worlds.project}/z"] and (worlds.project / "x").exists()


def test_a_guarded_file_from_where_it_was_not(world: World) -> None:
    """In a package nothing looks for workflows, and outside the project nobody for the agent's settings."""
    script = (
        "mkdir -p node_modules/a/.github/workflows; echo evil > node_modules/a/.github/workflows/x.yml\n"
        "mv node_modules/a b\n"
        "mkdir -p ../outside/a/.claude; echo evil > ../outside/a/.claude/commands; mv ../outside/a c\n"
    )
    result = shell(world, script, policy=OPEN_POLICY, operator=deny)
    assert [ask.guard for ask in result.asks] == ["ci-workflows", "agent-config"]
    assert not (world.project / "b").exists() and not (world.project / "c").exists()


def test_a_repository_moves_with_what_was_guarded_before(world: World) -> None:
    (world.project / "a" / ".git" / "hooks").mkdir(parents=True)
    for name in (".git/hooks/pre-commit", ".git/config", ".envrc"):
        world.file(world.project / "a" / name)
    result = shell(world, "mv a b", policy=OPEN_POLICY, operator=deny)
    assert result.asks == [] and (world.project / "b" / ".git" / "config").exists()
