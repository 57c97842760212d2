"""How long until something can be done: the import, the command line, the first service."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.measure import AtMost, Pair, Registry, Scale

BENCHMARKS = benchmark = Registry()

PROGRAM = Path(sys.executable).with_name("cosi")
REPEATS = 11
IMPORTS = "import pydantic, anyio"


def python(code: str) -> float:
    """Milliseconds of the process time that ``code`` takes in a fresh interpreter, start included.

    Of the processor, not of the wall: what else the machine does is not ours.
    """
    return spent([sys.executable, "-c", code])


def spent(command: list[str]) -> float:
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    user = after.children_user - before.children_user
    return (user + after.children_system - before.children_system) * 1000


@benchmark(
    "start: import cosi, beyond pydantic and anyio", unit="ms", limit=AtMost(40), repeats=REPEATS
)
@contextmanager
def imports(scale: Scale) -> Iterator[Pair]:
    """The difference of two fresh processes, one after the other."""
    python("import cosi")  # its bytecode is written
    yield Pair(lambda: python(f"{IMPORTS}, cosi") - python(IMPORTS))


@benchmark("start: cosi --help", unit="ms", limit=AtMost(300), repeats=REPEATS)
@contextmanager
def help(scale: Scale) -> Iterator[Pair]:
    def wall() -> float:
        begin = time.perf_counter()
        subprocess.run([PROGRAM, "--help"], check=True, stdout=subprocess.DEVNULL)
        return (time.perf_counter() - begin) * 1000

    yield Pair(wall)


@benchmark("start: cosi run until the first service runs", unit="ms")
@contextmanager
def first_running(scale: Scale) -> Iterator[Pair]:
    """One service without dependencies, as a plain process, with all controllers there."""
    root = Path(tempfile.mkdtemp(prefix="cosi-bench-"))
    definitions, rootfs = root / "usr/local/etc/containers", root / "usr/local/lib/containers/one"
    definitions.mkdir(parents=True)
    (rootfs / "bin").mkdir(parents=True)
    shutil.copy("/bin/sh", rootfs / "bin/sh")
    (definitions / "one.yaml").write_text(
        "name: one\ncontainer:\n  entrypoint: /bin/sh\n"
        "  args: [-c, 'echo it runs; exec sleep 1000']\nlogToConsole: true\nrestart: always\n"
    )
    command = [PROGRAM, "run", "--root", root, "--runtime", "process"]

    def once() -> float:
        begin = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as machine:
            assert machine.stdout
            for line in machine.stdout:
                if b"it runs" in line:
                    break
            taken = (time.perf_counter() - begin) * 1000
            machine.terminate()
        return taken

    try:
        yield Pair(once)
    finally:
        shutil.rmtree(root)
