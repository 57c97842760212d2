"""Many clients, slow ones, dead ones and hostile ones.

In ``make soak``: 10,000 watches, 1,000 connections, and the fuzzer for a minute.
"""

import gc
import os
import signal
import sys
import time
from collections.abc import Iterable
from itertools import count, islice, takewhile
from pathlib import Path
from typing import Any, Self

import anyio
import anyio.lowlevel
import pytest
from grpc.aio import insecure_channel

from cosi import InMemoryState, KindLike, Query, Resource
from cosi.api._shares import LOCAL
from cosi.api.client import RemoteState, connect
from cosi.api.server import UnixListener, serve
from cosi.errors import Overrun
from cosi.resource._envelope import S
from cosi.state import EVERYTHING, NOW, EventType, HistorySize, Start, Watch, WrappedState
from tests.cosi.api.fuzz import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTINGS,
    attack,
    call,
    conversations,
    frame,
    literal,
)
from tests.cosi.api.things import Thing
from tests.soak import SOAK, quantity

WATCHES = quantity(500, 10_000)
# As many as the share of those on a Unix socket allows, and one that is left free.
CONNECTIONS = min(quantity(200, 1_000), LOCAL.places - 1)
ATTACK_SECONDS = 60
MEBIBYTE = 1 << 20


class CountedWatch(Watch[S]):
    """Hands everything on, and says when it is left."""

    def __init__(self, inner: Watch[S], state: "CountingState") -> None:
        self._inner = inner
        self._state = state

    @property
    def bookmark(self) -> bytes | None:
        return self._inner.bookmark

    async def batch(self) -> Any:
        return await self._inner.batch()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        self._state.entered()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._inner.__aexit__(*exc)
        self._state.left()


class CountingState(WrappedState):
    """Knows how many watches are open, and when they all are, and none is."""

    def __init__(self, all: int) -> None:
        super().__init__(InMemoryState())
        self.open = 0
        self.all = all
        self.all_open = anyio.Event()
        self.none_open = anyio.Event()

    def entered(self) -> None:
        self.open += 1
        if self.open == self.all:
            self.all_open.set()

    def left(self) -> None:
        self.open -= 1
        if not self.open:
            self.none_open.set()

    def watch(
        self,
        kind: KindLike[S],
        id: str | None = None,
        *,
        where: Query = EVERYTHING,
        start: Start = NOW,
    ) -> Watch[S]:
        return CountedWatch(self.inner.watch(kind, id, where=where, start=start), self)


def memory() -> int:
    """Bytes of this process that are resident."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_very_many_watches_on_one_connection(
    state: InMemoryState, remote: RemoteState
) -> None:
    watches = [remote.watch(Thing) for _ in range(WATCHES)]
    seen: list[str] = []

    async def read(watch: Watch[Thing]) -> None:
        async with watch:
            opened.append(watch)
            if len(opened) == WATCHES:
                everyone.set()
            (event,) = await watch.batch()
            seen.append(event.resource.id)

    opened: list[Watch[Thing]] = []
    everyone = anyio.Event()
    async with anyio.create_task_group() as tasks:
        for watch in watches:
            tasks.start_soon(read, watch)
        await everyone.wait()
        await state.create(Resource.new("a", Thing()))

    assert seen == ["a"] * WATCHES


async def test_very_many_connections(state: InMemoryState, address: str) -> None:
    await state.create(Resource.new("a", Thing()))
    # Channels to one address share a connection unless they are told not to.
    options = (("grpc.use_local_subchannel_pool", 1),)
    channels = [insecure_channel(address, options=options) for _ in range(CONNECTIONS)]

    async with anyio.create_task_group() as tasks:
        for channel in channels:
            tasks.start_soon(RemoteState(channel).get, Thing, "a")

    for channel in channels:
        await channel.close()


async def test_a_client_that_never_reads_costs_little_and_is_told(socket: Path) -> None:
    state = InMemoryState(history=HistorySize(100, 100))
    large = Thing(names=("x" * 20_000,))
    stored = await state.create(Resource.new("a", large))
    async with serve(state, UnixListener(socket)) as (address,), connect(address) as remote:
        async with remote.watch(Thing, start=Start(bookmarked=True)) as asleep:
            await asleep.batch()
            before = memory()
            for _ in range(1_000):
                stored = await state.update(stored)
                await anyio.lowlevel.checkpoint()
            assert memory() - before < 40 * MEBIBYTE  # of 40 MiB in two forms, which others read

            with pytest.raises(Overrun):
                await read_to_the_end(asleep)

        async with remote.watch(Thing, start=Start(contents=True)) as again:
            (event, over) = await again.batch()

    assert event.resource.version == 1_001
    assert over.type is EventType.BOOTSTRAPPED


async def read_to_the_end(watch: Watch[Thing]) -> None:
    with anyio.fail_after(10):
        while True:
            await watch.batch()


CLIENT = """
import sys, anyio
from cosi.api.client import connect
from tests.cosi.api.things import Thing

