"""Targets: one spelling for one host, everything ambiguous refused."""

from __future__ import annotations

import ipaddress
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgate.intercept.proxy.target import BadTarget, parse_absolute, parse_authority


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("example.org:443", "example.org:443"),
        ("EXAMPLE.org:443", "example.org:443"),
        ("example.org.:443", "example.org:443"),
        ("localhost:8080", "localhost:8080"),
        ("a-b.c--d.example:1", "a-b.c--d.example:1"),
        ("xn--bcher-kva.example:443", "xn--bcher-kva.example:443"),
        ("b\u00fccher.example:443", "xn--bcher-kva.example:443"),
        ("B\u00dcCHER.example:443", "xn--bcher-kva.example:443"),
        ("192.0.2.1:80", "192.0.2.1:80"),
        ("192.0.2.1.:80", "192.0.2.1:80"),
        ("[2001:DB8:0:0::1]:443", "[2001:db8::1]:443"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1:443"),
        ("[::ffff:7f00:1]:443", "127.0.0.1:443"),
        ("[::1]:65535", "[::1]:65535"),
        ("1e100.net:443", "1e100.net:443"),
        ("3com.example:443", "3com.example:443"),
    ],
)
def test_one_spelling(text: str, target: str) -> None:
    assert str(parse_authority(text)) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":443",
        "example.org",
        "example.org:",
        "example.org:0",
        "example.org:65536",
        "example.org:99999999999999999999",
        "example.org:+443",
        "example.org:0443",
        "example.org:44 3",
        "example.org:\u0664\u0664\u0663",
        "example.org:443:443",
        "evil.example\x00.allowed.example:443",
        "evil.example%00.allowed.example:443",
        "allowed.example\n:443",
        "allowed.example\t:443",
        " allowed.example:443",
        "allow_ed.example:443",
        "-allowed.example:443",
        "allowed-.example:443",
        "*.example:443",
        "allowed..example:443",
        ".allowed.example:443",
        "allowed.example..:443",
        ".:443",
        "a" * 64 + ".example:443",
        ".".join(["abcdefgh"] * 29) + ":443",
        "user@allowed.example:443",
        "allowed.example@evil.example:443",
        "allowed.example/path:443",
        "allowed.example\\evil.example:443",
        "allowed.example#evil.example:443",
        "2130706433:80",
        "0x7f.1:80",
        "0x7f000001:80",
        "0177.0.0.1:80",
        "127.1:80",
        "127.0.1:80",
        "127.0.0.01:80",
        "127.0.0.256:80",
        "127.0.0.1.1:80",
        "example.0x:80",
        "1:80",
        "\uff11\uff12\uff17.1:80",
        "evil\u3002example:443",
        "\u2100.example:443",
        "\ud800.example:443",
        "\u00fc" * 64 + ".example:443",
        "\u00fc" * 254 + ":443",
        "::1:443",
        "2001:db8::1",
        "[::1]",
        "[::1]443",
        "[::1:443",
        "[fe80::1%eth0]:443",
        "[127.0.0.1]:443",
        "[example.org]:443",
        "[]:443",
        "[::1].example:443",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(BadTarget) as caught:
        parse_authority(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("uri", "target", "rest"),
    [
        ("http://example.org", "example.org:80", ""),
        ("http://example.org/", "example.org:80", "/"),
        ("HTTP://Example.ORG:8080/a?b=c", "example.org:8080", "/a?b=c"),
        ("http://example.org?b=http://x/", "example.org:80", "/?b=http://x/"),
        ("http://[::1]:8080/a@b:c", "[::1]:8080", "/a@b:c"),
        ("http://[::1]/", "[::1]:80", "/"),
    ],
)
def test_absolute(uri: str, target: str, rest: str) -> None:
    found, path = parse_absolute(uri)
    assert (str(found), path) == (target, rest)


@pytest.mark.parametrize(
    "uri",
    [
        "/path",
        "*",
        "example.org:80",
        "//example.org/",
        "http:/example.org/",
        "http:example.org",
        "http://",
        "http:///path",
        "https://example.org/",
        "ftp://example.org/",
        "http://user:password@example.org/",
        "http://allowed.example@evil.example/",
        "http://example.org/#fragment",
        "http://example.org:0/",
        "http://example.org:/",
        "http://evil.example\\.allowed.example/",
        "http://0x7f.1/",
    ],
)
def test_absolute_refused(uri: str) -> None:
    with pytest.raises(BadTarget):
        parse_absolute(uri)


@given(st.text(max_size=80))
def test_any_text_is_refused_or_canonical(text: str) -> None:
    try:
        target = parse_authority(text)
    except BadTarget:
        return
    assert set(str(target)) <= set(string.ascii_lowercase + string.digits + "-.:[]")
    assert parse_authority(str(target)) == target
    assert len(target.host) <= 253
    assert 1 <= target.port <= 65535


@given(st.text("aA0.-xX17:[]@%\x00\u3002\u00fc\u2100", max_size=40), st.integers(1, 65535))
def test_near_misses_are_refused_or_canonical(host: str, port: int) -> None:
    try:
        target = parse_authority(f"{host}:{port}")
    except BadTarget:
        return
    assert parse_authority(str(target)) == target
    if target.host.rpartition(".")[2].isdigit():
        assert target.address is not None


@given(st.ip_addresses(v=4), st.integers(1, 65535))
def test_every_ipv4(address: ipaddress.IPv4Address, port: int) -> None:
    target = parse_authority(f"{address}:{port}")
    assert target.address == address
    assert parse_authority(f"[::ffff:{address}]:{port}") == target


@given(st.ip_addresses(v=6), st.integers(1, 65535))
def test_every_ipv6(address: ipaddress.IPv6Address, port: int) -> None:
    target = parse_authority(f"[{address.exploded.upper()}]:{port}")
    assert target.address == (address.ipv4_mapped or address)
    assert parse_authority(str(target)) == target
