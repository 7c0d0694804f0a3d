"""The egress proxy: connections by name, each decided before it is looked up or dialled.

target, headers, messages, upstream    pure: what is asked for, what is passed on, what is said
wire, departure, dial                  one socket: HTTP events, a client's going, a connection out
greeting, agreement                    the server name in a TLS greeting, and what it must agree with
relay, tunnel, pump                    bytes: a plain request and its response; a tunnel; all tunnels
house                                  what connections share: deciding, dialling, the operator's proxy
exchange, socks                        one client connection, of HTTP and of SOCKS
listener, server                       connections taken, at most so many; the proxy
"""

from agentgate.intercept.proxy.house import Attribute, Decide
from agentgate.intercept.proxy.limits import Limits
from agentgate.intercept.proxy.server import Proxy
from agentgate.intercept.proxy.upstream import BadUpstream, Upstream

__all__ = ["Attribute", "BadUpstream", "Decide", "Limits", "Proxy", "Upstream"]
