"""The driver for plain processes: without isolation or privileges, for laptops and first steps.

The entrypoint is looked up in the service's root filesystem, which is the working directory, so
that ``./hello --config config.ini`` finds both files; a path that is missing there is taken as the
host's. A script's interpreter is always the host's. All other features of a container are missing,
and a note for the events lists them.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from typing_extensions import override

from controllers.drivers.driver import (
    Adopted,
    Preparation,
    PreparationError,
    StartError,
    StopError,
)
from controllers.drivers.local_driver import (
    LocalDriver,
    LocalPreparation,
    with_reason,
)
from controllers.drivers.os_errors import failing_as
from controllers.drivers.task import RunningTask, RunOps
from controllers.files.inside import (
    ContainerView,
    Missing,
    Mounted,
)
from controllers.oci.executable import ON_HOST, obstacle
from controllers.output.output import ServiceOutput
from controllers.processes.processes import Process
from controllers.processes.run_directory import (
    RunDirectory,
    RunState,
)
from controllers.processes.session import NO_SESSION, kill_session, session_members
from cosi.api.open_files import limit_before
from resources.container_spec import ContainerSpec
from resources.extension_service import Security
from resources.go_format import (
    os_error_text,
    quote,
)


class ProcessDriver(LocalDriver):
    """Runs each service as one session of processes."""

    @property
    @override
    def name(self) -> str:
        return "process"

    @override
    async def prepare(self, id: str, container: ContainerSpec) -> LocalPreparation:
        await self.takeover.make_room(id)
        with failing_as(PreparationError, "openfs failed: "):
            # Only for its error, which names the directory.
            next(self.paths.rootfs(container.name).iterdir(), None)
        return LocalPreparation(id, container, tuple(_notes(container)))

    @override
    async def create_and_start(self, preparation: Preparation) -> RunningTask:
        own = self.own(preparation)
        directory = self.directory(own.id)
        failure = f"failed to create task: {quote(own.id)}: "
        with failing_as(StartError, failure):
            output = self.output(directory)
        try:
            process = self._start(own, directory, output)
        except OSError as error:
            output.discard()
            directory.end_run()
            reason = with_reason(os_error_text(error, "exec"), own)
            raise StartError(failure + reason) from error
        return self.run(own, process, process.pid, output)

    @override
    async def release(self, preparation: Preparation) -> None:
        with failing_as(StopError, "failed to remove the run directory: "):
            self.directory(preparation.id).remove()

    def _create_runner(self, preparation: LocalPreparation) -> None:
        container = preparation.container
        rootfs = self.paths.rootfs(container.name)
        self.entrypoint(container, _view(container, rootfs))
        preparation.environment = self.process_environment(container)
        program = Path(rootfs, _program(container.entrypoint, rootfs, None))
        host = ContainerView(Path("/"))
        preparation.obstacle = obstacle(container.entrypoint, program, host, ON_HOST)
        self.directory(preparation.id).make()

    def _start(
        self, preparation: LocalPreparation, directory: RunDirectory, output: ServiceOutput
    ) -> Process:
        # Before it runs, so that the next supervisor knows its spec.
        directory.write_state(RunState.to_come(self.name, preparation.container))
        process = self._spawn(preparation, output)
        directory.write_state(RunState.of(self.name, process, preparation.container))
        return process

    def _spawn(self, preparation: LocalPreparation, output: ServiceOutput) -> Process:
        container = preparation.container
        rootfs = self.paths.rootfs(container.name)
        environment = dict(item.split("=", 1) for item in preparation.environment)
        program = _program(container.entrypoint, rootfs, environment.get("PATH"))
        with output.for_container() as fd:
            child = subprocess.Popen(  # noqa: S603 the definition's entrypoint
                (container.entrypoint, *container.args),
                executable=program,
                cwd=rootfs,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=fd,
                stderr=fd,
                start_new_session=True,
            )
        # The task waits for the process by pidfd; Popen must not.
        child.returncode = 0
        _limit_files(child.pid)
        process = Process.find(child.pid)
        if process is None:
            raise ProcessLookupError(f"process {child.pid} ended before it could be watched")
        return process

    def _ops(self, preparation: LocalPreparation, pid: int) -> RunOps:
        fifo = self.directory(preparation.id).fifo

        async def destroy() -> None:
            with self.ending(preparation.id, pid), failing_as(StopError):
                await kill_session(pid, fifo)

        return RunOps(lambda: {stat.pid for stat in session_members(pid, fifo)}, destroy)

    @override
    async def still_runs(self, directory: RunDirectory, state: RunState) -> RunState | None:
        if state.driver != self.name:
            return None
        if state.pid:
            return state
        # Its supervisor was killed before it could write the PID. It is the leader of a session:
        # every other process that writes to that FIFO began as a member of one.
        leaders = [stat.pid for stat in session_members(NO_SESSION, directory.fifo) if stat.leads]
        return state.found(leaders[0]) if len(leaders) == 1 else None

    @override
    def make_killable(self, directory: RunDirectory) -> None:
        """Nothing to do: a process has no cgroup of its own that could be frozen."""

    @override
    async def destroy_left_over(self, directory: RunDirectory) -> None:
        """Nothing to do: there are only processes, which are gone."""

    def _release_all_but(self, adopted: Mapping[str, Adopted]) -> None:
        """Nothing to do: no preparation outlives this process."""


def _limit_files(pid: int) -> None:
    """Give a process the limit of open files that this one had before raising its own.

    Set after the start: before, it would need Python code between fork and exec.
    """
    if (limits := limit_before()) is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def _notes(container: ContainerSpec) -> Iterator[str]:
    left_out = ["namespaces", "cgroup"]
    if container.mounts or container.config_files:
        destinations = [mount.destination for mount in container.mounts]
        destinations += [file.mount_path for file in container.config_files]
        left_out.append(f"mounts ({', '.join(destinations)})")
    if container.security != Security():
        left_out.append("security options")
    yield f"Runs as a plain process, without {', '.join(left_out)}"


def _program(entrypoint: str, rootfs: Path, search: str | None) -> str:
    """The path of the program: in the root filesystem, else on the host."""
    if "/" not in entrypoint:
        return shutil.which(entrypoint, path=search or os.defpath) or entrypoint
    if not entrypoint.startswith("/"):
        return entrypoint  # found from the working directory: a script sees the path as written
    try:
        return str(ContainerView(rootfs).find(entrypoint) or entrypoint)
    except Missing:
        return entrypoint


def _view(container: ContainerSpec, rootfs: Path) -> ContainerView:
    """What a container would see; mounts are missing, so their paths may be the host's."""
    mounted = [mount.destination for mount in container.mounts]
    mounted += [file.mount_path for file in container.config_files]
    return ContainerView(rootfs, map(Mounted, mounted))
