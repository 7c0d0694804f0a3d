"""Which files are secrets, whose they are, and what the rules can say of reading them.

Nothing here exists on disk: a secret is known by its name.
"""

from __future__ import annotations

import os
import posixpath

import pytest
from gate_kit import HOME, PROJECT, decider, process, write
from hypothesis import given
from hypothesis import strategies as st

from agentgate.actions import Action, Decision, GuardName, Kind, Source
from agentgate.gate.guards import GUARDS
from agentgate.gate.secrets import OWNERS, SECRETS, Secrets

SECRET = [
    (f"{HOME}/.ssh/id_ed25519", "read-keys"),
    (f"{HOME}/.ssh/deep/key.pem", "read-keys"),
    (f"{HOME}/.gnupg/private-keys-v1.d/A.key", "read-keys"),
    ("/etc/shadow", "read-keys"),
    ("/etc/ssh/ssh_host_rsa_key", "read-keys"),
    (f"{HOME}/.aws/credentials", "read-cloud"),
    (f"{HOME}/.aws/sso/cache/x.json", "read-cloud"),
    (f"{HOME}/.config/gcloud/application_default_credentials.json", "read-cloud"),
    (f"{HOME}/.azure/msal_token_cache.json", "read-cloud"),
    (f"{HOME}/.kube/config", "read-cloud"),
    (f"{HOME}/.docker/config.json", "read-cloud"),
    (f"{HOME}/.pgpass", "read-cloud"),
    (f"{HOME}/.vault-token", "read-cloud"),
    (f"{HOME}/.git-credentials", "read-forge"),
    (f"{HOME}/.config/git/credentials", "read-forge"),
    (f"{HOME}/.netrc", "read-forge"),
    (f"{HOME}/_netrc", "read-forge"),
    (f"{HOME}/.config/gh/hosts.yml", "read-forge"),
    (f"{HOME}/.npmrc", "read-registry"),
    (f"{HOME}/.pypirc", "read-registry"),
    (f"{HOME}/.cargo/credentials.toml", "read-registry"),
    (f"{HOME}/.cache/huggingface/token", "read-registry"),
    (f"{PROJECT}/.env", "read-env"),
    (f"{PROJECT}/.env.local", "read-env"),
    (f"{PROJECT}/deep/er/.env.production", "read-env"),
    ("/srv/app/.env", "read-env"),
    (f"{PROJECT}/.env.example.local", "read-env"),
    (f"{PROJECT}/.envrc.private", "read-env"),
    (f"{PROJECT}/.dev.vars", "read-env"),
    (f"{PROJECT}/.env\n", "read-env"),
    (f"{HOME}/.mozilla/firefox/x.default/logins.json", "read-browser"),
    (f"{HOME}/.config/google-chrome/Default/Cookies", "read-browser"),
    (f"{HOME}/snap/firefox/common/.mozilla/firefox/x/key4.db", "read-browser"),
    (f"{HOME}/.local/share/keyrings/login.keyring", "read-browser"),
    (f"{HOME}/.password-store/bank.gpg", "read-browser"),
    (f"{PROJECT}/team.kdbx", "read-browser"),
    (f"{HOME}/.claude/.credentials.json", "read-agents"),
    (f"{HOME}/.claude.json", "read-agents"),
    (f"{HOME}/.codex/auth.json", "read-agents"),
    (f"{HOME}/.gemini/oauth_creds.json", "read-agents"),
    (f"{HOME}/.local/share/opencode/auth.json", "read-agents"),
    (f"{HOME}/.bitcoin/wallet.dat", "read-wallets"),
    (f"{HOME}/.config/solana/id.json", "read-wallets"),
    (f"{HOME}/.bash_history", "read-history"),
    (f"{HOME}/.local/share/fish/fish_history", "read-history"),
    (f"{HOME}/.psql_history", "read-history"),
    ("/dev/sda1", "read-devices"),
    ("/dev/nvme0n1p2", "read-devices"),
    ("/dev/mem", "read-devices"),
    ("/dev/pts/7", "read-devices"),
    ("/dev/input/event3", "read-devices"),
    # those of others, should the agent be able to read them
    ("/root/.ssh/id_rsa", "read-keys"),
    ("/home/somebody/.aws/credentials", "read-cloud"),
    ("/home/somebody/snap/firefox/x", "read-browser"),
    (f"{HOME}/.local/state/agentgate/sessions/3f079b67/kept/1", "gate"),
    ("/var/state/agentgate/sessions/3f079b67/journal.jsonl", "gate"),
]
FREE = [
    f"{HOME}/.ssh/known_hosts", f"{HOME}/.ssh/known_hosts.old", f"{HOME}/.ssh/config",
    f"{HOME}/.ssh/id_ed25519.pub", f"{HOME}/.ssh/config.d/work", f"{HOME}/.gnupg/pubring.kbx",
    f"{HOME}/.gnupg/gpg.conf", f"{HOME}/.kube/cache/discovery/x.json", f"{HOME}/.config/git/config",
    f"{HOME}/.gitconfig", f"{HOME}/.config/gh/config.yml", f"{HOME}/.cargo/config.toml",
    f"{HOME}/.cargo/registry/x", f"{HOME}/.claude/settings.json", f"{HOME}/.codex/config.toml",
    f"{HOME}/.docker/cli-plugins/x", f"{HOME}/.bashrc", f"{HOME}/.npm/_cacache/x",
    f"{PROJECT}/.npmrc", f"{PROJECT}/.aws/credentials", f"{PROJECT}/.ssh/id_rsa",
    f"{PROJECT}/.env.example", f"{PROJECT}/.env.sample", f"{PROJECT}/.env.template",
    f"{PROJECT}/.env.local.example", f"{PROJECT}/.envrc", f"{PROJECT}/.env/bin/python",
    f"{PROJECT}/env", f"{PROJECT}/x.env", f"{PROJECT}/src/environment.ts", "/etc/passwd",
    "/etc/ssh/sshd_config",
    "/dev/null", "/dev/urandom", "/dev/tty", "/usr/lib/python3/site.py", "/", HOME, PROJECT,
    f"{HOME}/.envs/a/lib/x.py",
]  # fmt: skip


