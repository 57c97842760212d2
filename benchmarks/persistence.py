"""Durable writes and restarts: the SQLite store, against a commit for each write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measure import AtLeast, Pair, Registry, Scale
from benchmarks.payload import Service, fields
from cosi import Resource
from cosi.state import SQLiteStore, YamlMarshaler
from cosi.store._sqlite_file import open_file
from cosi.store._sqlite_records import transaction, write

benchmark = Registry()
BENCHMARKS = benchmark
WRITERS = 100


def services(count: int) -> list[Resource[Service]]:
    return [Resource.new(str(number), Service(**fields(number))) for number in range(count)]


@benchmark(
    "durable writes (power loss), 100 writers, 20-field payload",
    unit="per s",
    against="a transaction for each in an executor",
    better="more",
    limit=AtLeast(2),
)
@contextmanager
def durable_writes(scale: Scale) -> Iterator[Pair]:
    resources = services(scale.of(1_000, 400))
    some = resources[: len(resources) // 4]  # each takes several times as long
    with TemporaryDirectory(dir=Path.cwd()) as directory:
        yield Pair(
            lambda: asyncio.run(_grouped(Path(directory) / "ours.db", resources)),
            lambda: asyncio.run(_one_by_one(Path(directory) / "other.db", some)),
        )


async def _grouped(file: Path, resources: list[Resource[Any]]) -> float:
    async with SQLiteStore(file) as store:
        return await _rate(store.put, resources)


async def _one_by_one(file: Path, resources: list[Resource[Any]]) -> float:
    marshaler = YamlMarshaler()

    def put(resource: Resource[Any]) -> None:
        m = resource.metadata
        with transaction(opened.connection):
            write(opened.connection, {(m.namespace, m.type, m.id): marshaler.marshal(resource)})

    async def put_in_thread(resource: Resource[Any]) -> None:
        await asyncio.get_running_loop().run_in_executor(thread, put, resource)

    with ThreadPoolExecutor(1) as thread:
        opened = thread.submit(open_file, file, 0).result()
        thread.submit(opened.connection.execute, "PRAGMA synchronous = FULL").result()
        rate = await _rate(put_in_thread, resources)
        thread.submit(opened.close).result()
    return rate


async def _rate(put: Any, resources: list[Resource[Any]]) -> float:
    """Writes per second of a hundred tasks, each of which waits for its own."""

    async def writer(number: int) -> None:
        for resource in resources[number::WRITERS]:
            await put(resource)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(WRITERS):
            tasks.create_task(writer(number))
    return len(resources) / (time.perf_counter() - began)


@benchmark("restart from 10,000 records, 20-field payload", unit="ms")
@contextmanager
def restart(scale: Scale) -> Iterator[Pair]:
    marshaler = YamlMarshaler()
    with TemporaryDirectory(dir=Path.cwd()) as directory:
        file = Path(directory) / "state.db"
        with closing(open_file(file, 0)) as opened, transaction(opened.connection):
            for r in services(scale.of(10_000)):
                write(opened.connection, {(r.namespace, r.type, r.id): marshaler.marshal(r)})
        yield Pair(lambda: asyncio.run(_load(file)))


async def _load(file: Path) -> float:
    async with SQLiteStore(file) as store:
        began = time.perf_counter()
        await store.load()
        return (time.perf_counter() - began) * 1000
