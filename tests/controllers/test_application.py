"""The whole path, by the real program: the example machine lives, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from controllers.oci.overlay import mounted_overlays
from tests.controllers.conftest import OCI_RUNTIMES
from tests.program.process import Program

EXAMPLES = Path(__file__).parents[2] / "examples"
RUNTIMES = ["process", *OCI_RUNTIMES]


class Machine:
    """A copy of the example tree, and `cosi run` on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.seen: list[str] = []
        self._program: Program

    def _run(self, *more: str) -> tuple[str, ...]:
        fixture = str(EXAMPLES / "online.yaml")
        where = ("--root", str(self.root), "--fixtures", fixture, "--log-format", "console")
        return ("run", *where, *more)

    def command(self, *more: str) -> list[str]:
        """The same as a command line: a start with all that is loaded in it."""
        return [sys.executable, "-c", "from cosi.cli import main; main()", *self._run(*more)]

    @contextmanager
    def running(self, *more: str) -> Iterator[None]:
        with Program(*self._run(*more), joined=True) as self._program:
            try:
                yield
            finally:
                self._program.send_signal(signal.SIGKILL)

    def until(self, pattern: str) -> re.Match[str]:
        """Read what the program prints until a line matches; it ending first is a failure."""
        assert self._program.stdout is not None
        for line in self._program.stdout:
            self.seen.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"no line matches {pattern!r}:\n" + "".join(self.seen))

    def signal(self, number: int) -> None:
        self._program.send_signal(number)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        assert self._program.stdout is not None
        self.seen += self._program.stdout
        return self._program.wait()

    def definition(self, name: str) -> Path:
        return self.root / f"usr/local/etc/containers/{name}.yaml"

    def service(self, name: str, program: str, *container: str) -> None:
        """Define a service that has only ``program`` of the host, and shows what it says."""
        rootfs = self.root / f"usr/local/lib/containers/{name}"
        inside = rootfs / program.removeprefix("/")
        inside.parent.mkdir(parents=True)
        shutil.copy(program, inside)
        text = "".join(f"  {line}\n" for line in (f"entrypoint: {program}", *container))
        self.definition(name).parent.mkdir(parents=True, exist_ok=True)
        self.definition(name).write_text(
            f"name: {name}\ncontainer:\n{text}restart: never\nlogToConsole: true\n"
        )

    def clear_away(self) -> None:
        """Take away what a test that failed has left: it would be in the way of others."""
        for state in self.root.glob("run/cosi/containers/*/state.json"):
            if pid := json.loads(state.read_text())["pid"]:  # 0 is what was about to start
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for mount in list(mounted_overlays()):
            if mount.is_relative_to(self.root):
                subprocess.run(("umount", "--lazy", mount), check=True)

    def leftovers(self) -> list[str]:
        """Processes, mounts and run directories that belong to this machine."""
        mine = str(self.root)
        mounts = [m for m in Path("/proc/self/mountinfo").read_text().splitlines() if mine in m]
        run = [str(path) for path in self.root.glob("run/cosi/*/*")]
        return mounts + run + list(_processes_of(mine))


def _processes_of(root: str) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            there = os.readlink(process / "cwd"), os.readlink(process / "root")  # noqa: PTH115
        except OSError:
            continue  # gone, or somebody else's
        if any(path.startswith(root) for path in there):
            yield f"{process.name}: {(process / 'cmdline').read_bytes()!r}"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    root = tmp_path / "rootfs"
    left_by_others = shutil.ignore_patterns("run", "var", "system")
    shutil.copytree(EXAMPLES / "rootfs", root, symlinks=True, ignore=left_by_others)
    machine = Machine(root)
    yield machine
    machine.clear_away()


