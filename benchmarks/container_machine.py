"""A small machine with real containers: root filesystems of busybox, our runner, bare runc, ctr.

`python -m benchmarks.container_machine weigh COUNT` starts as many and says what it weighs;
`... start RUNTIME` starts one for each line that it reads, and reports how long that took.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path

from benchmarks.line_process import answer_each_line, line_process
from controllers.drivers.choose import choose_driver, why_not
from controllers.oci.cgroups import Cgroups
from controllers.paths import Paths
from controllers.processes import syscalls
from controllers.runner import RunnerController
from cosi import InMemoryState, Resource, Runtime
from resources.container_spec import ContainerSpec
from resources.extension_service import service_id
from resources.service_gate import ServiceGate
from resources.service_state import ServicePhase, ServiceState

BUSYBOX = Path("/bin/busybox")
# PID 1 has no default for SIGTERM, so it says what to do.
SCRIPT = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"
SETTLE_SECONDS = 30
IN_MEMORY = Path("/dev/shm")
CGROUP = "/cosi-bench"
# As on a machine with cgroup v2 alone, whatever this one has: crun refuses both at once.
WITH_V2_ALONE = (
    *("unshare", "--mount", "sh", "-c"),
    'umount --lazy /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$@"',
)


def no_runc() -> str | None:
    """Why containers cannot be measured here."""
    if not BUSYBOX.exists():
        return f"no {BUSYBOX}"
    return why_not("runc") or None


def no_crun() -> str | None:
    """The same of crun, with cgroup v2 alone."""
    if reason := no_runc():
        return reason
    code = "from controllers.drivers.choose import why_not; print(why_not('crun'))"
    command = (*WITH_V2_ALONE, sys.executable, "-c", code)
    asked = subprocess.run(command, check=False, capture_output=True, text=True)
    return (asked.stdout + asked.stderr).strip() or None


def no_containerd() -> str | None:
    needed = ("containerd", "ctr", "containerd-shim-runc-v2")
    missing = [program for program in needed if shutil.which(program) is None]
    return no_runc() or (f"no {missing[0]}: apt install containerd" if missing else None)


@contextmanager
def directory() -> Iterator[Path]:
    """For root filesystems, bundles and states: in memory, as `/run` is on a real machine.

    A disk would be measured with them: runc writes the file with the process's id, which the
    supervisor asks for and a bare run does not, past all caches.
    """
    place = IN_MEMORY if IN_MEMORY.is_dir() else None
    path = Path(tempfile.mkdtemp(prefix="cosi-bench-", dir=place))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Machine:
    """Runs services whose definitions are given, not read from files."""

    def __init__(self, root: Path, runtime: str = "runc") -> None:
        self.paths = Paths(root)
        self.state = InMemoryState()
        self._runtime = Runtime(self.state)
        self._runtime.register(RunnerController(choose_driver(runtime, self.paths)))
        self._count = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        task = asyncio.create_task(self._runtime.run())
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._runtime.settled()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def rootfs(self, name: str) -> Path:
        rootfs = self.paths.rootfs(name)
        (rootfs / "bin").mkdir(parents=True)
        for each in ("proc", "sys", "dev", "run", "etc", "tmp"):
            (rootfs / each).mkdir()
        shutil.copy(BUSYBOX, rootfs / "bin/busybox")
        for applet in ("sh", "sleep"):
            (rootfs / "bin" / applet).symlink_to("busybox")
        return rootfs

    async def wait(self) -> str:
        """Make a service that has all it needs but an open gate."""
        self._count += 1
        name = f"b{self._count}"
        self.rootfs(name)
        id = service_id(name)
        container = ContainerSpec(name=name, entrypoint="/bin/sh", args=("-c", SCRIPT))
        await self.state.create(Resource.new(id, ServiceGate(waiting_for=("network",))))
        await self.state.create(Resource.new(id, container))
        await self.until(id, ServicePhase.WAITING)
        await self._runtime.settled()
        return id

    async def open(self, id: str) -> float:
        """Open its gate; milliseconds until it is Running."""
        begin = time.perf_counter()
        await self.state.apply(Resource.new(id, ServiceGate()))
        await self.until(id, ServicePhase.RUNNING)
        return (time.perf_counter() - begin) * 1000

    async def start(self) -> float:
        """Milliseconds of one start; it is taken away then."""
        id = await self.wait()
        taken = await self.open(id)
        await self.end(id)
        return taken

    async def until(self, id: str, phase: ServicePhase) -> ServiceState:
        resource = await self.state.watch_for(
            ServiceState, id, lambda state: state.spec.phase is phase
        )
        return resource.spec

    async def end(self, id: str) -> None:
        state = (await self.state.get(ServiceState, id)).spec
        if state.pid is not None:
            # At once: a shell that has only just begun does not mind SIGTERM, and has ten seconds.
            os.kill(state.pid, signal.SIGKILL)
        await self.state.teardown_and_destroy(ContainerSpec, id)
        await self.state.teardown_and_destroy(ServiceGate, id)


@contextmanager
def orphans_go_to_process_1() -> Iterator[None]:
    """The time in which a machine of ours, in this process, does not become the parent of orphans.

    It would look at the others' processes whenever a child ends, and keep them as zombies.
    """
    before = syscalls.is_child_subreaper()
    syscalls.set_child_subreaper(False)
    try:
        yield
    finally:
        syscalls.set_child_subreaper(before)


class Bare:
    """`runc run --detach` of the bundle that ours was started from.

    Each with a new root filesystem, as ours has: mount points are made in it.
    """

    def __init__(self, directory: Path, config: str, rootfs: Callable[[str], Path]) -> None:
        self._bundle = directory
        self._rootfs = rootfs
        self._count = 0
        self._config = json.loads(config)
        self._runc = ("runc", "--root", str(directory / "state"))

    def start(self) -> float:
        """Milliseconds until it runs; it is taken away then."""
        self._count += 1
        id = f"bare{self._count}"
        self._config["root"]["path"] = str(self._rootfs(id))
        self._config["linux"]["cgroupsPath"] = f"{CGROUP}/{id}"
        (self._bundle / "config.json").write_text(json.dumps(self._config))
        command = (*self._runc, "run", "--detach", "--bundle", str(self._bundle), id)
        with orphans_go_to_process_1():
            begin = time.perf_counter()
            run_detached(command)
            taken = (time.perf_counter() - begin) * 1000
            run_detached((*self._runc, "delete", "--force", id))
        return taken

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around all starts: the cgroup above theirs is there all the time, as that above ours."""
        try:
            yield
        finally:
            Cgroups().remove_empty(CGROUP)


