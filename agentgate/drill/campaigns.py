"""What the campaigns did, as data: who, when, and the steps that harm.

After the public analyses of each; ``policy-samples/supply-chain.yaml`` says it at more length. A step is left
out where it cannot be done without traffic to other machines (the cloud's metadata service).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CAMPAIGNS", "Campaign", "Step", "Verb"]

Verb = Literal["read", "write", "append", "fetch", "send", "wipe", "agent", "forge", "publish"]


@dataclass(frozen=True, slots=True)
class Step:
    """``path`` is below the home (``~/``) or the project; empty for what is not about a file. ``what`` says
    it in a few words, for the report."""

    verb: Verb
    what: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Campaign:
    """``name`` is what it is called on the command line. ``gyp``: it runs from a binding.gyp."""

    name: str
    title: str
    steps: tuple[Step, ...]
    gyp: bool = False


def _reads(*what: tuple[str, str]) -> tuple[Step, ...]:
    return tuple(Step("read", f"reads {path} ({words})", path) for path, words in what)


CAMPAIGNS: tuple[Campaign, ...] = (
    Campaign(
        "s1ngularity",
        "Nx s1ngularity, August 2025",
        (
            *_reads(
                ("~/.ssh/id_ed25519", "an SSH key"),
                ("~/.npmrc", "the npm token"),
                (".env", "the project's keys"),
            ),
            Step(
                "agent",
                "has claude, its questions switched off, look for wallets",
                "~/.electrum/wallets/default",
            ),
            Step("forge", "puts what it found into a new public repository (gh)"),
            Step("append", "has ~/.bashrc shut the machine down", "~/.bashrc"),
        ),
    ),
    Campaign(
        "shai-hulud-2",
        "Shai-Hulud 2.0, November 2025",
        (
            Step("fetch", "fetches a runtime with curl, and runs it"),
            *_reads(
                ("~/.aws/credentials", "AWS keys"),
                ("~/.config/gcloud/application_default_credentials.json", "Google Cloud keys"),
            ),
            Step("write", "registers the machine as a runner (~/.dev-env)", "~/.dev-env/config.sh"),
            Step("write", "adds a workflow to the project", ".github/workflows/discussion.yaml"),
            Step("send", "sends what it found"),
            Step("wipe", "deletes the home directory's documents", "~/Documents"),
        ),
    ),
    Campaign(
        "litellm",
        "LiteLLM, March 2026",
        (
            Step(
                "write",
                "puts a .pth file where every Python start runs it",
                ".venv/lib/python3.11/site-packages/litellm_init.pth",
            ),
            *_reads(("~/.kube/config", "cluster keys"), ("~/.git-credentials", "git passwords")),
            Step("write", "leaves a back door in ~/.config/sysmon", "~/.config/sysmon/sysmon.py"),
            Step("write", "has systemd start it", "~/.config/systemd/user/sysmon.service"),
            Step("send", "sends what it found"),
        ),
    ),
    Campaign(
        "axios",
        "axios and plain-crypto-js, March 2026",
        (
            Step("fetch", "fetches a program with curl into a temporary directory, and runs it"),
            *_reads(("~/.bash_history", "what was typed")),
            Step("send", "reports to its command server"),
        ),
    ),
    Campaign(
        "mini-shai-hulud",
        "Mini Shai-Hulud, April and May 2026",
        (
            *_reads(
                ("~/.config/gh/hosts.yml", "the GitHub token"),
                ("~/.codex/auth.json", "an agent's credentials"),
            ),
            Step("write", "has every later claude session run it", ".claude/settings.json"),
            Step("write", "has the editor run it when the folder is opened", ".vscode/tasks.json"),
            Step("write", "has systemd watch the token", "~/.config/systemd/user/gh-token-monitor.service"),
            Step("publish", "publishes itself to the registry"),
            Step("send", "sends what it found"),
            Step("wipe", "deletes the home directory's documents", "~/Documents"),
        ),
    ),
    Campaign(
        "miasma",
        "Miasma's binding.gyp, June 2026",
        (
            *_reads(("~/.ssh/id_ed25519", "an SSH key")),
            Step("write", "adds a workflow to the project", ".github/workflows/release.yml"),
            Step("write", "adds a tool server for coding agents", ".mcp.json"),
            Step("send", "sends what it found"),
        ),
        gyp=True,
    ),
    Campaign(
        "nx-console",
        "Nx Console 18.95, May 2026",
        (
            *_reads(("~/.config/github-copilot/apps.json", "the editor's token")),
            Step("write", "leaves a back door in ~/.local/share/kitty", "~/.local/share/kitty/cat.py"),
            Step("write", "adds a workflow to the project", ".github/workflows/codeql.yml"),
            Step("send", "asks its command server what to do"),
        ),
    ),
)
