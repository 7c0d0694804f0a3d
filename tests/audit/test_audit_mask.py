"""What the log must not hold: the forms that real tokens have, and the places where passwords stand."""

from __future__ import annotations

import random
import string

import pytest

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.audit.lines import Lines
from agentgate.audit.mask import mask, mask_words
from agentgate.audit.read import parse
from agentgate.audit.record import Record

_RANDOM = random.Random(7)


def some(count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RANDOM.choices(alphabet, k=count))


# Made up, in the form that the issuer gives them, so that no scanner takes them for leaked ones.
TOKENS = {
    "npm": "npm_" + some(36),
    "github classic": "ghp_" + some(36),
    "github app": "ghs_" + some(36),
    "github fine-grained": "github_pat_" + some(22) + "_" + some(59),
    "gitlab": "glpat-" + some(20),
    "pypi": "pypi-AgEIcHlwaS5vcmc" + some(150, string.ascii_letters + string.digits + "-_"),
    "anthropic": "sk-ant-api03-" + some(93, string.ascii_letters + string.digits + "-_") + "AA",
    "openai project": "sk-proj-" + some(74, string.ascii_letters + string.digits + "-_"),
    "openai": "sk-" + some(48),
    "aws key id": "AKIA" + some(16, string.ascii_uppercase + string.digits),
    "google": "AIza" + some(35),
    "slack": "xoxb-" + some(12, string.digits) + "-" + some(24),
    "hugging face": "hf_" + some(34),
    "stripe": "sk_live_" + some(24),
    "json web token": "eyJ" + some(33) + ".eyJ" + some(60) + "." + some(43),
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "curl -H X-Thing:{} https://example.com",
        "https://example.com/path?x={}&y=1",
        "git clone https://{}@github.com/o/r",
        "git clone https://x-access-token:{}@github.com/o/r",
        "npm config set //registry.example.com/:_authToken={}",
        "echo '{}' > file",
        'bash -c "export T={}; run"',
    ],
)
def test_tokens_are_known_by_their_form(token: str, line: str) -> None:
    masked = mask(line.format(token))
    assert token not in masked
    assert token[-12:] not in masked
    assert "***" in masked
    head, tail = line.split("{}")
    assert masked.startswith(head[:12])
    assert masked.endswith(tail)


SECRET = "hunter2-Zq9"


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        (f"curl https://me:{SECRET}@example.com/x", "curl https://me:***@example.com/x"),
        (f"psql postgresql://app:{SECRET}@db.local:5432/app", "psql postgresql://app:***@db.local:5432/app"),
        (
            f"curl -H Authorization: Bearer {SECRET} https://e.com",
            "curl -H Authorization: Bearer *** https://e.com",
        ),
        (f"curl -H 'Authorization: Basic {SECRET}' e.com", "curl -H 'Authorization: Basic ***' e.com"),
        (f"curl -H authorization:token {SECRET}", "curl -H authorization:token ***"),
        (f"curl -H 'X-Api-Key: {SECRET}' e.com", "curl -H 'X-Api-Key: ***' e.com"),
        (f"mysql --password={SECRET} db", "mysql --password=*** db"),
        (f"twine upload --password {SECRET} dist/x", "twine upload --password *** dist/x"),
        (f"vault login -token {SECRET}", "vault login -token ***"),
        (f"env AWS_SECRET_ACCESS_KEY={SECRET} aws s3 ls", "env AWS_SECRET_ACCESS_KEY=*** aws s3 ls"),
        (f"sh -c GITHUB_TOKEN='{SECRET}' run", "sh -c GITHUB_TOKEN='***' run"),
        (f"curl https://e.com/?api_key={SECRET}&page=2", "curl https://e.com/?api_key=***&page=2"),
        (f"curl https://e.com/?access_token={SECRET}", "curl https://e.com/?access_token=***"),
        (f"curl -u me:{SECRET} https://e.com", "curl -u me:*** https://e.com"),
        (f"curl --user me:{SECRET} https://e.com", "curl --user me:*** https://e.com"),
        (f"npm login --_auth={SECRET}", "npm login --_auth=***"),
        (f"az login --client-secret {SECRET}", "az login --client-secret ***"),
    ],
)
def test_passwords_are_known_by_where_they_stand(line: str, masked: str) -> None:
    assert mask(line) == masked


ORDINARY = [
    "npm install chalk",
    "npm token list",
    "git clone git@github.com:o/r.git",
    "git clone ssh://git@github.com/o/r",
    "node scripts/tokenize.js --tokens 12 src/token.py",
    "/home/me/project/src/auth/token_store.py",
    "/home/me/project/node_modules/jsonwebtoken/index.js",
    "registry.npmjs.org:443",
    "unix:/run/user/1000/keyring/ssh",
    "python -m pytest -k token --maxfail=1",
    "ssh-keygen -t ed25519 -f key",
    "docker run -u 1000:1000",
    "tar -C / -xf a.tar",
    "grep -rn password src",
    "echo $API_KEY",
    "mysql --password",
    "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    "pip install sk-learn-contrib-package-name",
]


@pytest.mark.parametrize("line", ORDINARY)
def test_ordinary_lines_stay(line: str) -> None:
    assert mask(line) == line
    assert mask_words(line.split(" ")) == line.split(" ")


def test_an_option_and_its_value_are_two_words() -> None:
    assert mask_words(["twine", "--password", SECRET, "-u", f"me:{SECRET}"]) == [
        "twine", "--password", "***", "-u", "me:***",
    ]  # fmt: skip
    assert mask_words(["x", "--token", "--verbose", "--api-key", "$KEY"]) == [
        "x", "--token", "--verbose", "--api-key", "$KEY",
    ]  # fmt: skip
    assert mask_words(["curl", "-H", f"Authorization: Bearer {SECRET}"]) == [
        "curl", "-H", "Authorization: Bearer ***",
    ]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "part",
    ["a.", "eyJ-", "sk-", "token", "token-", "://a", "a://x:", "authorization ", " -u a", "npm_", "=:"],
)
def test_a_line_made_to_be_slow_is_not(part: str) -> None:
    """As long as an argument list can be. Quadratic searching would take days."""
    mask("token " + part * ((2 << 20) // len(part)))


def test_what_is_written_is_masked_and_what_is_shown_is_not() -> None:
    token = TOKENS["npm"]
    chain = (
        Process(7, ("npm", "config", "set", f"//r/:_authToken={token}")),
        Process(6, ("sh", "-c", token)),
    )
    action = Action(Kind.EXEC, f"npm x {token}", ("npm", "x", token), "/", chain, intent=f"runs {token}")
    action = action._replace(origin=f"https://{token}@x")
    ruling = Ruling(Decision.ALLOW, Source.DEFAULT)
    record = Record(1.0, action, ruling, Answer(Verdict.ALLOW, Source.DEFAULT, ruling), 0, "kernel")
    line = Lines("5e55", "sh").line(record, 1)
    assert token.encode() not in line
    entry = parse(line)
    assert entry is not None
    assert entry.record.action.argv == ("npm", "x", "npm_***")
    assert entry.record.action.chain[0].argv[3] == "//r/:_authToken=***"
    assert record.action.argv[2] == token
