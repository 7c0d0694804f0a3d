"""Network patterns: what they match, and above all what they must not."""

import re

import pytest

from agentgate.policy.glob import GlobError
from agentgate.policy.hosts import canonical, compile_host


def lookup(name: str) -> str:
    values = {"HOME": "/home/u", "PROXY": "proxy.example:3128"}
    if name not in values:
        raise GlobError(f"${name} is not set")
    return values[name]


def matches(pattern: str, target: str) -> bool:
    host = compile_host(pattern, lookup)
    target = canonical(target)
    if host.test:
        return host.test(target)
    return re.compile(host.regex, re.DOTALL).fullmatch(target) is not None


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (
            "github.com",
            ["github.com:443", "github.com:22", "GitHub.COM:443", "github.com.:443"],
            [
                "github.com.evil.com:443",
                "evilgithub.com:443",
                "www.github.com:443",
                "github.com",
                "githubxcom:443",
                "udp://github.com:443",
                "listen://github.com:443",
                "unix:/github.com",
                "github.com:443\n",
                "x\ngithub.com:1",
                "evil.com:443/github.com:443",
                "github.com:443.evil.com:443",
                "user@github.com:443",
            ],
        ),
        ("github.com:443", ["github.com:443"], ["github.com:4433", "github.com:44", "github.com:80"]),
        ("GitHub.com.:443", ["github.com:443"], []),
        ("github.com:*", ["github.com:1"], ["github.com.evil.com:1"]),
        (
            ".github.com",
            ["api.github.com:443", "a.b.github.com:1"],
            [
                "github.com:443",
                "evilgithub.com:443",
                "api.github.com.evil.com:443",
                "evil.com\n.github.com:1",
            ],
        ),
        (
            "*.github.com:443",
            ["api.github.com:443", "a.b.github.com:443"],
            ["github.com:443", "api.github.com:80"],
        ),
        (
            "s3.*.amazonaws.com",
            ["s3.eu-west-1.amazonaws.com:443"],
            ["s3.a.b.amazonaws.com:443", "s3..amazonaws.com:443"],
        ),
        ("*", ["github.com:443", "unix:/x", "udp://x:1", "listen://0.0.0.0:1", "[::1]:1"], []),
        ("*:443", ["a.b:443", "[::1]:443", "10.0.0.1:443"], ["a.b:80", "udp://a.b:443", "unix:/x:443"]),
        ("127.0.0.1:*", ["127.0.0.1:8080"], ["127.0.0.1.evil.com:80", "127.0.0.11:80", "1127.0.0.1:80"]),
        (
            "127.0.0.0/8",
            ["127.0.0.1:1", "127.9.9.9:65535", "[::ffff:127.0.0.1]:80"],
            ["128.0.0.1:1", "127.evil.com:1", "udp://127.0.0.1:53", "[::1]:1"],
        ),
        ("10.0.0.0/8:443", ["10.1.2.3:443"], ["10.1.2.3:80"]),
        ("udp://10.0.0.0/8:53", ["udp://10.0.0.1:53"], ["10.0.0.1:53", "udp://11.0.0.1:53"]),
        ("[2001:db8::]/32:443", ["[2001:db8::1]:443"], ["[2001:db9::1]:443", "10.0.0.1:443"]),
        ("[::1]:*", ["[::1]:80"], ["[::11]:80", "[::2]:80"]),
        ("[0:0::1]", ["[::1]:80"], []),
        ("::1", ["[::1]:80"], ["[::2]:80"]),
        ("udp://*", ["udp://8.8.8.8:53", "udp://[::1]:53"], ["8.8.8.8:53", "listen://x:1"]),
        ("udp://8.8.8.8:53", ["udp://8.8.8.8:53"], ["8.8.8.8:53", "udp://8.8.8.8:54"]),
        ("listen://127.0.0.1:*", ["listen://127.0.0.1:8000"], ["127.0.0.1:8000", "listen://0.0.0.0:8000"]),
        (
            "unix:/run/*.sock",
            ["unix:/run/a.sock"],
            ["unix:/run/a/b.sock", "unix:/run/a.socks", "unix:/Run/a.sock"],
        ),
        ("unix:~/.x/**", ["unix:/home/u/.x/a/b"], ["unix:/home/v/.x/a"]),
        ("unix:*", ["unix:/a/b", "unix:@abstract"], ["a:1"]),
        ("unix:@dbus-*", ["unix:@dbus-1"], ["unix:/dbus-1"]),
        ("$PROXY", ["proxy.example:3128"], ["proxy.example:80"]),
        ("bücher.example", ["xn--bcher-kva.example:443"], []),
        ("localhost", ["localhost:3000"], ["localhost.evil.com:1"]),
    ],
)
def test_hosts(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [target for target in yes if not matches(pattern, target)] == []
    assert [target for target in no if matches(pattern, target)] == []


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("https://github.com/x", "github.com:443"),
        ("github.com:https", "port 'https'"),
        ("github.com:99999", "65535"),
        ("github.com/x", "no network"),
        ("10.0.0.1/8", "no network"),
        ("127.*", "10.0.0.0/8"),
        ("git hub", "no host name"),
        ("[::g]:1", "no IP address"),
        ("a..b", "no host name"),
        ("$NOWHERE:1", "$NOWHERE is not set"),
        ("unix:relative/x", "starts with '/'"),
        ("", "no host name"),
    ],
)
def test_a_pattern_that_cannot_work_says_how_to_mend_it(pattern: str, says: str) -> None:
    with pytest.raises(GlobError) as error:
        compile_host(pattern, lookup)
    assert says in str(error.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pattern", ["*a*a*a.com", ".*a*.com", "*.com", "*", "10.0.0.0/8", "[::1]:*"])
def test_hostile_targets_take_bounded_time(pattern: str) -> None:
    for target in (
        "a" * 100_000 + ":443",
        "a." * 50_000 + "com.x:443",
        "[" + ":" * 100_000 + "]:1",
        ":" * 100_000,
    ):
        assert matches(pattern, target) is (pattern == "*")
