"""Names for programs that know no proxy, without a lookup leaving the machine before it is decided.

pool, machine, messages    pure: addresses that stand for names; this machine's own names; DNS messages
resolvers                  the operator's name servers, for what was decided
server                     the forwarder: answers on port 53 of the session's network, and over TCP
service                    the forwarder, the relay and the pool of one session

A lookup of a host's address is answered with one out of a pool (RFC 2544's, which no host has); what is
decided, and looked up, is the connection to it. A name that does not exist therefore "resolves", and fails
when it is connected to.
"""
