"""The Go side: builds `tests/benchmarks/go` once, and asks the program for one figure at a time."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MODULE = Path(__file__).parent / "go"
PROGRAM = MODULE / "bin" / "benchmarks"
OLDEST = (1, 26)

Ask = Callable[[str, int], list[float]]
"""Asks for one repeat of a benchmark at a size."""


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


@contextmanager
def go_program() -> Iterator[Ask]:
    """A child that keeps what it has set up from one repeat to the next."""
    with subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        requests, answers = child.stdin, child.stdout
        assert requests
        assert answers

        def ask(name: str, size: int) -> list[float]:
            requests.write(f"{name} {size}\n".encode())
            requests.flush()
            figures: list[float] = json.loads(answers.readline())["figures"]
            return figures

        yield ask
        requests.close()