def namespace(pid: str, name: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/{name}")  # noqa: PTH115


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_once_shows_every_life_and_leaves_nothing(machine: Machine, runtime: str) -> None:
    done = subprocess.run(
        machine.command("--runtime", runtime, "--once"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "service[ext-hello-world](Waiting): Waiting for network" in done.stderr
    assert "ext-hello-world: Hello from an extension service!" in done.stdout
    assert "ext-prepare: everything is prepared" in done.stdout
    guest = "world" if runtime == "process" else "everybody"  # no mounts without containers
    assert f"ext-greeter: Good morning, {guest}!" in done.stdout
    table = re.findall(r"^localhost +(\S+) +(\S+) +\?", done.stdout, re.MULTILINE)
    assert table == [
        ("ext-greeter", "Running"),
        ("ext-hello-world", "Running"),
        ("ext-prepare", "Finished"),
    ]
    assert machine.leftovers() == []


@pytest.mark.parametrize("runtime", OCI_RUNTIMES)
def test_a_service_has_its_own_namespaces_and_the_hosts_network(
    machine: Machine, runtime: str
) -> None:
    with machine.running("--runtime", runtime):
        pid = machine.until(r"Started task ext-hello-world \(PID (\d+)\)")[1]
        for name in ("pid", "mnt", "uts"):
            assert namespace(pid, name) != namespace("self", name)
        for name in ("net", "ipc", "user"):
            assert namespace(pid, name) == namespace("self", name)
        machine.until(r"\[ext-greeter\]\(Running\)")
        assert machine.stop() == 0
    stopped = [line for line in machine.seen if "Sending SIGTERM" in line]
    assert ["greeter" in line for line in stopped] == [True, False]  # who depends goes first
    assert machine.leftovers() == []


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_files_and_processes_that_change_while_it_runs(machine: Machine, runtime: str) -> None:
    with machine.running("--runtime", runtime):
        first = machine.until(r"Started task ext-hello-world \(PID (\d+)\)")[1]
        machine.until(r"\[ext-greeter\]\(Running\)")

        definition = machine.definition("hello-world")
        definition.write_text(definition.read_text().replace("--config", "-c"))
        machine.until(r"Sending SIGTERM to task ext-hello-world")
        machine.until(r"Error running Containerd\(ext-hello-world\), going to restart forever: ")

        definition.write_text(definition.read_text().replace("-c\n", "--config\n"))
        second = machine.until(r"Started task ext-hello-world \(PID (\d+)\)")[1]
        assert second != first

        machine.definition("greeter").unlink()
        machine.until(r"Sending SIGTERM to task ext-greeter")
        assert machine.stop() == 0
    assert not any("ext-greeter" in line for line in machine.seen[-2:])
    assert machine.leftovers() == []


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_machines_environment_reaches_the_process_and_its_change_too(
    machine: Machine, runtime: str
) -> None:
    """Issue 14, item 10; the process says what it has, not we."""
    config = machine.root / "etc/cosi/config.yaml"
    shutil.rmtree(machine.root / "usr")
    machine.service("env", "/bin/busybox", 'args: ["env"]')
    text = "machine: {env: {FROM: machine}}\n---\napiVersion: v1alpha1\nkind: EnvironmentConfig\n"
    config.write_text(text + "variables: {OTHER: one}\n")
    with machine.running("--runtime", runtime):
        machine.until(r"ext-env: FROM=machine")
        machine.until(r"ext-env: OTHER=one")
        config.write_text(text + "variables: {OTHER: two}\n")
        machine.until(r"ext-env: OTHER=two")
        assert machine.stop() == 0
    # The first start had it all: nothing was started without, to be started again.
    assert "restart" not in "".join(machine.seen).partition("OTHER=one")[0]
    assert machine.leftovers() == []


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_services_that_are_left_are_taken_over_by_the_next(machine: Machine, runtime: str) -> None:
    with machine.running("--runtime", runtime, "--on-exit", "leave"):
        pid = machine.until(r"Started task ext-greeter \(PID (\d+)\)")[1]
        assert machine.stop() == 0
    os.kill(int(pid), 0)  # it is there
    with machine.running("--runtime", runtime):
        assert machine.until(r"Took over task ext-greeter \(PID (\d+)\)")[1] == pid
        assert machine.stop() == 0
    assert machine.leftovers() == []


RELUCTANT = """\
#!/bin/sh
trap 'echo going; read leave <may-go; exit' TERM
echo up
while :; do sleep 0.01; done
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_cut_the_stop_short(
    machine: Machine, number: signal.Signals
) -> None:
    """An impatient Ctrl-C left containers and mounts behind, and "Aborted!"."""
    rootfs = machine.root / "usr/local/lib/containers/hello-world"
    (rootfs / "hello").write_text(RELUCTANT)
    os.mkfifo(rootfs / "may-go")
    with machine.definition("hello-world").open("a") as definition:
        definition.write("logToConsole: true\n")
    with machine.running("--runtime", "process"):
        machine.until("ext-hello-world: up")
        machine.signal(number)
        machine.until("ext-hello-world: going")
        machine.signal(number)
        machine.until(f"{number.name}: everything is being stopped in order already")
        (rootfs / "may-go").write_text("yes\n")
        assert machine.ended() == 0
    assert machine.leftovers() == []


@pytest.mark.lengthy
def test_a_process_that_is_killed_is_started_again_after_five_seconds(machine: Machine) -> None:
    """With whatever runs containers here: it takes its time once."""
    with machine.running():
        first = machine.until(r"Started task ext-hello-world \(PID (\d+)\)")[1]
        os.kill(int(first), signal.SIGKILL)
        machine.until(
            r"\(Waiting\): Error running Containerd\(ext-hello-world\), going to restart forever: "
            r'task "ext-hello-world" failed: exit code 137 '
        )
        killed = time.monotonic()
        assert machine.until(r"Started task ext-hello-world \(PID (\d+)\)")[1] != first
        assert 4.9 < time.monotonic() - killed < 8
        assert machine.stop() == 0
    assert machine.leftovers() == []


def test_a_runtime_that_is_not_there_is_one_line_and_exit_2(machine: Machine) -> None:
    nowhere = os.environ | {"PATH": "/nonexistent"}
    done = subprocess.run(
        machine.command("--runtime", "crun"),
        capture_output=True,
        text=True,
        check=False,
        env=nowhere,
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("cosi: --runtime crun: ")


def test_a_tree_that_is_supervised_already_is_one_line_and_exit_2(machine: Machine) -> None:
    """With a socket of its own it ran beside the first, threw tracebacks, and `--once` was fine."""
    command = machine.command("--runtime", "process", "--once")
    elsewhere = ("--socket", str(machine.root / "other.sock"))
    with machine.running("--runtime", "process"):
        machine.until(r"\[ext-hello-world\]\(Running\)")
        done = subprocess.run((*command, *elsewhere), capture_output=True, text=True, check=False)
        assert machine.stop() == 0
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    lock = machine.root / "run/cosi/lock"
    assert line == f"cosi: --root {machine.root}: another supervisor holds {lock}: stop it first"


def test_a_tree_without_a_place_for_the_run_is_one_line_and_exit_2(machine: Machine) -> None:
    """A read-only tree, say: it threw tracebacks for ever, and `--once` found nothing wrong."""
    (machine.root / "run").write_text("a file, where a directory is needed")
    done = subprocess.run(
        machine.command("--runtime", "process", "--once"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"cosi: --root {machine.root}: run directory cannot be used: ")