async def main():
    async with connect(sys.argv[1]) as state, anyio.create_task_group() as tasks:
        async def follow():
            async with state.watch(Thing) as watch:
                async for event in watch:
                    pass
        for _ in range(int(sys.argv[2])):
            tasks.start_soon(follow)

anyio.run(main)
"""


async def test_clients_that_are_killed_leave_nothing_behind(socket: Path) -> None:
    state = CountingState(all=20)
    async with serve(state, UnixListener(socket)) as (address,):
        command = [sys.executable, "-c", CLIENT, address, str(state.all)]
        async with await anyio.open_process(command, stdout=None, stderr=None) as client:
            with anyio.fail_after(30):
                await state.all_open.wait()
            await state.create(Resource.new("a", Thing()))
            client.send_signal(signal.SIGKILL)
        with anyio.fail_after(30):
            await state.none_open.wait()

        async with connect(address) as remote:
            assert (await remote.get(Thing, "a")).id == "a"


@pytest.mark.timeout(60 + ATTACK_SECONDS)
async def test_hostile_bytes_do_no_harm(server_process: Path) -> None:
    async with connect(f"unix:{server_process}") as remote:
        await remote.apply(Resource.new("a", Thing()))

        said = conversations(seed=20_261_122)
        for _ in rounds():
            async with anyio.create_task_group() as tasks:
                for conversation in islice(said, 30):
                    tasks.start_soon(attack, server_process, conversation)

        assert (await remote.get(Thing, "a")).id == "a"


def rounds() -> Iterable[int]:
    """As many as the suite has time for, or a minute of them."""
    if not SOAK:
        return range(5)
    end = time.monotonic() + ATTACK_SECONDS
    return takewhile(lambda _: time.monotonic() < end, count())


async def test_a_path_that_is_no_text_harms_nobody(server_process: Path) -> None:
    """It ends the asyncio server of grpcio 1.84 and 1.85, and then crashes the process."""
    path = bytes((len(b"/\x8e"),)) + b"/\x8e"
    deadly = call(1, "Get", b"").replace(literal("", "/cosi.resource.State/Get")[2:], path)
    assert path in deadly

    async with (
        connect(f"unix:{server_process}") as remote,
        remote.watch(Thing, start=Start(bookmarked=True)) as watch,
    ):
        await watch.batch()
        await attack(server_process, PREFACE + frame(SETTINGS, 0, 0, b"") + repaired(deadly))
        await remote.create(Resource.new("after the attack", Thing()))
        with anyio.fail_after(10):
            (event,) = await watch.batch()

    assert event.resource.id == "after the attack"


def repaired(headers_and_data: bytes) -> bytes:
    """The same two frames, with the length of the first one as it now is."""
    end = headers_and_data.index(frame(DATA, END_STREAM, 1, b"\0" * 5))
    return frame(HEADERS, END_HEADERS, 1, headers_and_data[9:end]) + headers_and_data[end:]
