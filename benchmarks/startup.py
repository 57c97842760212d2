"""How long until something can be done: the import, the command line, the first service."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks.environment import COMPILED
from benchmarks.measure import AtMost, Pair, Registry, Scale

BENCHMARKS = benchmark = Registry()

PROGRAM = Path(sys.executable).with_name("cosi")
IMPORTS = "import pydantic, anyio"
# Both packages load nothing before it is asked for. This is what any program pays that uses them.
USE = """
import anyio, anyio.lowlevel, asyncio, pydantic
class Model(pydantic.BaseModel): pass
anyio.Event, anyio.CancelScope, anyio.create_task_group
"""


def cpu_milliseconds(code: str) -> float:
    """Of a fresh interpreter, its start included; modules are compiled already.

    Of the processor, not of the wall: what else the machine does is not ours.
    """
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=COMPILED)
    after = getrusage(RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent * 1000


def beyond(code: str, base: str) -> Iterator[Pair]:
    """What ``code`` takes more than ``base``, each in fresh processes, one after the other."""
    cpu_milliseconds(code)  # to be compiled

    def once() -> float:
        pairs = [(cpu_milliseconds(code), cpu_milliseconds(base)) for _ in range(3)]
        more, less = zip(*pairs, strict=True)
        return min(more) - min(less)

    yield Pair(once)


@benchmark("start: import cosi, beyond import pydantic, anyio", unit="ms", limit=AtMost(40))
@contextmanager
def imports(scale: Scale) -> Iterator[Pair]:
    """It loads nothing before it is asked for; as those two do."""
    yield from beyond("import cosi", IMPORTS)


@benchmark("start: from cosi import *, beyond what it needs of those", unit="ms", limit=AtMost(40))
@contextmanager
def imports_everything(scale: Scale) -> Iterator[Pair]:
    """Everything that is public, for everybody who finds the figure above too good."""
    yield from beyond("from cosi import *", USE)


@benchmark("start: cosi --help", unit="ms", limit=AtMost(300))
@contextmanager
def help(scale: Scale) -> Iterator[Pair]:
    def wall() -> float:
        begin = time.perf_counter()
        subprocess.run([PROGRAM, "--help"], check=True, stdout=subprocess.DEVNULL, env=COMPILED)
        return (time.perf_counter() - begin) * 1000

    yield Pair(wall)


@benchmark("start: cosi services, of a machine that runs", unit="ms", limit=AtMost(600))
@contextmanager
def services(scale: Scale) -> Iterator[Pair]:
    """From the command's first instruction until its table is printed."""
    with machine() as root, running(root):
        asking = COMPILED | {"COSI_SOCKET": str(root / "run/cosi/cosi.sock")}

        def wall() -> float:
            begin = time.perf_counter()
            subprocess.run([PROGRAM, "services"], check=True, capture_output=True, env=asking)
            return (time.perf_counter() - begin) * 1000

        yield Pair(wall)


@benchmark("start: cosi run until the first service runs", unit="ms")
@contextmanager
def first_running(scale: Scale) -> Iterator[Pair]:
    """One service without dependencies, as a plain process, with all controllers there."""

    def once() -> float:
        begin = time.perf_counter()
        with running(root):
            return (time.perf_counter() - begin) * 1000

    with machine() as root:
        yield Pair(once)


@contextmanager
def machine() -> Iterator[Path]:
    """The root of a machine with one service, which says when it runs."""
    with tempfile.TemporaryDirectory(prefix="cosi-bench-") as directory:
        root = Path(directory)
        rootfs = root / "usr/local/lib/containers/one"
        definitions = root / "usr/local/etc/containers"
        definitions.mkdir(parents=True)
        (rootfs / "bin").mkdir(parents=True)
        shutil.copy("/bin/sh", rootfs / "bin/sh")
        (definitions / "one.yaml").write_text(
            "name: one\ncontainer:\n  entrypoint: /bin/sh\n"
            "  args: [-c, 'echo it runs; exec sleep 1000']\nlogToConsole: true\nrestart: always\n"
        )
        yield root


@contextmanager
def running(root: Path) -> Iterator[None]:
    """`cosi run`, from when its service runs until it is asked to stop."""
    command = [PROGRAM, "run", "--root", root, "--runtime", "process"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=COMPILED, **pipes) as process:
        assert process.stdout
        for line in process.stdout:
            if b"it runs" in line:
                break
        yield
        process.terminate()
