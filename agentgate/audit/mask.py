"""Secrets in a command line or an address, masked before they are written to the log.

The screen shows the operator the real object; the log is kept for months, is sent to others, and must not be
the place that a worm reads next. What is masked is what can be told for certain: tokens by the form that
their issuer gave them, passwords by where they stand (``https://user:...@``, ``--password ...``,
``Authorization: ...``, ``API_KEY=...``). A password that stands alone in a command line looks like any other
word, and is written.

The beginning that says what sort of token it was stays: ``npm_***``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

__all__ = ["MASK", "mask", "mask_words"]

MASK = "***"

# Every repetition that can begin anywhere is bounded: the agent chooses what is searched, up to two million
# characters of it, and a search that is quadratic in them would never end.

# Tokens whose issuers publish their form: GitHub ("Behind GitHub's new authentication token formats"),
# npm, PyPI (macaroons begin so), GitLab, Slack, Google, Hugging Face, Stripe, SendGrid, Anthropic, OpenAI.
_TOKENS = (
    r"\b(?:npm_|gh[pousr]_|hf_|gl(?:pat|oas|dt|rt)-|dop_v1_|shp(?:at|ca|pa|ss)_|xox[abeoprs]-|xapp-"
    r"|(?:sk|rk)_(?:live|test)_|whsec_|SG\.|lin_api_|dckr_pat_|rubygems_|tfp_|vercel_)(?=[\w.-]{16})",
    r"\bgithub_pat_(?=\w{22})",
    r"\bpypi-(?=[\w-]{32})",
    r"\bsk-(?:ant-|proj-|svcacct-|admin-|or-)?(?=[\w-]{20})(?=[\w-]{0,24}\d)",
    r"\bAIza(?=[\w-]{30})",
    r"\b(?:AKIA|ASIA|ABIA|ACCA)(?=[A-Z0-9]{16}\b)",  # an access key's name; the secret goes by its variable
    r"\beyJ(?=[\w-]{8,120}\.eyJ[\w-]{8,512}\.)",  # a JSON Web Token, RFC 7519
)
_NAME = (  # of a variable, an option, a header or a query's parameter that holds one
    r"[\w.-]{0,64}(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|account[_-]?key|credentials?|signature|auth[_-]?key|_auth|client[_-]?secret)"
)
_PATTERNS = (
    # scheme://user:password@host and scheme://token@host, RFC 3986, 3.2.1
    (re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://)([^/?#\s@:\"']*):([^/?#\s@]*)(?=@)", re.I), rf"\1\2:{MASK}"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://)(?!git@)([^/?#\s@:\"']{20,})(?=@)", re.I), rf"\1{MASK}"),
    (re.compile("(" + "|".join(_TOKENS) + r")[\w.=/+-]+"), rf"\1{MASK}"),
    # Authorization: Bearer xyz (RFC 9110, 11.6.2); X-Api-Key: xyz
    (
        re.compile(
            r"((?:proxy-)?authorization\s{0,4}[:=]\s{0,4}(?:(?:bearer|basic|token|digest|apikey)\s+)?)[^\s\"']+",
            re.I,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(rf"((?<![\w/.-]){_NAME}\s?[:=]\s?[\"']?)(?![\"']|\$)[^\s\"'&;,]+", re.I), rf"\1{MASK}"),
    (re.compile(rf"(?<![\w.-])(--?{_NAME}[ ])(?![-$])[^\s\"']+", re.I), rf"\1{MASK}"),
    (
        re.compile(r"((?:^|\s)(?:-u|--user|--proxy-user)[ =]?(?!\d+:\d+(?:\s|$))[\w.@-]+:)[^\s\"']+"),
        rf"\1{MASK}",
    ),
)
# One of these every one of those needs: most of what is written has none, and is not searched any further.
_HINTS = (
    *"passw passphrase secret token key credential signature auth @ npm_ ghp_ gho_ ghu_ ghs_ ghr_".split(),
    *"github_pat_ glpat- gloas- gldt- glrt- hf_ dop_v1_ shpat_ shpca_ shppa_ shpss_ xox xapp- sk_".split(),
    *"rk_ whsec_ sg. lin_api_ dckr_pat_ rubygems_ tfp_ vercel_ pypi- sk- aiza akia asia abia acca".split(),
    *("eyj", " -u", " --user", " --proxy-user"),
)
_OPTION = re.compile(rf"--?{_NAME}|-u|--user|--proxy-user", re.I)


def mask(text: str) -> str:
    """``text``, a command line or an address, with every secret in it masked; itself when there is none."""
    if not _hinted(text):
        return text
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _hinted(text: str) -> bool:
    return any(map(text.lower().__contains__, _HINTS))


def mask_words(words: Iterable[str]) -> list[str]:
    """The same for a list of arguments, where an option and its value are two of them."""
    words = list(words)
    if not _hinted(f" {' '.join(words)}"):  # a hundred thousand words are looked through at once
        return words
    masked: list[str] = []
    hides: Callable[[str], str] | None = None
    for word in words:
        masked.append(hides(word) if hides else mask(word))
        hides = None
        if len(word) < 64 and word.startswith("-") and _OPTION.fullmatch(word):
            hides = _user if word in ("-u", "--user", "--proxy-user") else _value
    return masked


def _value(word: str) -> str:
    return mask(word) if word.startswith(("-", "$")) else MASK


def _user(word: str) -> str:
    """``user:password`` (curl(1)); ``-u`` is also many other things, whose values have no colon."""
    name, colon, password = word.partition(":")
    ids = name.isdecimal() and password.isdecimal()  # docker run -u 1000:1000
    return f"{name}:{MASK}" if colon and password and not ids else mask(word)
