"""The policy file on disk: found, watched, added to; nothing of another writer is lost."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgate.actions import Decision, Kind
from agentgate.policy.errors import PolicyError
from agentgate.policy.load import load_bytes
from agentgate.policy.model import Policy
from agentgate.policy.store import BUILT_IN, UNDO_LIMIT, PolicyFile, default_text, find_policy
from agentgate.policy.suggest import Draft

DRAFT = Draft(Kind.EXEC, ("ls",), Decision.ALLOW)
TEXT = "rules:\n  - decision: deny  # c\n"


@pytest.fixture
def policy(tmp_path: Path) -> PolicyFile:
    (tmp_path / "policy.yaml").write_text(TEXT)
    (tmp_path / "policy.yaml").chmod(0o640)
    return find_policy(None, {}, tmp_path)


def test_the_order_in_which_a_policy_is_found(tmp_path: Path) -> None:
    assert find_policy(None, {}, tmp_path).label == BUILT_IN
    for name in ("policy.yaml", "b.yaml", "c.yaml"):
        (tmp_path / name).write_text("")
    env = {"AGENTGATE_POLICY": "b.yaml"}
    assert find_policy(None, {}, tmp_path).path == tmp_path / "policy.yaml"
    assert find_policy(None, env, tmp_path).path == tmp_path / "b.yaml"
    assert find_policy("c.yaml", env, tmp_path).path == tmp_path / "c.yaml"
    assert find_policy(str(tmp_path / "c.yaml"), {}, "/").label == str(tmp_path / "c.yaml")


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"^x.yaml: no such file$"):
        find_policy("x.yaml", {}, tmp_path)
    with pytest.raises(PolicyError, match=r"AGENTGATE_POLICY"):
        find_policy(None, {"AGENTGATE_POLICY": "x.yaml"}, tmp_path)
    (tmp_path / "policy.yaml").symlink_to("nowhere")  # a broken file is no reason for another policy
    with pytest.raises(PolicyError, match="cannot be read"):
        find_policy(None, {}, tmp_path).load()


def test_add_writes_the_rule_and_keeps_the_rest(policy: PolicyFile) -> None:
    policy.load()
    assert policy.path
    loaded = policy.add(DRAFT, 1)
    assert [rule.decision for rule in loaded.rules] == [Decision.ALLOW, Decision.DENY]
    assert policy.path.read_text().endswith("  - decision: deny  # c\n")
    assert policy.path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(policy.path.parent) == ["policy.yaml"]
    assert not policy.changed()
    assert len(policy.add(DRAFT, None).rules) == 3


def test_a_file_changed_meanwhile_is_noticed_and_not_overwritten(policy: PolicyFile) -> None:
    policy.load()
    assert policy.path and not policy.changed()
    policy.path.write_text(TEXT + "# edited\n")
    assert policy.changed()
    with pytest.raises(PolicyError, match="changed meanwhile"):
        policy.add(DRAFT, None)
    assert policy.path.read_text() == TEXT + "# edited\n"
    policy.load()
    policy.add(DRAFT, None)
    assert "# edited" in policy.path.read_text() and "ls" in policy.path.read_text()
    policy.path.unlink()
    assert policy.changed()
    with pytest.raises(PolicyError, match="cannot be read"):
        policy.add(DRAFT, None)


def test_a_bad_edit_by_hand_keeps_the_old_state(policy: PolicyFile) -> None:
    policy.load()
    assert policy.path
    policy.path.write_text("rules: [")
    with pytest.raises(PolicyError, match=r"^policy.yaml:1:9: not YAML"):
        policy.load()
    assert policy.changed()
    policy.path.write_text(TEXT)
    assert not policy.changed()


def test_a_link_is_followed(policy: PolicyFile, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to("policy.yaml")
    linked = find_policy("link.yaml", {}, tmp_path)
    linked.load()
    linked.add(DRAFT, None)
    assert link.is_symlink() and "ls" in (tmp_path / "policy.yaml").read_text()


def test_a_directory_that_cannot_be_written_is_an_error(policy: PolicyFile, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    policy.load()
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PolicyError, match="cannot be written"):
            policy.add(DRAFT, None)
    finally:
        tmp_path.chmod(0o700)
    assert policy.text() == TEXT


def test_the_built_in_default_becomes_a_file(tmp_path: Path) -> None:
    policy = find_policy(None, {}, tmp_path)
    count = len(policy.load().rules)
    loaded = policy.add(DRAFT, 1)
    assert (policy.path, policy.label) == (tmp_path / "policy.yaml", "policy.yaml")
    assert len(loaded.rules) == count + 1 and loaded.rules[0].targets == ("ls",)
    assert (tmp_path / "policy.yaml").read_text().startswith(default_text()[:200])
    assert os.listdir(tmp_path) == ["policy.yaml"]


def test_the_built_in_default_takes_no_other_files_place(tmp_path: Path) -> None:
    policy = find_policy(None, {}, tmp_path)
    policy.load()
    (tmp_path / "policy.yaml").write_text(TEXT)
    with pytest.raises(PolicyError, match="exists already"):
        policy.add(DRAFT, 1)
    assert (tmp_path / "policy.yaml").read_text() == TEXT
    assert policy.path is None


def test_undo_takes_changes_back_last_first(policy: PolicyFile) -> None:
    policy.load()
    assert policy.path
    policy.add(DRAFT, 1)
    once = policy.path.read_bytes()
    policy.add(Draft(Kind.NET_EGRESS, ("a.org", "b.org"), Decision.DENY), None)
    change, loaded = policy.undo()
    assert change.what == "deny net_egress a.org | b.org"
    assert policy.path.read_bytes() == once and len(loaded.rules) == 2
    assert not policy.changed() and not policy.news()
    policy.undo()
    assert policy.path.read_text() == TEXT and policy.path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(PolicyError, match="no rule was changed in this session"):
        policy.undo()


def test_undo_overwrites_nothing_of_another_writer(policy: PolicyFile) -> None:
    policy.load()
    assert policy.path
    policy.add(DRAFT, 1)
    theirs = policy.path.read_text() + "# theirs\n"
    policy.path.write_text(theirs)
    for _ in range(2):  # as well once it was loaded
        with pytest.raises(PolicyError, match="changed since by somebody else"):
            policy.undo()
        policy.load()
    assert policy.path.read_text() == theirs


def test_undo_leaves_all_as_it_is_when_the_old_text_is_refused(policy: PolicyFile) -> None:
    policy.load()
    loaded = policy.add(DRAFT, 1)

    def check(_: object) -> None:
        raise PolicyError("not here", "policy.yaml")

    with pytest.raises(PolicyError, match="not here"):
        policy.undo(check)
    assert policy.load() == loaded
    policy.undo()


def test_undo_of_the_file_that_was_made_brings_the_built_in_default_back(tmp_path: Path) -> None:
    policy = find_policy(None, {}, tmp_path)
    before = policy.load()
    policy.add(DRAFT, 1)
    _, loaded = policy.undo()
    assert loaded == before and (policy.path, policy.label) == (None, BUILT_IN)
    assert os.listdir(tmp_path) == [] and not policy.changed()
    policy.add(DRAFT, 1)  # and it can be made again
    assert policy.path == tmp_path / "policy.yaml"


EDITS: list[Callable[[PolicyFile], Policy]] = [
    lambda policy: policy.add(DRAFT, 1),
    lambda policy: policy.replace(1, DRAFT),
    lambda policy: policy.delete(2),
    lambda policy: policy.move(1, 2),
    lambda policy: policy.disable(1, True),
    lambda policy: policy.write("default: deny\n"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_each_edit_is_written_and_taken_back(
    policy: PolicyFile, edit: Callable[[PolicyFile], Policy]
) -> None:
    policy.add(Draft(Kind.EXEC, ("id",), Decision.ASK), None)
    assert policy.path
    before = policy.path.read_bytes()
    loaded = edit(policy)
    after = policy.path.read_bytes()
    assert after != before and not policy.changed()
    assert loaded == load_bytes(after, "policy.yaml")
    assert policy.undo()[1] == load_bytes(before, "policy.yaml")
    assert policy.path.read_bytes() == before and not policy.changed()
    assert policy.path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(policy.path.parent) == ["policy.yaml"]


@pytest.mark.parametrize("edit", EDITS)
def test_no_edit_of_a_file_that_was_changed_or_to_what_is_refused(
    policy: PolicyFile, edit: Callable[[PolicyFile], Policy]
) -> None:
    policy.load()
    policy.add(Draft(Kind.EXEC, ("id",), Decision.ASK), None)
    assert policy.path
    text = policy.path.read_text()
    policy.path.write_text(text + "# theirs\n")
    with pytest.raises(PolicyError, match="changed meanwhile"):
        edit(policy)
    assert policy.path.read_text() == text + "# theirs\n"
    policy.path.write_text(text)

    def refuse(loaded: Policy) -> None:
        raise PolicyError("not here", "policy.yaml")

    with pytest.raises(PolicyError, match="not here"):
        policy.write("default: deny\n", refuse)
    assert policy.path.read_text() == text and len(policy.changes) == 1


def test_only_so_many_edits_are_taken_back(policy: PolicyFile) -> None:
    policy.load()
    assert policy.path
    texts = []
    for number in range(UNDO_LIMIT + 2):
        texts.append(policy.path.read_text())
        policy.write(f"default: ask  # {number}\n")
    for text in reversed(texts[2:]):
        policy.undo()
        assert policy.path.read_text() == text
    with pytest.raises(PolicyError, match="no rule was changed"):
        policy.undo()


def test_what_changes_nothing_is_nothing_to_take_back(policy: PolicyFile, tmp_path: Path) -> None:
    policy.load()
    policy.move(1, 1)
    policy.write(TEXT)
    assert policy.changes == []


def test_any_edit_makes_a_copy_of_the_built_in_default(tmp_path: Path) -> None:
    policy = find_policy(None, {}, tmp_path)
    default = policy.load()
    policy.disable(1, True)
    policy.move(1, 2)
    assert (policy.path, policy.label) == (tmp_path / "policy.yaml", "policy.yaml")
    policy.undo()
    assert policy.undo()[1] == default
    assert (policy.path, policy.label, os.listdir(tmp_path)) == (None, BUILT_IN, [])


def test_a_file_that_cannot_be_loaded_can_be_mended(policy: PolicyFile) -> None:
    policy.load()
    assert policy.path
    policy.path.write_text("rules: [")
    with pytest.raises(PolicyError, match="changed meanwhile"):
        policy.write(TEXT)
    with pytest.raises(PolicyError, match="changed meanwhile"):
        policy.write(TEXT, base="rules: [[")
    policy.write(TEXT, base="rules: [")
    assert policy.path.read_text() == TEXT and not policy.changed()
    with pytest.raises(PolicyError, match="not YAML"):  # it was none before, so it is none again
        policy.undo()
    assert policy.path.read_text() == TEXT