def secrets(**options: object) -> Secrets:
    return Secrets(home=HOME, **options)  # type: ignore[arg-type]


def read(path: str, *argv: str) -> Action:
    command = argv or ("cat", path)
    return Action(Kind.FS_READ, path, command, PROJECT, (process(100, *command),), "open")


@pytest.mark.parametrize(("path", "name"), SECRET)
def test_a_secret_is_known_by_its_name(path: str, name: str) -> None:
    found = secrets().find(path)
    assert found is not None and found.name == name
    assert os.fsencode(path) in secrets()


@pytest.mark.parametrize("path", FREE)
def test_what_is_none(path: str) -> None:
    assert secrets().find(path) is None
    assert os.fsencode(path) not in secrets()


@given(
    st.text("/.envsharmpu_-\n", max_size=40) | st.sampled_from([path for path, _ in SECRET] + FREE),
    st.text(max_size=5),
)
def test_the_quick_look_and_the_thorough_one_agree(head: str, tail: str) -> None:
    path = f"/{head}{tail}".encode("utf-8", "surrogatepass")
    assert (path in secrets()) == (secrets().find(os.fsdecode(path)) is not None)


@pytest.mark.parametrize("home", ["", "/", "/srv/people/me", "/home/a.b+c"])
def test_any_home(home: str) -> None:
    found = Secrets(home=home)
    assert found.find(f"{home.rstrip('/')}/.aws/credentials") is not None or not home.strip("/")
    assert found.find("/home/x/.aws/credentials")
    assert not found.find("/srv/people/you/.aws/credentials")


@pytest.mark.parametrize("name", sorted({secret.name for secret in SECRETS}))
def test_a_lifted_sort_is_free_and_no_other(name: GuardName) -> None:
    lifted = secrets(lifted=[name])
    for path, sort in SECRET:
        assert (lifted.find(path) is None) == (sort == name), path
        assert (os.fsencode(path) in lifted) == (sort != name), path
    assert not any(secrets(lifted=list(GuardName)).find(path) for path, _ in SECRET)
    assert not secrets(lifted=list(GuardName)).held_by(f"{HOME}/.config")


