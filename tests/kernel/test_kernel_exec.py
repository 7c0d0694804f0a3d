"""Programs: run in every way there is, each is asked about by what it really is, and does not run unasked."""

from __future__ import annotations

import glob
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest
from harness import SYSTEM_PATH, Ask, World, allow, deny, wait

# commands are asked about, files of the project are not
POLICY = """\
default: ask
rules:
  - match: {action: fs_write, target_glob: "$PWD/**"}
    decision: allow
"""
WAYS = [
    "execve", "relative", "no environment", "claims to be ls", "claims to be nothing", "dirfd", "empty path",
    "at path", "proc fd", "fexecve", "posix_spawn", "vfork", "fork", "from a thread", "clone3", "double fork",
    "dev fd", "proc fd that only names", "proc dirfd", "no PATH", "an emptied PATH",
]  # fmt: skip
X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="not here: an x86-64 machine")


def system_touch() -> str:
    return os.path.realpath(shutil.which("touch") or "/usr/bin/touch")


@pytest.mark.parametrize("way", [*WAYS, "memfd", "memfd by proc", "loader"])
def test_a_system_program_is_asked_by_its_name(world: World, way: str) -> None:
    program, marker = system_touch(), world.project / "made"
    assert world.bare(*world.python("runs", way, program, "made")).status == 0
    assert marker.exists()
    marker.unlink()

    refused = world.run(*world.python("runs", way, program, "made"), policy=POLICY, operator=deny)
    [ask] = refused.asks
    argument = marker if way in ("relative", "an emptied PATH") else "made"
    name = {"memfd": "/memfd:copy (deleted)", "memfd by proc": "/memfd:copy (deleted)"}.get(way, "touch")
    if way == "loader":
        assert ask.target.endswith(f" {program} made") and ask.target.startswith("ld-linux")
    else:
        assert ask.target == f"{name} {argument}"
    assert refused.status in (126, 1) and not marker.exists()
    assert "agentgate: denied exec" in refused.err and "Permission denied" in refused.err

    allowed = world.run(*world.python("runs", way, program, "made"), policy=POLICY, operator=allow)
    assert (allowed.status, len(allowed.asks)) == (0, 1), allowed
    assert marker.exists()


@pytest.mark.parametrize("kind", ["dynamic", "static", "no libc"])
def test_a_program_of_the_project_is_asked_by_its_path(worlds: World, gcc: str, kind: str) -> None:
    if kind == "no libc" and platform.machine() != "x86_64":
        pytest.skip("not here: an x86-64 machine")
    flags = {"dynamic": (), "static": ("-static",), "no libc": ("-static", "-nostdlib")}[kind]
    program = worlds.compiled("bare_touch" if kind == "no libc" else "touch", *flags)
    lookalike = worlds.give(program.rename(worlds.project / "npm"))

    def answer(ask: Ask) -> str:
        return "deny" if str(lookalike) == ask.argv[0] else "allow"

    for command in ([lookalike, "made"], ["/usr/bin/env", "-i", lookalike, "made"], ["./npm", "made"]):
        shell = ["sh", "-c", 'PATH=; exec "$@"', "sh", *command]
        result = worlds.run(*shell, policy=POLICY, operator=answer)
        assert result.targets[-1] == f"exec {lookalike} made"
        assert result.status == 126 and not (worlds.project / "made").exists()
    assert worlds.run(lookalike, "made", policy=POLICY, operator=deny).status == 0  # the session's command
    assert (worlds.project / "made").exists()


def test_a_command_without_an_environment(world: World) -> None:
    """``env -i`` is a command, and what it runs is one more."""
    marker, command = world.project / "made", ("sh", "-c", "env -i touch made; echo $?")
    assert world.bare(*command).out == "0\n" and marker.exists()
    marker.unlink()
    policy = POLICY + '  - match: {action: exec, target_glob: "env *"}\n    decision: allow\n'
    result = world.run(*command, policy=policy, operator=deny)
    assert result.targets == ["exec touch made"] and result.out == "126\n" and not marker.exists()


