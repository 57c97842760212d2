"""The command line of an OCI runtime: runc, or crun, which takes the same one."""

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
"""After which a runtime's command is killed; it takes 5 to 50 milliseconds."""

_ANSWER_LIMIT: Final = 1024 * 1024

_PREFIX: Final = re.compile(r"^runc (create|run|start|delete|kill|state) failed: ")
_LINE: Final = re.compile(r'time="[^"]*" level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"')


class RuntimeFailure(Exception):
    """A runtime's command failed; the text is what it said last, without its own name."""


@dataclass(frozen=True)
class RuntimeState:
    """The state of a container as its runtime tells it (OCI runtime-spec 1.3, "State")."""

    status: str = ""
    """`creating`, `created`, `running`, `stopped`; "" if there is no such container."""
    pid: int = 0
    """0 when it is not running."""


class OCIRuntime:
    """One runtime, with a state directory of its own.

    Containers are started by `run --detach`; `create` and then `start` does the same by two
    commands, and takes 5 milliseconds longer, a tenth of what a start costs.
    """

    def __init__(self, program: str, state: Path) -> None:
        self._program = program
        self._state = state

    def version(self) -> str:
        """What `--version` prints; raises `OSError` if there is no such program."""
        command = (self._program, "--version")
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 as below
        return done.stdout.decode(errors="replace")

    async def run(self, directory: RunDirectory, output: int) -> int:
        """Create and start a container that writes to `output`; return its main process's id.

        The command hands its own output on to the container: it must be nothing that is waited
        on. Raises :class:`RuntimeFailure`.
        """
        pid_file = directory.pid_file
        flags = ("--detach", "--bundle", str(directory.path), "--pid-file", str(pid_file))
        await self._run(("run", *flags, directory.id), directory.runtime_log, output)
        pid = int(pid_file.read_bytes())
        await _orphaned(pid)
        return pid

    async def delete(self, id: str, log: Path) -> None:
        """Kill it if need be and take away what the runtime keeps of it; fine if there is none.

        Raises :class:`RuntimeFailure`.
        """
        if self.known(id):
            await self._run(("delete", "--force", id), log)

    async def finish_commands(self) -> None:
        """Wait for the commands that a supervisor was waiting for when it was killed.

        One that is killed too may leave a cgroup frozen, or a container half made.
        """
        for process in _started_with(("--root", str(self._state))):
            if _is_container(process.pid):
                process.close()
            else:
                await _finished(process)

    def known(self, id: str) -> bool:
        """Whether the runtime keeps anything of that name."""
        return (self._state / id).exists()

    async def state(self, id: str, log: Path) -> RuntimeState:
        """What the runtime knows of a container."""
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
            os.unlink(answer)  # noqa: PTH108 knows only the other way to say it

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
            words = said(log)
            raise RuntimeFailure(words or f"{self._program} {arguments[0]} ended with {code}")


def _spawn(command: tuple[str, ...], output: int | None) -> subprocess.Popen[bytes]:
    """Start a command (vfork); its output must not be waited on, containers inherit it."""
    out = subprocess.DEVNULL if output is None else output
    return subprocess.Popen(  # noqa: S603 a runtime that was chosen, and arguments of ours
        command, env=command_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out
    )


def command_environment() -> dict[str, str]:
    """Of a runtime's command: ours, without what the service manager says to us alone."""
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}


async def _ended(command: subprocess.Popen[bytes]) -> int:
    """Wait for a command by pidfd, and reap it; killed if it takes too long, or is cancelled."""
    process = Process.find(command.pid)
    if process is None:  # pragma: no cover, as an unreaped child has its id
        return command.wait()
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            code = await process.wait()
        # It is reaped; Popen must not wait for whoever has got its id by then.
        command.returncode = -1 if code is None else code
    except BaseException:
        process.signal(signal.SIGKILL)
        command.wait()
        raise
    finally:
        process.close()
    return command.returncode


async def _orphaned(pid: int) -> None:
    """Wait until whoever has made a container is gone, so that the container is our child.

    crun makes it in a process that it forks, and that outlives the command by a moment. A container
    that ends in this moment would come to us as a zombie later on, when nobody waits for it.
    """
    stat = read_stat(pid)
    maker = read_stat(stat.parent) if stat else None
    if maker and maker.parent == os.getpid():
        process = Process.find(maker.pid, maker.start_time)
        if process:
            await _finished(process)


async def _kill_forks(command: tuple[str, ...]) -> None:
    """Kill what a command that was killed has left at work, as crun does: see `_orphaned`."""
    for process in _started_with(command[1:]):
        process.signal(signal.SIGKILL)
        await _finished(process)


def _started_with(arguments: tuple[str, ...]) -> Iterator[Process]:
    """The living processes that were given these arguments, wherever they are among their own."""
    words = b"\0".join((b"", *map(os.fsencode, arguments), b""))
    for stat in all_processes():
        if stat.dead or words not in _command_line(stat.pid):
            continue
        if process := Process.find(stat.pid, stat.start_time):
            yield process


def _is_container(pid: int) -> bool:
    """Whether it has PIDs of its own: crun's is like its command until it executes its program."""
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


def said(log: Path) -> str:
    """The last error in a runtime's log, in one line; the log is done with then."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
        log.unlink()
    except OSError:
        return ""
    text = lines[-1] if lines else ""
    if found := _LINE.search(text):
        text = found[1].replace(r"\"", '"').replace(r"\\", "\\")
    return _PREFIX.sub("", text)
