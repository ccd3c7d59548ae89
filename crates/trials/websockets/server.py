"""A server of Python's `websockets`."""

import asyncio
import json
import logging
import sys
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

closed = {}  # by token: how its connection ended


async def fragments():
    for part in ["one ", "two ", "three"]:
        yield part


async def answer(socket, message):
    word, *rest = message.split(" ") if isinstance(message, str) else [""]
    if word == "/close":
        await socket.close(int(rest[0]), " ".join(rest[1:]))
    elif word == "/fragments":
        await socket.send(fragments())
    elif word == "/ping":
        await (await socket.ping(rest[0]))
        await socket.send("pong " + rest[0])
    elif word == "/closed":
        await socket.send(closed.get(rest[0], "open"))
    elif word == "/head":
        headers = socket.request.headers
        extensions = socket.response.headers.get("Sec-WebSocket-Extensions", "")
        await socket.send(json.dumps({"host": headers["Host"], "origin": headers.get("Origin"), "extensions": extensions}))
    else:
        await socket.send(message)


async def handle(socket):
    token = parse_qs(urlsplit(socket.request.path).query).get("token", [""])[0]
    tasks = set()
    try:
        async for message in socket:
            # The pong comes through the same loop.
            tasks.add(asyncio.create_task(answer(socket, message)))
    except ConnectionClosed:
        pass
    finally:
        closed[token] = f"{socket.close_code} {socket.close_reason}"


# A connection that only tests the port sends nothing, and is not logged.
logging.getLogger("websockets").setLevel(logging.CRITICAL)


async def main():
    options = {"max_size": 16 << 20, "ping_interval": None}
    async with serve(handle, "127.0.0.1", int(sys.argv[1]), **options) as server:
        await server.serve_forever()


asyncio.run(main())