def test_a_renamed_program_goes_by_its_path(worlds: World) -> None:
    """A copy of a system program, under an innocent name or its own, is a program of the project."""
    for name in ("ls", "npm", "touch"):
        copy = worlds.give(Path(shutil.copy(system_touch(), worlds.project / name)))
        for spelled in (f"./{name}", copy, f"{worlds.project}/../project/{name}"):
            command = ("sh", "-c", f"{spelled} made; true")
            result = worlds.run(*command, policy=POLICY, operator=deny)
            assert result.targets == [f"exec {copy} made"] and not (worlds.project / "made").exists()
            worlds.bare(*command)
            (worlds.project / "made").unlink()  # the control made it
        path = {"PATH": f"{worlds.project}:{SYSTEM_PATH}"}
        result = worlds.run("sh", "-c", f"{name} made; true", policy=POLICY, operator=deny, env=path)
        assert result.targets[0] == f"exec {copy} made"


def test_a_static_program_is_held_in_what_it_does(worlds: World, gcc: str) -> None:
    program, target = worlds.compiled("touch", "-static"), worlds.outside / "made"
    assert worlds.bare(program, target).status == 0 and target.exists()
    target.unlink()
    result = worlds.run(program, target, operator=deny)
    assert result.targets == [f"fs_write {target}"]
    assert result.status == 1 and not target.exists()


def test_a_link_in_the_project_does_not_lend_its_name(world: World) -> None:
    """A link of the project's to a system program is the project's: it can point elsewhere any time."""
    (world.project / "ls").symlink_to(system_touch())
    result = world.run("sh", "-c", "./ls made", policy=POLICY, operator=deny)
    assert result.targets == [f"exec {world.project}/ls made"]


def test_what_does_not_exist_is_not_asked(world: World) -> None:
    script = "nosuchprogram; /nosuch/program; ./nosuch; . /dev/null; true"
    result = world.run("sh", "-c", script, policy=POLICY, operator=deny, env={"PATH": "/a:/b:/usr/bin:/bin"})
    assert (result.status, result.targets) == (0, [])
    assert "nosuchprogram: not found" in result.err


def test_what_cannot_run_is_not_asked(world: World) -> None:
    world.file(world.project / "data", "x", 0o644)
    result = world.run("sh", "-c", f"./data; {world.project}; true", policy=POLICY, operator=deny)
    assert result.targets == [] and result.err.count("ermission denied") == 2


def test_path_search_asks_once(world: World) -> None:
    """Every directory of PATH is tried, one question comes of it."""
    script = "import subprocess; subprocess.run(['touch', 'made'])"
    result = world.run(
        sys.executable, "-c", script, policy=POLICY, operator=allow,
        env={"PATH": f"{world.home}:/nosuch:{os.environ['PATH']}"},
    )  # fmt: skip
    assert result.targets == ["exec touch made"]


def test_a_denied_command_says_why(worlds: World) -> None:
    rules = (
        POLICY
        + """\
  - match: {action: exec, target_glob: "touch *"}
    decision: deny
    reason: "no touching here"
"""
    )
    result = worlds.run("sh", "-c", "touch made; echo status $?", policy=rules)
    assert "touch: Permission denied" in result.err and "status 126" in result.out
    assert "agentgate: denied exec touch made (rule 2 (line 5): no touching here)" in result.err
    assert result.asks == [] and result.records[-1]["verdict"] == "deny"


def test_a_script_is_one_question(worlds: World) -> None:
    """The kernel runs ``env python3 tool``, and env goes on to python: the command that was approved."""
    script = f"#!/usr/bin/env python3\nimport sys\nopen({str(worlds.project)!r} + '/made', 'w')\n"
    tool = worlds.file(worlds.project / "tool", script, 0o755)
    result = worlds.run("sh", "-c", f"{tool} one two; true", policy=POLICY, operator=allow)
    assert result.targets == [f"exec {tool} one two"]
    assert (worlds.project / "made").exists()


# name: the first line; the denied command; what the agent is told. "script" is a script that is run by touch.
INTERPRETERS = {
    "by env": ("/usr/bin/env touch", "touch *", "denied exec touch ./innocent (rule 1 (line 3))"),
    "by env with options": (
        "/usr/bin/env -S touch -m",
        "touch -m *",
        "denied exec touch -m ./innocent",
    ),
    "itself": ("{touch}", "touch *", "denied exec {project}/innocent (rule 1 (line 3): it runs touch)"),
    "with an argument": ("{touch} -m", "touch -m ./innocent", "(rule 1 (line 3): it runs touch)"),
    "by its path": ("{project}/mine", "{project}/mine *", "(rule 1 (line 3): it runs {project}/mine)"),
    "by a script": ("{project}/script", "touch {project}/script *", "(rule 1 (line 3): it runs touch)"),
    "by env and a script": ("/usr/bin/env {project}/script", "touch *", "it runs touch)"),
}


