"""The Go side: builds `benchmarks/go` once, and asks the program for its figures."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks.line_process import line_process
from benchmarks.measure import Pair, Registry, Scale

MODULE = Path(__file__).parent / "go"
PROGRAM = MODULE / "bin" / "benchmarks"
OLDEST = (1, 26)
FIGURES_OF_ONE = 15


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


Figures = Callable[[float], list[float]]
"""What Go measures in about so many seconds."""


@contextmanager
def go(name: str, size: int) -> Iterator[Figures]:
    """A benchmark of the program."""
    program = _Program((PROGRAM, name, str(size)))
    with program.process:
        yield program.figures


class _Program:
    """Runs in a new process for every few figures.

    What a process has once made of its memory stays with it, and would be in all of them.
    """

    def __init__(self, command: tuple[str | Path, ...]) -> None:
        self.process = ExitStack()
        self._command = command
        self._made = itertools.count()

    def figures(self, seconds: float) -> list[float]:
        if next(self._made) % FIGURES_OF_ONE == 0:
            self.process.close()
            self._tell = self.process.enter_context(line_process(self._command))
        return list(map(float, self._tell(round(seconds * 1000))))


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
    within: AbstractAsyncContextManager[object] | None = None,
) -> Iterator[Pair]:
    """Ours on one loop, ``within`` something that lasts; theirs in processes of their own."""

    async def once() -> float:
        return await ours()

    lasting = within or nullcontext()
    with asyncio.Runner() as runner, go(theirs, size) as figures:
        runner.run(lasting.__aenter__())
        try:
            yield Pair(lambda: runner.run(once()), lambda: figures(scale.a_while)[figure])
        finally:
            runner.run(lasting.__aexit__(None, None, None))