def test_every_word_of_lift_guards_is_a_guard_or_a_sort_of_secrets() -> None:
    sorts = {secret.name for secret in SECRETS}
    assert GuardName.GATE in sorts  # the gate's own files are guarded, and what it keeps is secret
    assert sorted([*(guard.name for guard in GUARDS), *sorts]) == sorted(GuardName)
    assert {name for _, name in SECRET} == sorts


def test_every_directory_above_a_secret_of_the_home_directory_is_a_holder() -> None:
    found = secrets()
    for path, _ in SECRET:
        if not path.startswith(f"{HOME}/") or path.startswith(PROJECT):
            continue
        above = posixpath.dirname(path)
        while above != "/":
            assert found.held_by(above) or found.find(above), above
            above = posixpath.dirname(above)
    for free in (PROJECT, f"{PROJECT}/src", "/tmp/x", f"{HOME}/work", "/usr/lib"):
        assert not found.held_by(free)


# -- decisions


def test_a_secret_is_asked_about_and_says_what_it_is() -> None:
    for policy in ("default: allow\n", "default: ask\n", "rules: [{decision: allow}]\n"):
        rules = decider(policy)
        ruling = rules.rule(read(f"{HOME}/.aws/credentials"))
        assert (ruling.decision, ruling.source, ruling.guard) == (Decision.ASK, Source.GUARD, "read-cloud")
        assert ruling.why == "guard read-cloud: holds your AWS credentials"
        assert rules.secret(read(f"{HOME}/.aws/credentials")) == "your AWS credentials"


def test_what_is_no_secret_is_free() -> None:
    for policy in (
        "default: deny\n",
        "default: ask\n",
        "rules: [{decision: deny}]\n",
        "rules: [{match: {target_glob: '**'}, decision: ask}]\n",
    ):
        rules = decider(policy)
        assert rules.rule(read("/etc/passwd")).decision is Decision.ALLOW
        assert rules.secret(read("/etc/passwd")) == ""


def test_only_a_rule_that_names_reads_opens_a_secret() -> None:
    named = decider("rules: [{match: {action: fs_read, target_glob: '$PWD/.env*'}, decision: allow}]\n")
    assert named.rule(read(f"{PROJECT}/.env")).source is Source.RULE
    assert named.rule(read(f"{PROJECT}/.env")).decision is Decision.ALLOW
    assert named.rule(read(f"{PROJECT}/sub/.env")).decision is Decision.ASK
    for other in ("fs_write", "exec"):
        written = decider(f"rules: [{{match: {{action: {other}, target_glob: '**'}}, decision: allow}}]\n")
        assert written.rule(read(f"{PROJECT}/.env")).decision is Decision.ASK


def test_a_rule_that_names_reads_closes_anything() -> None:
    rules = decider(
        "rules:\n"
        "- {match: {action: fs_read, target_glob: /srv/private/**}, decision: deny, reason: not yours}\n"
        "- {match: {action: fs_read, target_glob: ~/.aws/**, within: aws *}, decision: allow}\n"
        "- {match: {action: fs_read, target_glob: ~/.npmrc}, decision: ask}\n"
    )
    denied = rules.rule(read("/srv/private/x"))
    assert (denied.decision, denied.why) == (Decision.DENY, "rule 1 (line 2): not yours")
    assert rules.rule(read("/srv/public/x")).decision is Decision.ALLOW
    assert rules.rule(read(f"{HOME}/.aws/config", "aws", "s3")).decision is Decision.ALLOW
    assert rules.rule(read(f"{HOME}/.aws/config", "cat", "x")).decision is Decision.ASK
    assert rules.rule(read(f"{HOME}/.npmrc", "npm", "install")).source is Source.RULE  # its owner too


def test_a_rule_for_any_action_can_close_a_secret() -> None:
    rules = decider("rules: [{match: {target_glob: '~/.ssh/**'}, decision: deny}]\n")
    assert rules.rule(read(f"{HOME}/.ssh/id_rsa", "ssh", "host")).decision is Decision.DENY
    assert decider("default: deny\n").rule(read(f"{HOME}/.aws/config")).decision is Decision.DENY


