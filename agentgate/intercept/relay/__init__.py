"""The relay: where connections to a name go that came without the proxy.

greeting    pure: the server name in a TLS ClientHello
listen      one connection: reads the greeting while the server may already speak
server      takes the connection, looks the name up, dials, and carries bytes
"""
