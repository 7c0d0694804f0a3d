"""The facts, found by a process of its own: for the control room, whose loop must not wait and whose
threads must not be forked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import replace

from agentgate.doctor.facts import Facts
from agentgate.doctor.surroundings import terminal_of

__all__ = ["examine", "main"]

# Exactly the modules that run here; nothing from the working directory or the environment.
_BOOT = (
    "import json,sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from agentgate.doctor.remote import main; sys.exit(main())"
)
_PATIENCE = 120.0  # seconds; each probe has less time than that


async def examine() -> Facts:
    """Run every probe. Raises OSError with one line when there is no result. Ended when it is cancelled."""
    path = [entry for entry in sys.path if os.path.isabs(entry)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", _BOOT, json.dumps(path), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, start_new_session=True, cwd="/",
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
        facts = Facts.from_json(json.loads(said))
    except TimeoutError:
        raise OSError(0, f"the probes did not come to an end within {_PATIENCE:g} s") from None
    except (ValueError, KeyError, TypeError):
        raise OSError(0, f"the process that runs the probes ended with status {process.returncode}") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    return replace(facts, terminal=terminal_of(os.environ, True))


def main() -> int:
    from agentgate.doctor.collect import collect

    sys.stdout.write(json.dumps(collect().to_json()))
    return 0