@pytest.mark.parametrize("way", INTERPRETERS)
def test_a_rule_about_a_scripts_interpreter_holds(worlds: World, way: str) -> None:
    def spell(text: str) -> str:
        return text.format(touch=system_touch(), project=worlds.project)

    line, glob, told = map(spell, INTERPRETERS[way])
    worlds.file(worlds.project / "script", f"#!{system_touch()}\n", 0o755)
    worlds.give(Path(shutil.copy(system_touch(), worlds.project / "mine")))
    script = worlds.file(worlds.project / "innocent", f"#!{line}\n", 0o755)
    os.utime(script, (5, 5))
    forbids = (
        f'default: allow\nrules:\n  - match: {{action: exec, target_glob: "{glob}"}}\n    decision: deny\n'
    )
    refused = worlds.run("sh", "-c", "./innocent; echo $?", policy=forbids)
    assert told in refused.err and refused.out == "126\n"
    assert script.stat().st_mtime == 5
    allowed = worlds.run("sh", "-c", "./innocent; echo $?", policy=forbids.replace("deny", "ask"))
    assert (allowed.out, allowed.asks) == ("0\n", [])  # no second question, and the control
    assert script.stat().st_mtime != 5


LOADERS = {
    "plainly": "{ld} {touch} made",
    "with options": "{ld} --inhibit-cache --library-path /nosuch:/lib --argv0 ls {touch} made",
    "from a script": "./script made",
    "beside it": "cd {bin}; {ld} ./touch {project}/made",
}


@pytest.mark.parametrize("way", LOADERS)
def test_a_rule_about_what_the_loader_runs_holds(worlds: World, way: str) -> None:
    """``ld.so touch`` maps touch into memory; there is no execve of it to be held."""
    found = glob.glob("/lib64/ld-linux-*.so.2") + glob.glob("/lib/ld-linux-*.so.1")
    if not found:
        pytest.skip("not here: glibc's loader by its usual name")
    touch = system_touch()
    worlds.file(worlds.project / "script", f"#!{found[0]} {touch}\n", 0o755)
    command = LOADERS[way].format(
        ld=found[0], touch=touch, bin=os.path.dirname(touch), project=worlds.project
    )
    script, made = ("sh", "-c", f"{command}; echo $?"), worlds.project / "made"
    forbids = (
        'default: allow\nrules:\n  - match: {action: exec, target_glob: "touch *"}\n    decision: deny\n'
    )
    refused = worlds.run(*script, policy=forbids)
    assert "agentgate: denied exec" in refused.err and "(rule 1 (line 3): it runs touch)" in refused.err
    assert refused.out == "126\n" and not made.exists()
    assert worlds.run(*script, policy=forbids.replace("deny", "ask")).out == "0\n" and made.exists()


def test_a_default_says_nothing_of_an_interpreter(world: World) -> None:
    """``default: deny`` is for what nobody thought of; the script was thought of."""
    world.file(world.project / "tool", f"#!{system_touch()}\n", 0o755)
    policy = (
        'default: deny\nrules:\n  - match: {action: exec, target_glob: "*/tool"}\n    decision: allow\n'
        '  - match: {action: fs_write, target_glob: "$PWD/**"}\n    decision: allow\n'
    )
    assert world.run("sh", "-c", "./tool; echo $?", policy=policy).out == "0\n"


