"""Runs the commands of an OCI runtime: runc, or crun, which has the same command line."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controllers.output.descriptor_store import VARIABLES
from controllers.processes.processes import Process, all_processes, read_stat
from controllers.processes.run_directory import (
    RunDirectory,
)
from resources.go_format import (
    os_error_text,
)

COMMAND_SECONDS: Final = 60.0
"""A runtime's command is killed after this time; usually it takes 5 to 50 milliseconds."""

_ANSWER_LIMIT: Final = 1024 * 1024

_PREFIX: Final = re.compile(r"^runc (create|run|start|delete|kill|state) failed: ")
_LINE: Final = re.compile(r'time="[^"]*" level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"')


class RuntimeFailure(Exception):
    """A runtime's command failed; the message is the last one in its log, without its name."""


@dataclass(frozen=True)
class RuntimeState:
    """The state of a container reported by its runtime (OCI runtime-spec 1.3, "State")."""

    status: str = ""
    """``creating``, ``created``, ``running``, ``stopped``; "" if the container does not exist."""
    pid: int = 0
    """0 if it is not running."""


class OCIRuntime:
    """One runtime, with its own state directory.

    Containers are started by ``run --detach``. ``create`` and then ``start`` would do the same with
    two commands, and take 5 milliseconds longer, a tenth of the whole start.
    """

    def __init__(self, program: str, state: Path) -> None:
        self._program = program
        self._state = state

    def version(self) -> str:
        """The output of ``--version``; raises ``OSError`` if the program does not exist."""
        command = (self._program, "--version")
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 as below
        return done.stdout.decode(errors="replace")

    async def run(self, directory: RunDirectory, output: int) -> int:
        """Create and start a container that writes to ``output``; return its main process's id.

        The command passes ``output`` on to the container, so the caller must not wait for its end.
        Raises :class:`RuntimeFailure`.
        """
        pid_file = directory.pid_file
        flags = ("--detach", "--bundle", str(directory.path), "--pid-file", str(pid_file))
        await self._run(("run", *flags, directory.id), directory.runtime_log, output)
        pid = int(pid_file.read_bytes())
        await _orphaned(pid)
        return pid

    async def delete(self, id: str, log: Path) -> None:
        """Kill the container if it runs, and remove the runtime's files about it, if any.

        Raises :class:`RuntimeFailure`.
        """
        if self.known(id):
            await self._run(("delete", "--force", id), log)

    async def finish_commands(self) -> None:
        """Wait for the runtime commands that a killed supervisor had started.

        If they were killed, too, a cgroup could stay frozen, or a container half created.
        """
        for process in _started_with(("--root", str(self._state))):
            if _is_container(process.pid):
                process.close()
            else:
                await _finished(process)

    def known(self, id: str) -> bool:
        """Whether the runtime has files about a container with that name."""
        return (self._state / id).exists()

    async def state(self, id: str, log: Path) -> RuntimeState:
        """The state of a container, reported by the runtime."""
        answer = log.with_name("answer.json")
        fd = os.open(answer, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            await self._run(("state", id), log, fd)
            fields = json.loads(os.pread(fd, _ANSWER_LIMIT, 0))
            return RuntimeState(str(fields["status"]), int(fields["pid"]))
        except (RuntimeFailure, ValueError, KeyError):
            return RuntimeState()
        finally:
            os.close(fd)
            os.unlink(answer)  # noqa: PTH108 a plain string, not a Path

    async def _run(self, arguments: tuple[str, ...], log: Path, output: int | None = None) -> None:
        flags = ("--root", str(self._state), "--log", str(log))
        command = (self._program, *flags, *arguments)
        try:
            code = await _ended(_spawn(command, output))
        except TimeoutError:
            await _kill_forks(command)
            raise RuntimeFailure(
                f"{self._program} {arguments[0]} did not end within {COMMAND_SECONDS:g} seconds"
            ) from None
        except OSError as error:
            raise RuntimeFailure(os_error_text(error)) from error
        if code != 0:
            words = logged_words(log)
            raise RuntimeFailure(words or f"{self._program} {arguments[0]} ended with {code}")


def _spawn(command: tuple[str, ...], output: int | None) -> subprocess.Popen[bytes]:
    """Start a command (vfork); containers inherit its output, so its end must not be awaited."""
    out = subprocess.DEVNULL if output is None else output
    return subprocess.Popen(  # noqa: S603 the chosen runtime, with our own arguments
        command, env=command_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out
    )


def command_environment() -> dict[str, str]:
    """The environment of a runtime's command: ours, without the service manager's variables."""
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}


async def _ended(command: subprocess.Popen[bytes]) -> int:
    """Wait for a command by pidfd, and reap it; kill it at a timeout or a cancellation."""
    process = Process.find(command.pid)
    if process is None:  # pragma: no cover, because an unreaped child keeps its id
        return command.wait()
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            code = await process.wait()
        # It is reaped; Popen must not wait for another process that has its id by now.
        command.returncode = -1 if code is None else code
    except BaseException:
        process.signal(signal.SIGKILL)
        command.wait()
        raise
    finally:
        process.close()
    return command.returncode


async def _orphaned(pid: int) -> None:
    """Wait until the process that made a container has ended, so that the container is our child.

    crun forks a process to make the container, and that process outlives the command for a moment.
    A container that ends in this moment would become our zombie later, when no task waits for it.
    """
    stat = read_stat(pid)
    maker = read_stat(stat.parent) if stat else None
    if maker and maker.parent == os.getpid():
        process = Process.find(maker.pid, maker.start_time)
        if process:
            await _finished(process)


async def _kill_forks(command: tuple[str, ...]) -> None:
    """Kill the forked processes of a killed command (crun: see ``_orphaned``)."""
    for process in _started_with(command[1:]):
        process.signal(signal.SIGKILL)
        await _finished(process)


def _started_with(arguments: tuple[str, ...]) -> Iterator[Process]:
    """The living processes whose command line contains these arguments in a row."""
    words = b"\0".join((b"", *map(os.fsencode, arguments), b""))
    for stat in all_processes():
        if stat.dead or words not in _command_line(stat.pid):
            continue
        if process := Process.find(stat.pid, stat.start_time):
            yield process


def _is_container(pid: int) -> bool:
    """Whether it has its own PID namespace: crun's container has the same command line as crun
    until it executes its program."""
    try:
        return Path(f"/proc/{pid}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
    except OSError:
        return False


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def _finished(process: Process) -> None:
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            await process.wait()
    except TimeoutError:
        process.signal(signal.SIGKILL)
        await process.wait()
    finally:
        process.close()


def logged_words(log: Path) -> str:
    """The last error in a runtime's log, as one line; removes the log."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
        log.unlink()
    except OSError:
        return ""
    text = lines[-1] if lines else ""
    if found := _LINE.search(text):
        text = found[1].replace(r"\"", '"').replace(r"\\", "\\")
    return _PREFIX.sub("", text)