@pytest.mark.parametrize(
    ("path", "argv", "free"),
    [
        (f"{HOME}/.npmrc", ("npm", "install"), True),
        (f"{HOME}/.npmrc", ("./npm", "install"), False),
        (f"{PROJECT}/x", ("npm",), True),
        (f"{HOME}/.npmrc", (f"{PROJECT}/npm", "install"), False),
        (f"{HOME}/.npmrc", ("/usr/bin/npm", "install"), False),  # by its path: nobody vouches for it
        (f"{HOME}/.npmrc", ("node", "npm"), False),
        (f"{HOME}/.aws/credentials", ("npm", "install"), False),
        (f"{HOME}/.ssh/id_rsa", ("ssh", "host"), True),
        (f"{HOME}/.ssh/id_rsa", ("git", "push"), False),
        (f"{HOME}/.claude/.credentials.json", ("claude",), True),
        (f"{HOME}/.claude/.credentials.json", ("codex",), False),
        (f"{HOME}/.codex/auth.json", ("codex",), True),
        (f"{HOME}/.netrc", ("curl", "-n", "x"), False),
        (f"{HOME}/.bash_history", ("bash",), True),
        (f"{HOME}/.bash_history", ("bash", "-i"), True),
        (f"{HOME}/.bash_history", ("bash", "-c", "cat ~/.bash_history"), False),
        (f"{HOME}/.bash_history", ("bash", "x.sh"), False),
        (f"{PROJECT}/.env", ("node", "x.js"), False),
    ],
)
def test_a_secret_is_free_to_the_program_it_is_for(path: str, argv: tuple[str, ...], free: bool) -> None:
    ruling = decider().rule(read(path, *argv))
    assert (ruling.decision is Decision.ALLOW) == free


def test_what_the_owner_starts_is_not_the_owner() -> None:
    child = Action(
        Kind.FS_READ, f"{HOME}/.npmrc", ("sh", "-c", "x"), PROJECT,
        (process(2, "sh", "-c", "x"), process(1, "npm", "install")), "open",
    )  # fmt: skip
    assert decider().rule(child).decision is Decision.ASK


def test_owners_are_bare_names() -> None:
    assert not any("/" in owner for owner in OWNERS)


def test_enforce_denies_the_reading_of_secrets() -> None:
    strict = decider("default: allow\n", enforce=True)
    ruling = strict.rule(read(f"{PROJECT}/.env"))
    assert (ruling.decision, ruling.source) == (Decision.DENY, Source.ENFORCE)
    assert strict.rule(read("/etc/passwd")).decision is Decision.ALLOW


def test_once_is_for_this_process_and_this_file() -> None:
    rules = decider("default: allow\n")
    rules.grant(read(f"{PROJECT}/.env"))
    assert rules.rule(read(f"{PROJECT}/.env")).source is Source.SESSION
    assert rules.rule(read(f"{PROJECT}/.env.local")).decision is Decision.ASK
    other = Action(Kind.FS_READ, f"{PROJECT}/.env", ("cat",), PROJECT, (process(101, "cat"),), "open")
    assert rules.rule(other).decision is Decision.ASK
    assert rules.rule(write(f"{PROJECT}/.env")).source is Source.DEFAULT
    rules = decider("default: ask\n")
    rules.grant(write(f"{PROJECT}/.env"))
    assert rules.rule(read(f"{PROJECT}/.env")).decision is Decision.ASK  # who may write it may not read it


def test_to_move_what_holds_secrets_is_to_read_them() -> None:
    rules = decider(
        "default: allow\nrules: [{match: {action: fs_read, target_glob: /p/x/*}, decision: deny}]\n"
    )
    for path in (f"{HOME}/.config", HOME, "/home", "/p/x", "/p", f"{HOME}/.aws"):
        moved = rules.rule(read(path)._replace(syscall="rename"))
        assert (moved.decision, moved.source) == (Decision.ASK, Source.GUARD), path
    for path in (f"{PROJECT}/src", "/p/xx", f"{HOME}/work"):
        assert rules.rule(read(path)._replace(syscall="rename")).decision is Decision.ALLOW, path
    assert rules.rule(read(f"{HOME}/.config")).decision is Decision.ALLOW  # to list it
    rules.grant(read(f"{HOME}/.config")._replace(syscall="rename"))
    assert rules.rule(read(f"{HOME}/.config")._replace(syscall="rename")).source is Source.SESSION
