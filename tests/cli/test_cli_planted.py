"""Modules that lie in the project do not become part of the gate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_kit import Terminal, World

import agentgate

# What every Python has loaded before any program of ours begins, by ``-m`` too: whoever puts these on
# PYTHONPATH owns each Python that is started there, ours or not.
_EARLY = "import runpy, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
_PLAIN = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def names(*, early: bool) -> set[str]:
    """Modules that might be imported: all of the library, what we depend on, and the hooks."""
    loaded = subprocess.run([sys.executable, "-c", _EARLY], capture_output=True, text=True, env=_PLAIN).stdout
    found = {name for name in sys.stdlib_module_names if not name.startswith("__")}
    found |= {"yaml", "textual", "rich", "h11", "aiofiles", "pathspec", "idna", "cffi"}
    if early:
        return found | {"sitecustomize", "usercustomize", "agentgate"}
    return found - set(loaded.split())


def plant(folder: Path, marker: Path, *, early: bool) -> None:
    """Modules that say in ``marker`` that they were run."""
    folder.mkdir(exist_ok=True)
    code = f"open({str(marker)!r}, 'a').write(__name__ + '\\n')\nraise ImportError('planted')\n"
    for name in names(early=early):
        (folder / f"{name}.py").write_text(code)
    (folder / "x.pth").write_text(f"import sys; open({str(marker)!r}, 'a').write('pth')\n")


@pytest.fixture
def marker(world: World) -> Path:
    return world.root / "taken"


def control(folder: Path, marker: Path) -> None:
    """A Python that does look there runs them."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import yaml"
    subprocess.run([sys.executable, "-c", code], env=_PLAIN, capture_output=True)
    assert "yaml" in marker.read_text()
    marker.unlink()


def run_all(world: World, program: list[str]) -> None:
    """A session without and one with the room."""

    def done(*words: str) -> None:
        result = subprocess.run(
            [*program, *words], cwd=world.project, env=world.env, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, start_new_session=True, timeout=60,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr

    done(
        "run", "--gate", world.gate, "--", "sh", "-c", "export PYTHONPATH=$PWD LD_PRELOAD=$PWD/x.so; : > made"
    )
    with Terminal(
        world, *program, "tui", "--gate", world.gate, "--", "sh", "-c", "echo; : > made2"
    ) as terminal:
        assert terminal.status() == 0, terminal.text
    assert (world.project / "made").exists() and (world.project / "made2").exists()


def test_the_installed_program_takes_nothing_from_the_project(gated: World, marker: Path) -> None:
    script = Path(sys.prefix, "bin", "agentgate")
    if not script.exists():
        pytest.skip(f"not here: {script}")
    gated.with_policy("default: allow\n")
    plant(gated.project, marker, early=True)
    control(gated.project, marker)
    del gated.env["PYTHONPATH"]
    run_all(gated, [str(script)])
    assert not marker.exists(), marker.read_text()


@pytest.mark.parametrize("entry", ["src", "{project}/src/lib", ":/nonexistent"])
def test_nor_with_a_search_path_that_leads_there(gated: World, marker: Path, entry: str) -> None:
    """``python -m`` puts the current directory first, and PYTHONPATH may name what the agent can write."""
    gated.with_policy("default: allow\n")
    place = entry.format(project=gated.project)
    folder = gated.project / (place if entry != ":/nonexistent" else ".")
    folder.parent.mkdir(exist_ok=True)
    plant(folder, marker, early=False)
    control(folder, marker)
    ours = Path(agentgate.__file__).parent.parent
    gated.env["PYTHONPATH"] = f"{place}:{ours}" if entry != ":/nonexistent" else f":/nonexistent:{ours}"
    run_all(gated, gated.command())
    assert not marker.exists(), marker.read_text()


def test_a_policy_that_is_no_file_is_an_error(world: World) -> None:
    os.mkfifo(world.policy)
    result = world.agentgate("run", "--gate", "shim", "--", "true", timeout=20)
    assert result.returncode == 2 and "policy.yaml: cannot be read: not a regular file" in result.stderr


@pytest.mark.parametrize("what", ["directory", "file"])
def test_a_link_in_the_place_of_the_record_is_refused(world: World, what: str) -> None:
    """Prepared in a clone, it would have the gate write where the link points."""
    world.with_policy("default: allow\n")
    elsewhere = world.root / "elsewhere"
    if what == "directory":
        elsewhere.mkdir()
        world.audit.parent.symlink_to(elsewhere)
    else:
        elsewhere.write_text("mine\n")
        world.audit.parent.mkdir()
        world.audit.symlink_to(elsewhere)
    result = world.agentgate("run", "--gate", "shim", "--", "sh", "-c", ": > made")
    assert result.returncode and "symbolic link" in result.stderr
    assert not (world.project / "made").exists()
    assert elsewhere.read_text() == "mine\n" if what == "file" else not list(elsewhere.iterdir())
