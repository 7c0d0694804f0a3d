"""Real programs, led here by the environment alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import warnings

import pytest
from proxy_tools import SECONDS, Gate, hello, proxying, serving

from agentgate.intercept.proxy import Proxy

CURL = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not installed")


async def run(proxy: Proxy, *command: str, direct: bool = False) -> tuple[int, str, str]:
    """The status, output and errors of a program in the proxy's environment. Our servers are on loopback,
    which the environment leaves direct: unless ``direct``, that exception is taken out."""
    environment = {"PATH": os.environ["PATH"]} | proxy.environment()
    if not direct:
        environment = {name: value for name, value in environment.items() if name.lower() != "no_proxy"}
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), SECONDS * 3)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def test_environment_is_complete_in_both_spellings(gate: Gate) -> None:
    with pytest.raises(RuntimeError):
        Proxy(gate.decide).environment()

    async def started() -> tuple[int, dict[str, str]]:
        proxy = Proxy(gate.decide)
        async with proxying(proxy) as port:
            return port, proxy.environment()

    port, found = asyncio.run(started())
    url, direct = f"http://127.0.0.1:{port}", "localhost,127.0.0.1,::1"
    assert found == {
        "HTTP_PROXY": url,
        "HTTPS_PROXY": url,
        "ALL_PROXY": url,
        "NO_PROXY": direct,
        "http_proxy": url,
        "https_proxy": url,
        "all_proxy": url,
        "no_proxy": direct,
        "NODE_USE_ENV_PROXY": "1",
    }


@needs_curl
async def test_curl_plain(gate: Gate) -> None:
    proxy = Proxy(gate.decide)
    async with serving(hello) as server, proxying(proxy):
        url = f"http://{server.target}/a"
        assert await run(proxy, "curl", "-sS", url, url) == (0, "hello\nhello\n", "")
        assert gate.targets == [server.target] * 2
        gate.deny.add(server.target)
        status, out, _ = await run(proxy, "curl", "-sS", "-w", "%{http_code}", url)
        assert (status, out.splitlines()[-1]) == (0, "403")
        assert out.startswith(f"agentgate: denied net_egress {server.target} (rule 4 (line 20): ")
        assert server.accepted == 2


@needs_curl
async def test_curl_tunnel(gate: Gate) -> None:
    proxy = Proxy(gate.decide)
    async with serving(hello) as server, proxying(proxy):
        url = f"http://{server.target}/a"
        assert await run(proxy, "curl", "-sS", "--proxytunnel", url) == (0, "hello\n", "")
        gate.deny.add(server.target)
        status, out, err = await run(proxy, "curl", "-sS", "--proxytunnel", url)
        assert (status, out) == (56, "")
        assert "403" in err
        assert server.accepted == 1
        assert [action.syscall for action in gate.asked] == ["CONNECT", "CONNECT"]


@needs_curl
async def test_curl_posts_a_file(gate: Gate) -> None:
    """Large enough for ``Expect: 100-continue``."""
    proxy = Proxy(gate.decide)
    async with serving(hello) as server, proxying(proxy):
        status, out, err = await run(
            proxy, "curl", "-sS", "--data-binary", f"@{sys.executable}", f"http://{server.target}/"
        )
        assert (status, out, err) == (0, "hello\n", "")
        with open(sys.executable, "rb") as sent:
            assert server.received[0].partition(b"\r\n\r\n")[2] == sent.read()


@needs_curl
async def test_curl_leaves_and_the_question_is_withdrawn(gate: Gate) -> None:
    proxy = Proxy(gate.decide)
    async with serving(hello) as server, proxying(proxy):
        gate.hold.add(server.target)
        status, _, _ = await run(proxy, "curl", "-sS", "--max-time", "0.5", f"http://{server.target}/")
        assert status == 28
        await asyncio.sleep(0.1)
        assert gate.withdrawn == [server.target]
        assert server.accepted == 0


@needs_curl
async def test_this_machine_is_left_direct(gate: Gate) -> None:
    proxy = Proxy(gate.decide)
    async with serving(hello) as server, proxying(proxy):
        assert (await run(proxy, "curl", "-sS", f"http://{server.target}/", direct=True))[0] == 0
        assert gate.asked == []


async def test_python_plain_and_tunnel(gate: Gate) -> None:
    """http.client speaks HTTP/1.0 to a proxy on CONNECT in some versions."""
    proxy = Proxy(gate.decide)
    code = (
        "import http.client, sys, urllib.request\n"
        "host, port, proxy = sys.argv[1:]\n"
        "print(urllib.request.urlopen(f'http://{host}:{port}/').read())\n"
        "tunnel = http.client.HTTPConnection('127.0.0.1', int(proxy))\n"
        "tunnel.set_tunnel(host, int(port))\n"
        "tunnel.request('GET', '/')\n"
        "print(tunnel.getresponse().read())\n"
    )
    async with serving(hello) as server, proxying(proxy) as port:
        command = (sys.executable, "-I", "-c", code, "127.0.0.1", str(server.port), str(port))
        assert await run(proxy, *command) == (0, "b'hello\\n'\nb'hello\\n'\n", "")
        assert [action.syscall for action in gate.asked] == ["GET", "CONNECT"]
        gate.deny.add(server.target)
        status, _, err = await run(proxy, *command)
        assert status == 1
        assert "HTTP Error 403: Forbidden by AgentGate" in err


async def test_nothing_is_left_behind_in_a_strict_interpreter() -> None:
    """A whole life with held, open and half-read connections, under every warning Python has."""
    code = (
        "import asyncio, sys\n"
        "from agentgate.actions import Answer, Source, Verdict\n"
        "from agentgate.intercept.proxy import Proxy\n"
        "async def decide(action):\n"
        "    if action.target == 'held.example:1':\n"
        "        await asyncio.Event().wait()\n"
        "    return Answer(Verdict.ALLOW, Source.RULE)\n"
        "async def main():\n"
        "    async def echo(reader, writer):\n"
        "        try:\n"
        "            while data := await reader.read(100):\n"
        "                writer.write(data)\n"
        "        except ConnectionResetError:\n"
        "            pass\n"
        "        writer.close()\n"
        "    server = await asyncio.start_server(echo, '127.0.0.1', 0)\n"
        "    target = '127.0.0.1:%d' % server.sockets[0].getsockname()[1]\n"
        "    proxy = Proxy(decide, agent='claude')\n"
        "    port = await proxy.start()\n"
        "    writers = []\n"
        "    for text in ('', 'CONN', 'CONNECT held.example:1 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n',\n"
        "                 'CONNECT %s HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nping' % target):\n"
        "        reader, writer = await asyncio.open_connection('127.0.0.1', port)\n"
        "        writer.write(text.encode())\n"
        "        writers.append(writer)\n"
        "    await reader.readuntil(b'ping')\n"
        "    writers.append((await asyncio.open_connection('127.0.0.1', port))[1])\n"
        "    await proxy.close()\n"
        "    for writer in writers:\n"
        "        writer.transport.abort()\n"
        "    server.close()\n"
        "    await asyncio.sleep(0.1)\n"
        "    left = [task for task in asyncio.all_tasks() if 'proxy' in task.get_name()]\n"
        "    print('left', left)\n"
        "asyncio.run(main(), debug=True)\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-X",
        "dev",
        "-W",
        "error",
        "-c",
        code,
        cwd=os.getcwd(),
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), SECONDS * 3)
    assert (process.returncode, out.decode(), err.decode()) == (0, "left []\n", "")


def test_a_proxy_that_was_never_started_leaves_nothing(gate: Gate) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(Proxy(gate.decide).close())
