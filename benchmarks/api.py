"""The state on the wire: a server in a process of its own, and one client on a Unix socket."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

from grpc.aio import UnaryStreamMultiCallable

from benchmarks.measure import AtLeast, Pair, Registry, Scale, again
from cosi import Resource, Spec
from cosi.api.client import RemoteState, open_channel
from cosi.api.proto import sealed_pb2, state_pb2
from cosi.state import Watch

BENCHMARKS = benchmark = Registry()

Ask = Callable[[Coroutine[Any, Any, float]], float]
SERVICE = "/cosi.resource.State/"


class Note(Spec, type="Notes.benchmark.example.org", proto={"text": 1, "number": 2, "on": 3}):
    """A payload of three fields."""

    text: str = "something short"
    number: int = 0
    on: bool = False


class Client:
    """A client, and the event loop that it lives in."""

    def __init__(self, socket: Path, runner: asyncio.Runner) -> None:
        self.socket = socket
        self.run = runner.run
        self.ids = itertools.count()

    async def state(self, stack: AsyncExitStack) -> RemoteState:
        return RemoteState(await stack.enter_async_context(open_channel(f"unix:{self.socket}")))

    def new(self) -> Resource[Note]:
        return Resource.new(f"note-{next(self.ids)}", Note())


@contextmanager
def client() -> Iterator[Client]:
    """A fresh server; gone at the end."""
    with tempfile.TemporaryDirectory() as directory, asyncio.Runner() as runner:
        socket = Path(directory) / "cosi.sock"
        command = [sys.executable, "-m", "tests.cosi.api.serve_memory", str(socket)]
        errors = Path(directory) / "stderr"
        with (
            errors.open("w") as stderr,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr) as server,
        ):
            assert server.stdout is not None
            server.stdout.readline()
            yield Client(socket, runner)
            assert server.poll() is None, errors.read_text()
            server.terminate()


@contextmanager
def rate(work: Callable[[Client], Coroutine[Any, Any, float]]) -> Iterator[Pair]:
    with client() as one:
        yield Pair(lambda: one.run(work(one)))


# -- unary calls ----------------------------------------------------------------------------------


async def gets(client: Client, together: int, seconds: float) -> float:
    """Gets a second, ``together`` at a time, for so long."""
    async with AsyncExitStack() as stack:
        state = await client.state(stack)
        note = await state.create(client.new())
        begin, calls = time.perf_counter(), 0

        async def some() -> None:
            nonlocal calls
            while not calls or time.perf_counter() - begin < seconds:
                await state.get(Note, note.id)
                calls += 1

        await asyncio.gather(*(some() for _ in range(together)))
        return calls / (time.perf_counter() - begin)


@benchmark("api: unary get, one at a time", unit="calls/s", better="more")
@contextmanager
def get_one(scale: Scale) -> Iterator[Pair]:
    with rate(lambda client: gets(client, 1, 3 * scale.a_while)) as pair:
        yield pair


@benchmark("api: unary get, 64 at a time", unit="calls/s", better="more")
@contextmanager
def get_many(scale: Scale) -> Iterator[Pair]:
    with rate(lambda client: gets(client, 64, 3 * scale.a_while)) as pair:
        yield pair


# -- watches --------------------------------------------------------------------------------------


async def fill(client: Client, count: int) -> None:
    async with AsyncExitStack() as stack:
        state = await client.state(stack)
        for _ in range(count // 100):
            await asyncio.gather(*(state.create(client.new()) for _ in range(100)))


async def follow(client: Client, events: int, seconds: float, *, aggregated: bool) -> float:
    """Events a second of a kind's contents, read as bytes: what the server and the wire can do.

    The contents again and again, each time by a new watch, for so long.
    """
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(open_channel(f"unix:{client.socket}"))
        options = state_pb2.WatchOptions(bootstrap_contents=True, aggregated=aggregated)
        request = state_pb2.WatchRequest(
            namespace=Note.__cosi__.default_namespace,
            type=Note.__cosi__.type,
            options=options,
            api_version=1,
        )
        watch: UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(f"{SERVICE}Watch")

        async def contents() -> tuple[float, int]:
            call = watch(request.SerializeToString())
            await call.read()
            begin, seen = time.perf_counter(), 0
            while seen < events:
                message = sealed_pb2.WatchResponse.FromString(cast("bytes", await call.read()))
                seen += len(message.event)
            took = time.perf_counter() - begin
            call.cancel()
            return took, seen

        return 1 / await again(seconds, contents)


@benchmark(
    "api: watch events, aggregated",
    unit="events/s",
    against="one by one",
    limit=AtLeast(5),
    better="more",
)
@contextmanager
def aggregated(scale: Scale) -> Iterator[Pair]:
    count = scale.of(1_000, 1_000)
    with client() as one:
        one.run(fill(one, count))
        yield Pair(
            lambda: one.run(follow(one, count, 3 * scale.a_while, aggregated=True)),
            lambda: one.run(follow(one, count, scale.a_while, aggregated=False)),
        )


@benchmark("api: one change to 1,000 watchers", unit="ms")
@contextmanager
def fan_out(scale: Scale) -> Iterator[Pair]:
    """From the update to the last of them, who are all in one process."""
    with rate(lambda client: change_for(client, scale.of(1_000, 100))) as pair:
        yield pair


async def change_for(client: Client, watchers: int) -> float:
    async with AsyncExitStack() as stack:
        state = await client.state(stack)
        watches = [await stack.enter_async_context(state.watch(Note)) for _ in range(watchers)]
        begin = time.perf_counter()
        await state.create(client.new())
        await asyncio.gather(*(watch.batch() for watch in watches))
        return (time.perf_counter() - begin) * 1000


# -- endurance: the server lives on, or the benchmark fails ---------------------------------------


@benchmark("api endurance: 10,000 watches on one connection", unit="s", repeats=1)
@contextmanager
def watches(scale: Scale) -> Iterator[Pair]:
    """Opened, notified of one change, closed."""
    with rate(lambda client: open_and_close(client, scale.of(10_000, 500))) as pair:
        yield pair


async def open_and_close(client: Client, count: int) -> float:
    async with AsyncExitStack() as stack:
        state = await client.state(stack)
        begin = time.perf_counter()

        async def enter() -> Watch[Note]:
            return await stack.enter_async_context(state.watch(Note))

        opened: list[Watch[Note]] = []
        for _ in range(count // 100):
            opened += await asyncio.gather(*(enter() for _ in range(100)))
        await state.create(client.new())
        await asyncio.gather(*(watch.batch() for watch in opened))
        return time.perf_counter() - begin


@benchmark("api endurance: 1,000 connections", unit="s", repeats=1)
@contextmanager
def connections(scale: Scale) -> Iterator[Pair]:
    """Each with a call; all open at one time."""
    with rate(lambda client: call_from_each(client, scale.of(1_000, 100))) as pair:
        yield pair


async def call_from_each(client: Client, count: int) -> float:
    import grpc.aio

    async with AsyncExitStack() as stack:
        begin = time.perf_counter()
        # Channels to one address share a connection unless an option forbids it.
        own = (("grpc.use_local_subchannel_pool", 1),)
        address = f"unix:{client.socket}"
        states = [
            RemoteState(await stack.enter_async_context(grpc.aio.insecure_channel(address, own)))
            for _ in range(count)
        ]
        await asyncio.gather(*(state.list(Note) for state in states))
        return time.perf_counter() - begin
