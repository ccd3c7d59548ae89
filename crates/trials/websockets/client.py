"""Clients of Python's `websockets`: each case is one line, `ok NAME` or `FAIL NAME: why`."""

import asyncio
import json
import sys
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

BASE, SUITE = sys.argv[1:]


def open_(token, **options):
    return connect(f"{BASE}?token={token}", max_size=16 << 20, ping_interval=None, **options)


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r}, not {expected!r}")


async def ask(socket, text):
    await socket.send(text)
    return await socket.recv()


async def binary(extension, **options):
    data = bytes((b"Evenkeel "[i % 9] ^ (i >> 12)) & 255 for i in range(1 << 20))
    async with open_("binary", **options) as socket:
        same(await ask(socket, data) == data, True)
        agreed = socket.response.headers.get("Sec-WebSocket-Extensions", "")
        same(agreed.startswith(extension) and bool(agreed) == bool(extension), True)


async def handshake():
    async with open_("head", origin="https://page.example") as socket:
        head = json.loads(await ask(socket, "/head"))
        same(head["origin"], "https://page.example")
        same(head["host"], BASE.split("/")[2])


async def text():
    async with open_("text") as socket:
        same(await ask(socket, "Grüße"), "Grüße")


async def fragments_up():
    async with open_("fragments-up") as socket:
        await socket.send(["a", "b", "c"])
        same(await socket.recv(), "abc")


async def fragments_down():
    async with open_("fragments-down") as socket:
        same(await ask(socket, "/fragments"), "one two three")


async def ping_up():
    async with open_("ping-up") as socket:
        await asyncio.wait_for(await socket.ping("hello"), 10)


async def ping_down():
    async with open_("ping-down") as socket:
        same(await ask(socket, "/ping there"), "pong there")


async def close_up():
    async with open_("close-up") as socket:
        await socket.close(4001, "enough")
        same(socket.close_code, 4001)
    async with open_("close-up-seen") as other:
        for _ in range(200):
            if await ask(other, "/closed close-up") == "4001 enough":
                return
            await asyncio.sleep(0.02)
        raise AssertionError(await ask(other, "/closed close-up"))


async def closed(socket):
    try:
        while True:
            await socket.recv()
    except ConnectionClosed:
        return f"{socket.close_code} {socket.close_reason}"


async def close_down():
    async with open_("close-down") as socket:
        await socket.send("/close 4002 that is all")
        same(await closed(socket), "4002 that is all")


async def idle():
    async with open_("idle") as socket:
        began = time.monotonic()
        same(await closed(socket), "1006 ")
        lasted = time.monotonic() - began
        same(1.9 <= lasted <= 4, True)


async def heartbeat():
    async with open_("heartbeat") as socket:
        await asyncio.sleep(5)
        same(await ask(socket, "still here"), "still here")


async def drain():
    async with open_("drain") as socket:
        same(await ask(socket, "ready"), "ready")
        print("drain", flush=True)
        same(await closed(socket), "1001 ")


CASES = {
    "all": {
        "the handshake is untouched": handshake,
        "text": text,
        "1 MiB binary": lambda: binary("", compression=None),
        "1 MiB binary, permessage-deflate": lambda: binary("permessage-deflate"),
        "fragments to the server": fragments_up,
        "fragments to the client": fragments_down,
        "ping to the server": ping_up,
        "ping to the client": ping_down,
        "close by the client": close_up,
        "close by the server": close_down,
    },
    "idle": {"an idle tunnel is closed at its timeout": idle},
    "heartbeat": {"a heartbeat keeps an idle tunnel": heartbeat},
    "drain": {"a stop says 1001": drain},
}


async def main():
    failed = False
    for name, run in CASES[SUITE].items():
        try:
            await asyncio.wait_for(run(), 15)
            print(f"ok {name}", flush=True)
        except Exception as error:  # noqa: BLE001: any error is the result of the case
            failed = True
            print(f"FAIL {name}: {type(error).__name__} {error}", flush=True)
    return failed


sys.exit(asyncio.run(main()))
