"""Where a client's process cannot be told, the session's secret tells its programs from all others."""

from __future__ import annotations

import base64
import shutil
import sys

import pytest
from proxy_tools import Gate, ask, client, hello, proxying, serving
from test_proxy_programs import needs_curl, run

from agentgate.intercept.proxy import Proxy

SECRET = "0123456789abcdef"


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("given", [
    "", basic(f"agentgate:{SECRET[:-1]}0"), basic("agentgate:"), basic(f":{SECRET}"), basic(f"root:{SECRET}"),
    f"Bearer {SECRET}", f"Basic {SECRET}", "Basic", "Basic \u00ff", basic(f"agentgate:{SECRET} "),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["CONNECT", "GET"])
async def test_a_stranger_is_neither_asked_about_nor_connected(gate: Gate, kind: str, given: str) -> None:
    async with serving(hello) as server, proxying(Proxy(gate.decide, secret=SECRET)) as port:
        target = server.target if kind == "CONNECT" else f"http://{server.target}/"
        head = f"{kind} {target} HTTP/1.1\r\nHost: {server.target}\r\n"
        head += f"Proxy-Authorization: {given}\r\n" if given else ""
        answer = await ask(port, (head + "\r\n").encode("latin-1"))
        assert answer.startswith(b"HTTP/1.1 407 ") and b'Proxy-Authenticate: Basic realm="' in answer
        assert gate.asked == [] and server.accepted == 0


async def test_two_credentials_are_none(gate: Gate) -> None:
    async with proxying(Proxy(gate.decide, secret=SECRET)) as port:
        header = f"Proxy-Authorization: {basic('agentgate:' + SECRET)}\r\n"
        answer = await ask(port, f"CONNECT a.example:1 HTTP/1.1\r\nHost: x\r\n{header}{header}\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 407 ") and gate.asked == []


async def test_each_request_needs_it_and_no_server_sees_it(gate: Gate) -> None:
    async with serving(hello) as server, proxying(Proxy(gate.decide, secret=SECRET)) as port:
        head = f"GET http://{server.target}/ HTTP/1.1\r\nHost: {server.target}\r\n"
        authorization = f"Proxy-Authorization: {basic('agentgate:' + SECRET)}\r\n"
        async with client(port) as connection:
            await connection.send(f"{head}{authorization}\r\n{head}\r\n".encode())
            assert (await connection.response())[1] == b"hello\n"
            assert (await connection.head()).startswith(b"HTTP/1.1 407 ")
        assert len(gate.asked) == server.accepted == 1
        assert b"roxy-" not in server.received[0]


@needs_curl
async def test_curl_takes_it_from_its_environment(gate: Gate) -> None:
    proxy = Proxy(gate.decide, secret=SECRET)
    async with serving(hello) as server, proxying(proxy):
        for more in ((), ("--proxytunnel",)):
            assert (await run(proxy, "curl", "-sS", *more, f"http://{server.target}/"))[:2] == (0, "hello\n")


async def test_python_takes_it_from_its_environment(gate: Gate) -> None:
    proxy = Proxy(gate.decide, secret=SECRET)
    code = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read())"
    async with serving(hello) as server, proxying(proxy):
        status, out, err = await run(proxy, sys.executable, "-c", code, f"http://{server.target}/")
        assert (status, out) == (0, "b'hello\\n'\n"), err


@pytest.mark.parametrize("program", ["wget", "git", "npm"])
async def test_other_programs_take_it_from_their_environment(gate: Gate, program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"not here: {program}")
    proxy = Proxy(gate.decide, secret=SECRET)
    async with serving(hello) as server, proxying(proxy):
        url = f"http://{server.target}/"
        command = {
            "wget": ("wget", "-q", "-O", "-", url),
            "git": ("git", "ls-remote", url),
            "npm": ("npm", "view", "--fetch-retries=0", f"--registry={url}", "chalk"),
        }[program]
        await run(proxy, *command)
        assert gate.targets[:1] == [server.target] and server.accepted
