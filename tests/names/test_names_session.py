"""Names in a session, as programs meet them: what is reached, what is looked up, what is refused."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest
from harness import World, allow, deny
from names_kit import POLICY, looked_up, program, serving

NODE_NET = """
const net = require('net');
const s = net.connect(+process.argv[2], process.argv[1], () => s.write('you'));
s.on('data', d => { console.log(JSON.stringify(d.toString())); s.destroy(); });
s.on('error', e => { console.log(JSON.stringify(e.code)); });
"""
NODE_FETCH = """
fetch(`http://${process.argv[1]}:${process.argv[2]}/`)
  .then(r => r.text()).then(t => console.log(JSON.stringify(t)))
  .catch(e => console.log(JSON.stringify((e.cause || e).code || String(e))));
"""
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\npage"


@pytest.mark.parametrize("way", ["talk", "later", "mapped", "proxied"])
def test_an_allowed_name_is_reached(world: World, way: str) -> None:
    with serving("127.0.0.2") as server:
        result = world.run(*program(world, way, "allowed.test", server.port), policy=POLICY)
        assert result.json == "hello you" and server.seen == [b"you"]
        assert looked_up(result.notices) == ["allowed.test"]
        [record] = [r for r in result.records if r["action"] == "net_egress"]
        assert record["target"] == f"allowed.test:{server.port}" and record["verdict"] == "allow"
        assert record["chain"][0]["argv"][-2] == "allowed.test"


@pytest.mark.parametrize("way", ["talk", "later", "mapped", "proxied"])
def test_a_denied_name_is_not_looked_up(world: World, way: str) -> None:
    with serving("127.0.0.3") as server:
        result = world.run(*program(world, way, "denied.test", server.port), policy=POLICY)
        assert "hello" not in result.json and server.seen == []
        assert looked_up(result.notices) == []
        [record] = [r for r in result.records if r["action"] == "net_egress"]
        assert record["target"] == f"denied.test:{server.port}" and record["verdict"] == "deny"
        if way != "proxied":
            assert f"agentgate: denied net_egress denied.test:{server.port}" in result.err


def test_a_name_is_asked_by_name(world: World) -> None:
    with serving("127.0.0.2") as server:
        command = program(world, "talk", "allowed.test", server.port)
        refused = world.run(*command, operator=deny)
        assert refused.targets == [f"net_egress allowed.test:{server.port}"]
        assert refused.json == "EACCES" and looked_up(refused.notices) == [] and server.seen == []
        allowed = world.run(*command, operator=allow)
        assert allowed.json == "hello you" and server.seen == [b"you"]


def test_curl_without_the_proxy(world: World) -> None:
    curl = shutil.which("curl", path=world.environment()["PATH"])
    if not curl:
        pytest.skip("not here: curl")
    with serving("127.0.0.2", answer=PAGE) as near, serving("127.0.0.3", answer=PAGE) as far:
        command = (curl, "-sS", "--noproxy", "*", "--max-time", "15")
        reached = world.run(*command, f"http://allowed.test:{near.port}/", policy=POLICY)
        assert reached.out == "page" and near.seen[0].startswith(b"GET / ")
        refused = world.run(*command, f"http://denied.test:{far.port}/", policy=POLICY)
        assert refused.status == 7 and far.seen == [] and looked_up(refused.notices) == []


@pytest.mark.parametrize(("script", "says"), [(NODE_NET, "hello you"), (NODE_FETCH, "page")])
def test_node_without_the_proxy(world: World, script: str, says: str) -> None:
    node = shutil.which("node", path=world.environment()["PATH"])
    if not node:
        pytest.skip("not here: node")
    answer = PAGE if script == NODE_FETCH else b""
    env = {"NODE_USE_ENV_PROXY": ""}
    with serving("127.0.0.2", answer=answer) as near, serving("127.0.0.3", answer=answer) as far:
        command = (node, "-e", script)
        reached = world.run(*command, "allowed.test", near.port, policy=POLICY, env=env)
        assert reached.json == says
        refused = world.run(*command, "denied.test", far.port, policy=POLICY, env=env)
        assert refused.json == "EACCES" and far.seen == [] and looked_up(refused.notices) == []


def test_go_without_the_proxy(world: World) -> None:
    if not shutil.which("go"):
        pytest.skip("not here: go, whose resolver reads resolv.conf itself")
    source = world.file(
        world.project / "main.go",
        'package main\nimport ("fmt";"net";"os")\nfunc main() {\n'
        'c, err := net.Dial("tcp", os.Args[1])\nif err != nil { fmt.Println(err); return }\n'
        'c.Write([]byte("you")); b := make([]byte, 100); n, _ := c.Read(b)\n'
        'fmt.Printf("%q\\n", b[:n]) }\n',
    )
    built = world.bare("go", "build", "-o", "main", source, seconds=90, env={"CGO_ENABLED": "0"})
    assert built.status == 0, built.err
    with serving("127.0.0.2") as server:
        result = world.run(world.project / "main", f"allowed.test:{server.port}", policy=POLICY)
        assert result.json == "hello you"


def test_getent_knows_every_name(world: World) -> None:
    getent = shutil.which("getent", path=world.environment()["PATH"])
    if not getent:
        pytest.skip("not here: getent")
    result = world.run(getent, "hosts", "denied.test", policy=POLICY)
    assert result.status == 0 and result.out.split()[1:] == ["denied.test"]
    assert result.out.startswith("198.18.") and looked_up(result.notices) == []
    assert world.run(getent, "hosts", "localhost", policy=POLICY).out.split()[0] in ("127.0.0.1", "::1")


def test_this_machine_s_own_names_are_told_truthfully(world: World) -> None:
    for name in ("localhost", "deep.localhost", socket.gethostname()):
        found = world.run(*program(world, "resolved", name), policy=POLICY).json
        assert not [address for address in found if address.startswith("198.18.")], (name, found)


def test_the_name_stands_behind_its_address(world: World) -> None:
    assert world.run(*program(world, "reverse", "denied.test"), policy=POLICY).json == "denied.test"


def test_a_name_that_does_not_exist_fails_when_it_is_connected_to(world: World) -> None:
    result = world.run(*program(world, "talk", "nowhere.test", 80), policy=POLICY)
    assert result.json in ("ECONNRESET", "EPIPE", "") and looked_up(result.notices) == ["nowhere.test"]
    assert "cannot reach nowhere.test:80: no address: Name or service not known" in result.notices


def test_an_allowed_name_cannot_mean_this_machine(world: World) -> None:
    with serving("127.0.0.1") as server:
        result = world.run(*program(world, "talk", "rebound.test", server.port), policy=POLICY)
        assert "hello" not in result.json and server.seen == []
        refused = [r for r in result.records if r["verdict"] == "deny"]
        assert [r["target"] for r in refused] == [f"rebound.test:{server.port}"]
        assert "resolves to 127.0.0.1" in refused[0]["reason"] and refused[0]["gate"] == "relay"


def test_addresses_that_stand_for_nothing_are_unreachable(world: World) -> None:
    result = world.run(*program(world, "talk", "198.18.77.77", 80), operator=allow)
    assert result.json == "EHOSTUNREACH" and result.asks == []


def test_without_a_network_no_name_is_reached(world: World) -> None:
    with serving("127.0.0.2") as server:
        command = program(world, "talk", "allowed.test", server.port)
        result = world.run(*command, policy=POLICY, network=False)
        assert result.json == "EACCES" and server.seen == [] and looked_up(result.notices) == []


def _https(address: str) -> object:
    if os.geteuid() != 0:
        pytest.skip("not here: a server on port 443, for root only")
    try:
        return serving(address, 443)
    except OSError as error:
        pytest.skip(f"not here: a server on port 443 ({error})")


@pytest.mark.parametrize("way", ["greeting", "halves"])
def test_the_tls_greeting_must_agree(world: World, way: str) -> None:
    with _https("127.0.0.2") as server:  # type: ignore[attr-defined]
        fine = world.run(*program(world, way, "allowed.test", 443, "allowed.test"), policy=POLICY)
        assert fine.json.startswith("hello ") and len(server.seen[0]) > 50
        server.seen.clear()
        wrong = world.run(*program(world, way, "allowed.test", 443, "denied.test"), policy=POLICY)
        assert "hello" not in wrong.json and not any(server.seen)
        [refused] = [r for r in wrong.records if r["verdict"] == "deny"]
        assert refused["target"] == "allowed.test:443" and "denied.test" in refused["reason"]


def test_the_tls_greeting_must_agree_on_any_port(world: World) -> None:
    with serving("127.0.0.2") as server:
        fine = world.run(
            *program(world, "greeting", "allowed.test", server.port, "ALLOWED.test"), policy=POLICY
        )
        assert fine.json.startswith("hello ") and len(server.seen[0]) > 50
        server.seen.clear()
        wrong = program(world, "greeting", "allowed.test", server.port, "denied.test")
        result = world.run(*wrong, policy=POLICY)
        assert "hello" not in result.json and not any(server.seen)
        [refused] = [r for r in result.records if r["verdict"] == "deny"]
        assert refused["target"] == f"allowed.test:{server.port}" and "denied.test" in refused["reason"]


def test_what_is_not_tls_passes_port_443(world: World) -> None:
    with _https("127.0.0.2"):  # type: ignore[attr-defined]
        assert world.run(*program(world, "talk", "allowed.test", 443), policy=POLICY).json == "hello you"
    with serving("127.0.0.2", 443, greets=b"welcome"):
        assert world.run(*program(world, "listens", "allowed.test", 443), policy=POLICY).json == "welcome"


def test_much_goes_through_the_relay(world: World) -> None:
    code = (
        "import socket,sys;s=socket.create_connection(('allowed.test',int(sys.argv[1])));s.sendall(b'x');"
        "n=0\nwhile d:=s.recv(1<<16): n+=len(d)\nprint(n)"
    )
    with serving("127.0.0.2", answer=bytes(30_000_000)) as server:
        result = world.run(sys.executable, "-c", code, server.port, policy=POLICY)
        assert result.json == 30_000_000


def test_the_agent_stays_when_its_project_has_a_dns_module(world: World) -> None:
    """dnspython is imported while the session runs: nothing of the project may stand in for it."""
    world.file(Path(world.project) / "dns.py", "raise SystemExit(9)")
    with serving("127.0.0.2") as server:
        result = world.run(*program(world, "talk", "allowed.test", server.port), policy=POLICY)
        assert result.json == "hello you"


def test_the_operator_s_own_proxy_is_used(world: World) -> None:
    answer = b"HTTP/1.1 200 Fine\r\n\r\nhello from behind"
    with serving("127.0.0.1", answer=answer) as proxy, serving("127.0.0.2") as server:
        result = world.run(
            *program(world, "listens", "allowed.test", server.port), policy=POLICY,
            env={"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"},
        )  # fmt: skip
        assert result.json == "hello from behind" and server.seen == []
        assert proxy.seen[0].startswith(f"CONNECT allowed.test:{server.port} HTTP/1.1\r\n".encode())
        assert looked_up(result.notices) == []  # that proxy looks it up
