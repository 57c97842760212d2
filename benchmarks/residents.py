"""What 100,000 resident resources cost: memory, and pauses."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import AtMost, Pair, Registry, Scale
from benchmarks.payload import Service, Small, fields
from cosi import InMemoryState, Resource, Spec

BENCHMARKS = benchmark = Registry()


@benchmark("100,000 resident resources, 3 fields", unit="MB", limit=AtMost(120), repeats=1)
@contextmanager
def resident(scale: Scale) -> Iterator[Pair]:
    yield Pair(lambda: _resident_megabytes("Small", scale.of(100_000)))


@benchmark("100,000 resident resources, 20 fields in 7 parts", unit="MB", repeats=1)
@contextmanager
def resident_large(scale: Scale) -> Iterator[Pair]:
    yield Pair(lambda: _resident_megabytes("Service", scale.of(100_000)))


def _resident_megabytes(payload: str, count: int) -> float:
    """What ``count`` resources add to a fresh process, scaled to 100,000."""
    weigh = "from benchmarks.residents import fill_and_weigh as f"
    code = f"{weigh}; print(f({payload!r}, {count}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return float(run.stdout) * 100_000 / count


def fill_and_weigh(payload: str, count: int) -> float:
    """In a process of its own: megabytes of memory that ``count`` resources take."""

    def make(number: int) -> Spec:
        if payload == "Service":
            return Service.model_validate(fields(number))
        return Small(ready=True, address=f"10.0.0.{number}", count=number)

    async def fill() -> float:
        state = InMemoryState()
        await state.create(Resource.new("first", make(0)))
        before = _rss()
        for number in range(count):
            await state.create(Resource.new(f"{number:06}", make(number)))
        return (_rss() - before) / 2**20

    return asyncio.run(fill())


def _rss() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@benchmark("longest pause at 100,000 resident, steady updates", unit="ms", limit=AtMost(10))
@contextmanager
def longest_pause(scale: Scale) -> Iterator[Pair]:
    async def fill(state: InMemoryState) -> None:
        for number in range(scale.of(100_000)):
            spec = Small(ready=True, address="10.0.0.1", count=number)
            await state.create(Resource.new(f"{number:06}", spec))

    async def steady(state: InMemoryState) -> float:
        # Of the processor: nothing here waits, and what other programs take of it is not ours.
        longest = 0
        for turn in range(scale.of(100_000)):
            id = f"{turn * 7919 % scale.of(100_000):06}"
            begin = time.thread_time_ns()
            stored = await state.get(Small, id)
            spec = stored.spec.evolve(count=turn)
            await state.update(stored.evolve(spec=spec))
            longest = max(longest, time.thread_time_ns() - begin)
        return longest / 1e6

    with asyncio.Runner() as runner:
        state = InMemoryState()
        runner.run(fill(state))
        yield Pair(lambda: runner.run(steady(state)))