def test_a_rule_for_one_file_takes_only_that_ones_name(world: World) -> None:
    """Where the agent may write one program of a directory of tools, that one goes by its path, the others
    by their names: in whatever order they are first run."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:  # what lies in /tmp goes by its path anyway
        tools = Path(folder).resolve()
        for name in ("mine", "tool", "within"):
            shutil.copy(system_touch(), tools / name)
        rule = "  - match: {action: fs_write, target_glob: %s}\n    decision: allow\n"
        policy = POLICY + rule % f'"{tools}/mine"' + rule % f'"{tools}/within", within: "npm *"'
        for order in ("mine tool within", "tool within mine"):
            script = f"for program in {order}; do $program made; done; true"
            env = {"PATH": f"{tools}:{SYSTEM_PATH}"}
            result = world.run("sh", "-c", script, policy=policy, operator=deny, env=env)
            names = {"mine": tools / "mine", "tool": "tool", "within": tools / "within"}
            assert result.targets == [f"exec {names[name]} made" for name in order.split()]


def test_npm_is_one_question(world: World) -> None:
    npm = shutil.which("npm", path=SYSTEM_PATH)
    if not npm or b"env node" not in Path(npm).read_bytes()[:64]:
        pytest.skip("not here: npm as a script of env")
    result = world.run("sh", "-c", "npm --version; true", policy=POLICY, operator=allow)
    assert result.targets[0] == "exec npm --version"
    assert not [target for target in result.targets if "env" in target or "node" in target]
    assert result.out.strip() == world.bare("npm", "--version").out.strip()


def test_a_script_does_not_cover_what_it_runs(world: World) -> None:
    tool = world.file(world.project / "tool", "#!/usr/bin/env sh\ntouch made\nsh tool2\n", 0o755)
    world.file(world.project / "tool2", "exec env sh tool\n")

    def answer(ask: Ask) -> str:
        return "allow" if ask.target == f"{tool}" else "deny"

    result = world.run("sh", "-c", "./tool; true", policy=POLICY, operator=answer)
    assert result.targets == [f"exec {tool}", "exec touch made", "exec sh tool2"]


def test_a_script_without_a_first_line(world: World) -> None:
    world.file(world.project / "plain", "echo ran > made\n", 0o755)
    result = world.run("bash", "-c", "./plain one", policy=POLICY, operator=allow)
    assert (world.project / "made").exists() and result.status == 0
    assert result.targets == [f"exec {world.project}/plain one"]


@pytest.mark.parametrize("what", ["word", "path"])
@pytest.mark.parametrize("kind", ["dynamic", "no libc"])
@X86
def test_arguments_swapped_by_a_thread(worlds: World, gcc: str, what: str, kind: str) -> None:
    """Approved is ``touch good``; while the question waits a thread writes something else over it. What then
    runs is ended before it has done anything."""
    swap = worlds.compiled("swap")
    bare = ("bare_touch", "-static", "-nostdlib")
    touch = worlds.compiled(*(("touch",) if kind == "dynamic" else bare))
    evil = worlds.give(Path(shutil.copy(touch, worlds.project / "evil")))
    instead = "bad" if what == "word" else str(evil)
    bad = worlds.project / ("bad" if what == "word" else "good")
    (worlds.project / "go").unlink(missing_ok=True)
    with worlds.start("sh", "-c", f"{swap} {what} {touch} good {instead}; echo status $?", operator=wait,
                      policy=POLICY) as run:  # fmt: skip
        run.answer(run.asked("exec *swap*"), "allow")
        ask = run.asked(f"exec {touch} good")
        worlds.file(worlds.project / "go")
        run.serve(0.2)
        run.answer(ask, "allow")
        result = run.finish()
    assert not bad.exists()
    assert "status 137" in result.out
    [record] = [r for r in result.records if r["source"] == "gate"]
    assert record["verdict"] == "deny" and "the process was killed" in record["reason"]
    assert record["target"].endswith(f" {instead}" if what == "word" else f"{touch} good") or what == "path"

    # and without a swap it runs
    (worlds.project / "go").unlink()
    with worlds.start(swap, what, touch, "good", instead, operator=allow, policy=POLICY) as run:
        assert run.finish().status == 0
    assert (worlds.project / "good").exists()


def test_a_swap_for_a_file_that_is_no_program(worlds: World, gcc: str) -> None:
    """Of a file that the kernel cannot run nothing is known; that must not mean that anything may run."""
    swap, touch = worlds.compiled("swap"), worlds.compiled("touch")
    junk = worlds.file(worlds.project / "junk", "no program\n", 0o755)
    (worlds.project / "go").unlink(missing_ok=True)
    with worlds.start("sh", "-c", f"{swap} path {junk} made {touch}; echo status $?", operator=wait,
                      policy=POLICY) as run:  # fmt: skip
        run.answer(run.asked("exec *swap*"), "allow")
        ask = run.asked(f"exec {junk} made")
        worlds.file(worlds.project / "go")
        run.serve(0.2)
        run.answer(ask, "allow")
        result = run.finish()
    assert not (worlds.project / "made").exists()
    assert "status 137" in result.out


@pytest.mark.parametrize("who", ["thread", "leader"])
def test_a_program_that_runs_itself_cannot_hide_a_swap(worlds: World, gcc: str, who: str) -> None:
    program, touch = worlds.compiled("selfswap"), worlds.compiled("touch")
    made = worlds.project / "evil-was-here"
    evil = worlds.file(worlds.project / "evil", f"#!{touch} {made}\n", 0o755)
    for _ in range(5):
        (worlds.project / "go").unlink(missing_ok=True)
        with worlds.start("sh", "-c", f"{program} {who} {evil}; echo status $?", operator=wait,
                          policy=POLICY) as run:  # fmt: skip
            run.answer(run.asked("exec *"), "allow")
            run.until(lambda run=run: len(run.asks) == 2, "the second question")
            worlds.file(worlds.project / "go")
            run.serve(0.1)
            run.answer(run.asks[1], "allow")
            result = run.finish()
        assert not made.exists()
        assert "status 137" in result.out
        assert [r for r in result.records if "the process was killed" in r["reason"]]


@pytest.mark.parametrize("how", ["written over", "renamed over", "link changed"])
def test_a_program_replaced_while_it_is_asked_about(worlds: World, gcc: str, how: str) -> None:
    program = worlds.compiled("touch", "-static")
    other = worlds.file(worlds.project / "other", "#!/bin/sh\necho evil > made\n", 0o755)
    name = program
    if how == "link changed":
        name = worlds.project / "link"
        name.symlink_to(program)
    with worlds.start("sh", "-c", f"{name} made; true", operator=wait, policy=POLICY) as run:
        ask = run.asked(f"exec {name} made")
        match how:
            case "written over":
                program.write_bytes(other.read_bytes())
            case "renamed over":
                os.rename(other, program)
            case _:
                name.unlink()
                name.symlink_to(other)
        run.answer(ask, "allow")
        deadline = time.monotonic() + 10
        while run.status is None and len(run.asks) == 1 and time.monotonic() < deadline:
            run.serve(0.05)
        for again in run.asks[1:]:
            run.answer(again, "deny")
        run.finish()
    assert not (worlds.project / "made").exists()


@X86
@pytest.mark.parametrize("way", ["i386", "x32"])
def test_calls_of_other_abis_do_not_exist(worlds: World, gcc: str, way: str) -> None:
    program, made = worlds.compiled("foreign"), worlds.project / "made"
    control = worlds.bare(program, way, made)
    if way == "i386":
        if control.status:
            pytest.skip("not here: 32-bit system calls in this kernel")
        assert made.exists()
        made.unlink()
    result = worlds.run(program, way, made, operator=allow)
    assert result.out.strip() == "-38" and not made.exists()  # ENOSYS


def test_two_threads_run_programs_at_once(world: World, gcc: str) -> None:
    """Only one of the two wins; whichever it is was approved, so it is not taken for a swap."""
    program = world.compiled("twoexec")
    for turn in range(4):
        with world.start(program, policy=POLICY, operator=wait) as run:
            run.until(lambda run=run: len(run.asks) == 2, "two questions")
            for ask in run.asks[:: -1 if turn % 2 else 1]:
                run.answer(ask, "allow")
            result = run.finish()
        assert result.status == 0 and result.out in ("ran a\n", "ran b\n"), result


def test_a_program_that_may_be_run_but_not_read(worlds: World, gcc: str) -> None:
    """Mode 0711: nobody but root may look into what the kernel then runs, so nothing of it is let through."""
    program = worlds.compiled("touch")
    program.chmod(0o711)
    if worlds.worker.uid is not None:
        os.chown(program, 0, 0)
    result = worlds.run("sh", "-c", f"{program} made; echo status $?", policy=POLICY, operator=allow)
    hidden = worlds.uid != program.stat().st_uid
    assert f"status {int(hidden)}" in result.out
    assert (worlds.project / "made").exists() is not hidden


def test_a_deny_is_not_asked_again_for_another_name(world: World) -> None:
    """/usr/bin/touch and /bin/touch are one program; the search of PATH goes on after a refusal."""
    result = world.run("sh", "-c", "touch made", policy=POLICY, operator=deny)
    assert result.targets == ["exec touch made"] and result.status == 126
    script = "import subprocess; subprocess.run(['touch', 'made'])"
    result = world.run(sys.executable, "-c", script, policy=POLICY, operator=deny)
    assert result.targets == ["exec touch made"]
    # asked anew when it is tried anew
    result = world.run("sh", "-c", "touch made; touch made", policy=POLICY, operator=deny)
    assert result.targets == ["exec touch made"] * 2
