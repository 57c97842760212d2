"""The Go side: builds `tests/benchmarks/go` once, and starts the program anew for each figure."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cosi._engine.gc_tuning import tuned_gc
from tests.benchmarks.measure import Pair, Registry, Scale

MODULE = Path(__file__).parent / "go"
PROGRAM = MODULE / "bin" / "benchmarks"
OLDEST = (1, 26)


@functools.cache
def missing() -> str | None:
    """Why Go cannot be measured here."""
    go = _go()
    if go is None:
        return "no Go toolchain (https://go.dev/dl)"
    version = go_version()
    if version is None or version < OLDEST:
        return f"Go is older than {OLDEST[0]}.{OLDEST[1]}"
    command = [go, "build", "-o", PROGRAM, "."]
    built = subprocess.run(command, check=False, cwd=MODULE, capture_output=True, text=True)
    return None if built.returncode == 0 else f"go build: {built.stderr.strip()[-200:]}"


def _go() -> str | None:
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def go_version() -> tuple[int, int] | None:
    """Major and minor."""
    go = _go()
    if go is None:
        return None
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    said = subprocess.run(
        [go, "version"], check=False, capture_output=True, text=True, env=environment
    )
    found = re.search(r"go(\d+)\.(\d+)", said.stdout)
    return (int(found[1]), int(found[2])) if found else None


def go_figures(name: str, size: int, seconds: float) -> list[float]:
    """One repeat of a benchmark, of about so long and in a process of its own."""
    command = [PROGRAM, name, str(size), f"{seconds * 1000:.0f}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    figures: list[float] = json.loads(done.stdout)["figures"]
    return figures


def against_go(registry: Registry, name: str, *, unit: str = "us", **rest: Any) -> Any:
    """A benchmark whose other side is the Go program."""
    return registry(name, unit=unit, against="Go COSI", missing=missing, **rest)


@contextmanager
def pair(
    theirs: str,
    size: int,
    scale: Scale,
    ours: Callable[[], Awaitable[float]],
    *,
    figure: int = 0,
    whiles: int = 1,
) -> Iterator[Pair]:
    """Ours on one loop, theirs each time in a process of its own (see `go/main.go`).

    ``whiles``: how many :attr:`Scale.a_while` theirs is measured for.
    """
    seconds = whiles * scale.a_while
    with asyncio.Runner() as runner, tuned_gc():

        async def once() -> float:
            return await ours()

        yield Pair(lambda: runner.run(once()), lambda: go_figures(theirs, size, seconds)[figure])