def run_detached(command: tuple[str, ...]) -> None:
    """Without pipes: a container would inherit them, and who waits for their end waits long."""
    subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


class Containerd:
    """A containerd of our own, and `ctr` to talk to it."""

    def __init__(self, directory: Path, rootfs: Callable[[str], Path]) -> None:
        self._directory = directory
        self._rootfs = rootfs
        self._socket = directory / "containerd.sock"
        self._ctr = ("ctr", "--address", str(self._socket))
        self._count = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        config = self._directory / "config.toml"
        disabled = '"io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs"'
        config.write_text(f"version = 2\ndisabled_plugins = [{disabled}]\n")
        where = [f"--{what}={self._directory / what}" for what in ("root", "state")]
        command = ["containerd", f"--config={config}", f"--address={self._socket}", *where]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, **quiet) as daemon:
            try:
                self._await()
                yield
            finally:
                daemon.terminate()

    def _await(self) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            done = subprocess.run((*self._ctr, "version"), check=False, capture_output=True)
            if done.returncode == 0:
                return
            time.sleep(0.1)  # it has no other sign
        raise TimeoutError("containerd does not answer")

    def start(self) -> tuple[str, float]:
        """Its id, and milliseconds until it runs."""
        self._count += 1
        id = f"bench{self._count}"
        # As our containers have it, and Talos's: the default seccomp profile, the host's network.
        flags = ("--detach", "--seccomp", "--net-host")
        program = ("--rootfs", str(self._rootfs(id)), id, "/bin/sh", "-c", SCRIPT)
        with orphans_go_to_process_1():
            begin = time.perf_counter()
            run_detached((*self._ctr, "run", *flags, *program))
            return id, (time.perf_counter() - begin) * 1000

    def end(self, id: str) -> None:
        run_detached((*self._ctr, "task", "rm", "--force", id))
        run_detached((*self._ctr, "container", "rm", id))

    def shims(self) -> list[int]:
        """The process ids of its shims."""
        found: list[int] = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                command = _command(process)
                if b"containerd-shim" in command and str(self._socket).encode() in command:
                    found.append(int(process.name))
        return found


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""  # it has ended


def pss(pid: int | str) -> int:
    """Kilobytes of memory: its own, and its share of what it shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


async def weigh(count: int) -> float:
    """Kilobytes by which this process grows for each of ``count`` running containers."""
    with directory() as root:
        machine = Machine(root)
        async with machine.running():
            # What is allocated once is not of any container.
            for id in [await machine.wait() for _ in range(3)]:
                await machine.open(id)
            before = pss("self")
            for id in [await machine.wait() for _ in range(count)]:
                await machine.open(id)
            return (pss("self") - before) / count


async def start_at_each_line(runtime: str) -> None:
    with directory() as root:
        machine = Machine(root, runtime)
        async with machine.running():
            await answer_each_line(machine.start)


def starts_with_v2_alone(runtime: str) -> AbstractContextManager[Callable[[], float]]:
    """What does :meth:`Machine.start` on a machine in a process of its own."""
    module = ("-m", "benchmarks.container_machine", "start", runtime)
    return line_process((*WITH_V2_ALONE, sys.executable, *module))


if __name__ == "__main__":
    if sys.argv[1] == "start":
        asyncio.run(start_at_each_line(sys.argv[2]))
    else:
        print(asyncio.run(weigh(int(sys.argv[2]))))
