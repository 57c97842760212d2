"""Who gets through the Unix socket."""

import asyncio
import logging
import os
import socket as sockets
import stat
import tempfile
from pathlib import Path

import anyio
import pytest

from cosi import InMemoryState, Resource
from cosi.api._admission import _RelaySide
from cosi.api.client import connect
from cosi.api.server import UnixListener, serve
from cosi.api.sockets import ListenError
from cosi.errors import Unavailable
from tests.cosi.api.things import Thing


async def test_the_socket_is_its_owners_and_goes_with_the_server(
    state: InMemoryState, tmp_path: Path
) -> None:
    path = tmp_path / "run" / "cosi" / "cosi.sock"

    async with serve(state, UnixListener(path)):
        assert mode(path) == 0o600
        assert mode(path.parent) == 0o700

    assert files_in(path.parent) == []


async def test_a_server_has_no_file_but_its_socket(
    state: InMemoryState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is killed leaves nothing else: there were a thousand directories in /tmp once."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    async with (
        serve(state, UnixListener(tmp_path / "cosi.sock")) as (address,),
        connect(address) as remote,
    ):
        await remote.create(Resource.new("a", Thing()))
        assert files_in(temporary) == []


async def test_peer_credentials_are_checked(
    state: InMemoryState, socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The mode of the file can be changed by accident; who is at the other end cannot."""
    caplog.set_level(logging.WARNING)
    only_another = UnixListener(socket, uids=frozenset({os.geteuid() + 1}))

    async with serve(state, only_another) as (address,), connect(address) as remote:
        with pytest.raises(Unavailable):
            await remote.list(Thing)

    assert f"connection refused: process {os.getpid()}, user {os.geteuid()}" in caplog.text


async def test_a_socket_that_a_dead_server_left_behind_is_replaced(
    state: InMemoryState, socket: Path
) -> None:
    with sockets.socket(sockets.AF_UNIX) as dead:
        dead.bind(str(socket))

    async with serve(state, UnixListener(socket)) as (address,), connect(address) as remote:
        assert await remote.list(Thing) == ()


async def test_what_a_server_killed_in_its_beginning_left_is_swept_away(
    state: InMemoryState, socket: Path
) -> None:
    """Found by two hundred kills: each at that moment left a file for ever."""
    async with await anyio.open_process(("true",)) as ended:
        await ended.wait()
    left = socket.with_name(f".{socket.name}.{ended.pid}")
    somebodys = socket.with_name(f".{socket.name}.{os.getppid()}")
    for path in (left, somebodys):
        with sockets.socket(sockets.AF_UNIX) as unfinished:
            unfinished.bind(str(path))

    async with serve(state, UnixListener(socket)):
        assert not left.exists()
        assert somebodys.exists()


async def test_a_second_server_does_not_take_the_socket_of_the_first(
    state: InMemoryState, socket: Path, address: str
) -> None:
    with pytest.raises(ListenError, match="another server listens there"):
        async with serve(state, UnixListener(socket)):
            raise AssertionError("it has no socket")

    async with connect(address) as remote:
        assert await remote.list(Thing) == ()


async def test_a_path_that_cannot_be_a_socket_is_named(
    state: InMemoryState, tmp_path: Path
) -> None:
    too_long = tmp_path / ("x" * 200)

    with pytest.raises(ListenError, match=f"cannot listen on {too_long}"):
        async with serve(state, UnixListener(too_long)):
            raise AssertionError("it has no socket")

    assert files_in(tmp_path) == []


async def test_somebody_elses_socket_is_left_where_it_is(
    state: InMemoryState, socket: Path
) -> None:
    async with serve(state, UnixListener(socket)):
        replace(socket)

    assert files_in(socket.parent) == [socket]


def replace(path: Path) -> None:
    path.unlink()
    with sockets.socket(sockets.AF_UNIX) as other:
        other.bind(str(path))


def files_in(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def test_much_data_passes_in_both_directions(state: InMemoryState, address: str) -> None:
    large = Thing(names=("x" * 4_000_000,))  # twice, as protobuf and as YAML

    async with connect(address) as remote:
        stored = await remote.create(Resource.new("a", large))

    assert stored.spec == large


async def test_a_client_that_goes_away_in_the_middle_harms_nobody(
    state: InMemoryState, socket: Path, address: str
) -> None:
    for sent in (b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"nonsense" * 1000):
        stream = await anyio.connect_unix(socket)
        await stream.send(sent or b"P")
        await stream.aclose()

    async with connect(address) as remote:
        assert await remote.list(Thing) == ()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Wire(asyncio.Transport):
    """Remembers what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        self.sent += data

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def test_what_comes_before_the_other_side_is_there_is_not_lost() -> None:
    """Python 3.11.2 (Debian 12) reads although it was told not to; 3.11.4 does not."""
    outside, inside, wire = _RelaySide(), _RelaySide(), Wire()
    outside.connection_made(Wire())
    inside.connection_made(wire)
    for data in (b"early", b"late"):
        outside.get_buffer(-1)[: len(data)] = data
        outside.buffer_updated(len(data))
        if outside.other is None:
            outside.join(inside)
    assert wire.sent == b"earlylate"
