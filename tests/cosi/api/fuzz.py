"""What an enemy may send: HTTP/2 that is almost right, and bytes that are nothing at all."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import anyio

from cosi.api.proto import state_pb2

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, WINDOW = 0, 1, 3, 4, 6, 8
END_STREAM, END_HEADERS = 1, 4
METHODS = ("Get", "List", "Watch", "Create", "Update", "Destroy", "Teardown", "Nothing")
ANSWER_SECONDS = 0.02


def frame(type: int, flags: int, stream: int, payload: bytes) -> bytes:
    length = struct.pack(">I", len(payload))[1:]
    return length + bytes((type, flags)) + struct.pack(">I", stream) + payload


def literal(name: str, value: str) -> bytes:
    """A header, uncompressed and not remembered (RFC 7541, 6.2.2)."""
    return b"\x00" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()


def call(stream: int, method: str, message: bytes) -> bytes:
    """A complete call."""
    headers = b"".join(
        literal(name, value)
        for name, value in (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", f"/cosi.resource.State/{method}"),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        )
    )
    body = b"\x00" + struct.pack(">I", len(message)) + message
    return frame(HEADERS, END_HEADERS, stream, headers) + frame(DATA, END_STREAM, stream, body)


def conversations(seed: int) -> Iterator[bytes]:
    """What to send on one connection each, for ever."""
    dice = random.Random(seed)
    while True:
        parts = [PREFACE, frame(SETTINGS, 0, 0, b"")]
        for number in range(dice.randrange(1, 20)):
            stream = 2 * number + 1
            method = dice.choice(METHODS)
            parts.append(dice.choice((_right, _random, _cut, _reset, _odd))(dice, stream, method))
        data = b"".join(parts)
        yield dice.choice((data, _damaged(dice, data), dice.randbytes(dice.randrange(5_000))))


def _right(dice: random.Random, stream: int, method: str) -> bytes:
    request = state_pb2.WatchRequest(namespace="test", type="Things.test.cosi.dev")
    return call(stream, method, request.SerializeToString())


def _random(dice: random.Random, stream: int, method: str) -> bytes:
    return call(stream, method, dice.randbytes(dice.randrange(300)))


def _cut(dice: random.Random, stream: int, method: str) -> bytes:
    whole = call(stream, method, b"\x0a\x04test")
    return whole[: dice.randrange(len(whole))]


def _reset(dice: random.Random, stream: int, method: str) -> bytes:
    """Asked, and taken back at once ("rapid reset")."""
    return call(stream, method, b"") + frame(RESET, 0, stream, struct.pack(">I", 8))


def _odd(dice: random.Random, stream: int, method: str) -> bytes:
    kind = dice.choice((SETTINGS, PING, WINDOW, DATA, 99))
    return frame(kind, dice.randrange(256), dice.randrange(100), dice.randbytes(dice.randrange(64)))


def _damaged(dice: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(dice.randrange(1, 10)):
        damaged[dice.randrange(len(damaged))] = dice.randrange(256)
    return bytes(damaged)


async def attack(socket: Path, conversation: bytes) -> None:
    """Say it on a connection of its own, listen for a moment, and hang up."""
    try:
        async with await anyio.connect_unix(socket) as stream:
            await stream.send(conversation)
            with anyio.move_on_after(ANSWER_SECONDS):
                await stream.receive()
    except (anyio.BrokenResourceError, anyio.EndOfStream):
        pass  # the server hung up first, which is its right
