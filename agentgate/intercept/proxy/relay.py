"""One plain-HTTP request and its response, streamed between client and server as they come.

The request's body and the response run at the same time: a server may answer before it has read all, and a
client that expects ``100 Continue`` sends its body only after the server's word.
"""

from __future__ import annotations

import asyncio

import h11

from agentgate.intercept.proxy import headers
from agentgate.intercept.proxy.wire import Wire

__all__ = ["ClientFault", "ServerFault", "relay"]


class ClientFault(Exception):
    """The client broke its request off, or broke the protocol in its body, or takes no more."""


class ServerFault(Exception):
    """The server did not give a whole, well-formed response. The message says what happened."""


async def relay(client: Wire, server: Wire, request: h11.Request) -> bool:
    """Send ``request`` (made by ``headers.onward``) with the body that ``client`` is sending, and bring the
    response back. True when the server switched protocols (101): both wires have left HTTP then.

    Raises ClientFault, ServerFault. Both sockets stay open.
    """
    try:
        await server.send(request)
    except OSError as error:
        raise ServerFault(f"connection lost: {error.strerror or error}") from None
    upload = asyncio.create_task(_upload(client, server), name="proxy upload")
    download = asyncio.create_task(_download(client, server), name="proxy download")
    try:
        await asyncio.wait({upload, download}, return_when=asyncio.FIRST_COMPLETED)
        if upload.done() and not download.done():
            upload.result()  # a client at fault ends it; else the response is still to come
        return await download
    finally:
        upload.cancel()
        download.cancel()
        await asyncio.gather(upload, download, return_exceptions=True)


async def _upload(client: Wire, server: Wire) -> None:
    listening = True  # a server that has answered early may stop reading; its answer still counts
    while True:
        try:
            event = await client.receive()
        except (h11.RemoteProtocolError, OSError) as error:
            raise ClientFault(str(error)) from None
        if not isinstance(event, h11.Data | h11.EndOfMessage):
            return
        if listening:
            try:
                # Trailers end here: nobody asked for them, TE is not passed on (RFC 9110 6.5.1).
                await server.send(event if isinstance(event, h11.Data) else h11.EndOfMessage())
            except OSError:
                listening = False
        if isinstance(event, h11.EndOfMessage):
            return
        await asyncio.sleep(0)  # sockets that are always ready must not keep the loop to themselves


async def _download(client: Wire, server: Wire) -> bool:
    while True:
        event = await _from_server(server)
        if isinstance(event, h11.InformationalResponse):
            if event.status_code == 101:
                await _to_client(client, _informational(event))
                return True
            if client.state.their_http_version == b"1.1":
                await _to_client(client, _informational(event))
        elif isinstance(event, h11.Response):
            response = h11.Response(
                status_code=event.status_code, reason=event.reason, headers=headers.returned(event)
            )
            await _to_client(client, response)
        elif isinstance(event, h11.Data):
            await _to_client(client, event)
            await asyncio.sleep(0)
        elif isinstance(event, h11.EndOfMessage):
            await _to_client(client, h11.EndOfMessage())
            return False
        else:
            raise ServerFault("the server closed the connection without a response")


def _informational(event: h11.InformationalResponse) -> h11.InformationalResponse:
    return h11.InformationalResponse(
        status_code=event.status_code, reason=event.reason, headers=headers.returned(event)
    )


async def _from_server(server: Wire) -> object:
    try:
        return await server.receive()
    except h11.RemoteProtocolError as error:
        raise ServerFault(f"not a whole HTTP response: {error}") from None
    except OSError as error:
        raise ServerFault(f"connection lost: {error.strerror or error}") from None


async def _to_client(client: Wire, event: h11.Event) -> None:
    try:
        await client.send(event)
    except OSError as error:
        raise ClientFault(str(error)) from None
    except h11.LocalProtocolError as error:  # the response cannot be said in the client's state
        raise ServerFault(f"response out of place: {error}") from None
