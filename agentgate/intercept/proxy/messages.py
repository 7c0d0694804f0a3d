"""What the proxy itself says to a client. Pure: status, reason, one line of text.

Every answer of the proxy carries ``X-AgentGate``, so that it is never taken for the answer of the server:
``denied`` (policy or a person), ``refused`` (the request is not acceptable), ``failed`` (allowed, but the
other side could not be reached).
"""

from __future__ import annotations

from dataclasses import dataclass

from agentgate.actions import Answer
from agentgate.escape import printable
from agentgate.intercept.proxy.target import Target

__all__ = [
    "ESTABLISHED",
    "Reply",
    "busy",
    "denied",
    "failed",
    "rebound",
    "refused",
    "stranger",
    "timed_out",
    "undecided",
    "unknown",
]

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Reply:
    """One response made here. ``text`` is one printable line without its newline."""

    status: int
    reason: str
    mark: str
    text: str

    @property
    def body(self) -> bytes:
        return f"agentgate: {self.text}\n".encode()

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(self.body))),
            ("X-AgentGate", self.mark),
            *([("Proxy-Authenticate", 'Basic realm="AgentGate"')] if self.status == 407 else []),
        ]

    def encode(self) -> bytes:
        """The whole response, for a connection that is closed after it."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in [*self.headers, ("Connection", "close")]]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + self.body


def _forbidden(text: str) -> Reply:
    # Many clients show a refused CONNECT by its status and reason alone: the reason says who refused.
    return Reply(403, "Forbidden by AgentGate", "denied", text)


def denied(target: Target, answer: Answer) -> Reply:
    """Policy or the operator said no; the rule or the note is told to the agent."""
    return _forbidden(f"denied net_egress {target} ({printable(answer.why, 2000)})")


def undecided(target: Target) -> Reply:
    """The gate failed to decide, which is a no."""
    return _forbidden(f"denied net_egress {target} (the gate could not decide)")


def stranger() -> Reply:
    """The client is not one of this session's processes."""
    return _forbidden("not a process of this session")


def unknown() -> Reply:
    """The client does not know the session's secret, which is in the proxy's address of its environment."""
    text = "the user and password in HTTP_PROXY are needed: this proxy serves one session's programs only"
    return Reply(407, "Proxy Authentication Required", "refused", text)


def rebound(target: Target, address: str) -> Reply:
    """An allowed name turned out to stand for an address of this machine or its link."""
    return _forbidden(
        f"denied net_egress {target}: the name resolves to {address}, an address of this machine or its "
        "link; only localhost may (ask for the address itself)"
    )


def refused(text: str, status: int = 400) -> Reply:
    """The request is malformed or ambiguous; nothing was decided."""
    reason = {
        400: "Bad Request",
        408: "Request Timeout",
        431: "Request Header Fields Too Large",
        505: "HTTP Version Not Supported",
    }.get(status, "Bad Request")
    return Reply(status, reason, "refused", f"request refused: {printable(text, 400)}")


def failed(target: Target, why: str) -> Reply:
    """Allowed, but the other side cannot be reached or does not speak HTTP."""
    return Reply(502, "Bad Gateway", "failed", f"cannot reach {target}: {printable(why, 400)}")


def timed_out(target: Target, why: str) -> Reply:
    """Allowed, but the other side did not answer in time."""
    return Reply(504, "Gateway Timeout", "failed", f"cannot reach {target}: {printable(why, 400)}")


def busy(limit: int) -> Reply:
    """There are as many connections as the proxy serves at once."""
    return Reply(503, "Service Unavailable", "refused", f"more than {limit} connections at once")
