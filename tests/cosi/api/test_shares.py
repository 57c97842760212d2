"""Connections are counted, wait for a bounded time, and leave descriptors to others."""

import logging
import os
import resource
import socket as sockets
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import anyio
import pytest

from cosi import InMemoryState
from cosi.api._admission import anyone, gate
from cosi.api._shares import DESCRIPTORS, LOCAL, MAX_CONNECTIONS, REMOTE, Share
from cosi.api.client import connect
from cosi.api.open_files import limit
from cosi.api.server import UnixListener, serve
from cosi.api.sockets import unix_socket
from cosi.errors import Unavailable
from tests.cosi.api.things import Thing
from tests.soak import SOAK


@contextmanager
def open_at_most(files: int) -> Iterator[None]:
    """A lower soft limit for this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("share", [LOCAL, REMOTE])
def test_connections_leave_half_of_the_descriptors_to_supervision(share: Share) -> None:
    with open_at_most(1_024):
        assert share.places * DESCRIPTORS <= 1_024 / 4
    assert share.places <= MAX_CONNECTIONS


def test_one_more_than_there_are_places_is_refused_until_one_is_free() -> None:
    share = Share(1 / 4, last=1)
    with open_at_most(1_024):
        guests = [object() for _ in range(share.places)]
        for guest in guests:
            assert share.refuses(0) is None
            share.take(guest)

        assert share.refuses(0) == "limit of 85 connections reached, with 1024 open files allowed"
        share.release(guests[0])
        assert share.refuses(0) is None


def test_whatever_the_share_clients_come_last_when_few_descriptors_are_left() -> None:
    with open_at_most(1_024):
        full = "768 of 1024 files are open, and the rest is reserved"
        assert (REMOTE.refuses(767), REMOTE.refuses(768)) == (None, full)
        assert (LOCAL.refuses(895), LOCAL.refuses(896) is not None) == (None, True)


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[Path]:
    """A gate with three places, to nowhere, where one is to say something at once."""
    path = tmp_path / "gate.sock"
    share = Share(3 * DESCRIPTORS / limit(), last=1)
    with unix_socket(path) as listening:
        async with gate([listening], str(tmp_path / "nowhere"), anyone, share, 0.1):
            yield path


async def ended(path: Path) -> None:
    """Connect, say nothing, and wait until the other end has closed."""
    async with await anyio.connect_unix(path) as stream:
        with anyio.fail_after(10), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()


async def test_a_connection_that_says_nothing_is_closed(
    impatient: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await ended(impatient)

    assert "closed a connection that sent nothing for 0.1 seconds" in caplog.text


async def test_silent_connections_give_their_places_back(
    impatient: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the first that come have the API for themselves, and say nothing."""
    for _ in range(4):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ended, impatient)

    assert "connections reached" not in caplog.text
    assert caplog.text.count("that sent nothing") == 1, "once a second"


async def test_refusals_fill_no_log(impatient: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It was 230 MB within 40 seconds."""
    with ExitStack() as connections:
        for _ in range(100):
            stream = connections.enter_context(sockets.socket(sockets.AF_UNIX))
            stream.connect(str(impatient))
        await ended(impatient)

    refused = [r for r in caplog.records if "connection refused: limit of" in r.getMessage()]
    assert len(refused) == 1


def fill(used: list[int]) -> None:
    """Open files until there can be no more."""
    with suppress(OSError):
        while True:
            used.append(os.open(os.devnull, os.O_RDONLY))


async def test_when_descriptors_run_out_it_says_so_once_and_goes_on_later(
    impatient: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    waiting = sockets.socket(sockets.AF_UNIX)
    used = [os.open(os.devnull, os.O_RDONLY)]
    with waiting, open_at_most(used[0] + 2):
        fill(used)
        waiting.connect(str(impatient))
        with anyio.move_on_after(0.3):
            await anyio.wait_readable(waiting)
        assert caplog.text.count("cannot accept a connection: [Errno 24]") == 1
        for descriptor in used:
            os.close(descriptor)
        with anyio.fail_after(10):
            await anyio.wait_readable(waiting)  # accepted, was silent, closed

    assert caplog.text.count("cannot accept") == 1


async def test_a_client_that_is_refused_for_want_of_places_hears_that_at_once(
    state: InMemoryState, socket: Path
) -> None:
    others = [object() for _ in range(LOCAL.places)]
    async with serve(state, UnixListener(socket)) as (address,):
        for other in others:
            LOCAL.take(other)
        try:
            async with connect(address) as remote:
                with anyio.fail_after(10), pytest.raises(Unavailable):
                    await remote.get(Thing, "a")
        finally:
            for other in others:
                LOCAL.release(other)


@pytest.mark.skipif(not SOAK, reason="takes ten seconds")
async def test_a_handshake_that_does_not_end_is_ended(address: str) -> None:
    """Else one byte is enough to have a place for two minutes, which is gRPC's patience."""
    async with await anyio.connect_unix(address.removeprefix("unix:")) as stream:
        await stream.send(b"PRI * HTTP/2.0\r\n")
        with anyio.fail_after(30):
            async for _ in stream:  # settings, and a farewell
                pass
