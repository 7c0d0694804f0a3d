"""Capabilities (capabilities(7)) that an agent run as root does not get.

The warden acts with root's rights on every call it allows; what is dropped here are the rights that would
reach around it: raw devices and memory, modules, mounts, other processes, raw network, file handles.
Changing the user is among them because the warden acts as the user it runs as.
"""

from __future__ import annotations

from typing import Final

from agentgate.intercept.kernel import libc

__all__ = ["KEPT", "WARDEN", "drop", "none"]

_CHOWN, _DAC_OVERRIDE, _FOWNER, _FSETID, _KILL, _NET_BIND_SERVICE, _SETPCAP = 0, 1, 3, 4, 5, 10, 8
_SETGID, _SETUID, _SETFCAP, _SYS_PTRACE = 6, 7, 31, 19
KEPT: Final = frozenset({_CHOWN, _DAC_OVERRIDE, _FOWNER, _FSETID, _KILL, _NET_BIND_SERVICE})
# The warden does what the agent may, with what that takes, writes the maps of the agent's own user
# namespaces (user_namespaces(7)), and looks at processes to tell where a path through them ends; nothing
# else, so no terminal that is kept from others opens for it.
WARDEN: Final = KEPT | {_SETGID, _SETUID, _SETFCAP, _SYS_PTRACE}

_PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _CLEAR_ALL = 23, 24, 47, 4


def drop(kept: frozenset[int] = KEPT) -> None:
    """Keep only ``kept`` in every set of this thread, for ever (with no_new_privs). For root only."""
    for capability in range(64):
        try:
            if libc.prctl(_PR_CAPBSET_READ, capability) and capability not in kept:
                libc.prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            break  # past the last capability this kernel knows
    libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL)
    mask = sum(1 << capability for capability in kept)
    libc.capset(mask, mask)


def none() -> None:
    """Keep none, for a helper that has made what it needed them for."""
    libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL)
    libc.capset(0, 0)
