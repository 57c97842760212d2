"""The driver for OCI runtimes: runc, or crun, which takes the same command line."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Collection, Mapping
from functools import partial
from typing import Final

from anyio import CancelScope
from typing_extensions import override

from controllers.drivers.driver import (
    Adopted,
    Preparation,
    PreparationError,
    RunnerError,
    StartError,
    StopError,
)
from controllers.drivers.local_driver import (
    LocalDriver,
    LocalPreparation,
    whole,
    with_reason,
)
from controllers.drivers.os_errors import failing_as
from controllers.drivers.task import RunningTask, RunOps
from controllers.files.entrypoint import (
    container_view,
)
from controllers.files.inside import (
    Mounted,
)
from controllers.oci.cgroups import Cgroups
from controllers.oci.executable import IN_ROOTFS, obstacle
from controllers.oci.host_facts import read_host_facts
from controllers.oci.layers import Layers
from controllers.oci.mount_sources import MountSourceError, make_missing_sources
from controllers.oci.runtime import OCIRuntime, RuntimeFailure
from controllers.oci.spec import Bundle, cgroup_path, notes, oci_spec
from controllers.output.console import Show
from controllers.output.output import ServiceOutput
from controllers.paths import Paths
from controllers.processes.processes import Process
from controllers.processes.run_directory import (
    RunDirectory,
    RunState,
)
from resources.container_spec import ContainerSpec
from resources.go_format import (
    os_error_text,
    quote,
)

_log: Final = logging.getLogger("cosi.containers")


class OCIDriver(LocalDriver):
    """Runs each service in a container like Talos's, without a helper process for each."""

    def __init__(
        self,
        program: str,
        paths: Paths,
        *,
        console: Show | None = None,
        environment: tuple[str, ...] = (),
    ) -> None:
        """``program`` is the runtime's executable; raises ``OSError`` if it is missing."""
        super().__init__(paths, console=console, environment=environment)
        self._program = program
        self._runtime = OCIRuntime(program, paths.runtime)
        self._facts = read_host_facts(self._runtime.version(), paths.tree)
        self._notes = notes(self._facts)
        self._cgroups = Cgroups()
        self._layers = Layers(paths)

    @property
    @override
    def name(self) -> str:
        return self._program

    @override
    async def prepare(self, id: str, container: ContainerSpec) -> LocalPreparation:
        """Mount the writable layer (Talos 1.14: "pre state"), and create the runner.

        Both in one call in a thread: on a busy machine each such call waits for a processor.
        """
        await self.takeover.make_room(id)
        preparation = LocalPreparation(id, container)
        with failing_as(PreparationError, "openfs failed: "):
            await self.in_thread(self._prepare, preparation)
        return preparation

    @override
    async def create_runner(self, preparation: Preparation) -> None:
        """Raise the error of :meth:`prepare`, which did the work."""
        if failure := self.own(preparation).failure:
            raise failure

    @override
    async def adopt(self) -> Mapping[str, Adopted]:
        # A command that outlived its supervisor could still make a container, unnoticed.
        await self._runtime.finish_commands()
        return await super().adopt()

    @override
    async def create_and_start(self, preparation: Preparation) -> RunningTask:
        return await whole(self._create_and_start(self.own(preparation)))

    @override
    async def release(self, preparation: Preparation) -> None:
        with CancelScope(shield=True):
            with failing_as(StopError, "failed to unmount "):
                await self.in_thread(self._layers.unmount, preparation.container.name)
            with failing_as(StopError, "failed to remove the run directory: "):
                self.directory(preparation.id).remove()

    @override
    async def forget_service(self, id: str) -> None:
        await super().forget_service(id)
        await self.in_thread(self._layers.forget, id.partition("-")[2])

    def _prepare(self, preparation: LocalPreparation) -> None:
        container = preparation.container
        keep_changes = container.security.writeable_rootfs
        note = self._layers.mount(container.name, keep_changes=keep_changes)
        preparation.notes = (*self._notes, note) if note else self._notes
        try:
            with failing_as(RunnerError):
                self._create_runner(preparation)
        except Exception as error:
            # Any exception: the layer is mounted now, and has to be released.
            preparation.failure = error

    def _create_runner(self, preparation: LocalPreparation) -> None:
        container = preparation.container
        rootfs = self._layers.rootfs(container.name)
        config_files = self.paths.config_files_of(container.name)
        files = [Mounted(f.mount_path, config_files / f.file_name) for f in container.config_files]
        view = container_view(rootfs, container.mounts, files)
        program = self.entrypoint(container, view)
        try:
            make_missing_sources(container.mounts, rootfs)
        except MountSourceError as error:
            raise RunnerError(str(error)) from error
        environment = self.process_environment(container)
        bundle = Bundle(rootfs, config_files, environment)
        directory = self.directory(preparation.id)
        directory.make()
        # The runtime's files there contain the environment.
        self.paths.beneath.make_private(self.paths.runtime)
        directory.write_bundle(oci_spec(container, self._facts, bundle))
        preparation.obstacle = obstacle(container.entrypoint, program, view, IN_ROOTFS)

    async def _create_and_start(self, preparation: LocalPreparation) -> RunningTask:
        directory = self.directory(preparation.id)
        failure = f"failed to create task: {quote(directory.id)}: "
        with failing_as(StartError, failure):
            output = self.output(directory)
        with self.reaper.expecting():
            try:
                process = await self._run(directory, preparation.container, output)
            except (RuntimeFailure, OSError) as error:
                await self._undo(preparation, output)
                reason = os_error_text(error) if isinstance(error, OSError) else str(error)
                raise StartError(failure + with_reason(reason, preparation)) from error
            return self.run(preparation, process, process.pid, output)

    async def _run(
        self, directory: RunDirectory, container: ContainerSpec, output: ServiceOutput
    ) -> Process:
        """Start the container, after removing the rest of an older one of that name."""
        await self._runtime.delete(directory.id, directory.runtime_log)
        directory.forget_pid()
        # The state is written before the container may run, so that the next supervisor knows its
        # spec, and again after, so that this one need not ask the runtime for its PID.
        to_come = RunState.to_come(self.name, container)
        directory.write_state(to_come)
        with output.for_container() as fd:
            pid = await self._runtime.run(directory, fd)
        process = Process.find(pid)
        if process is None:
            raise RuntimeFailure(f"process {pid} is gone, and another process has reaped it")
        try:
            directory.write_state(to_come.begun(process))
        except OSError:
            # It runs, and the next supervisor could not find it.
            process.signal(signal.SIGKILL)
            await process.wait()
            process.close()
            raise
        return process

    async def _undo(self, preparation: LocalPreparation, output: ServiceOutput) -> None:
        # The output comes from the runtime's command, and the error has it.
        output.discard()
        with contextlib.suppress(StopError):
            await self._destroy(preparation.id, preparation.container.name)
        self.directory(preparation.id).end_run()

    def _ops(self, preparation: LocalPreparation, pid: int) -> RunOps:
        id, name = preparation.id, preparation.container.name

        async def destroy() -> None:
            with self.ending(id, pid):
                await self._destroy(id, name)

        session_members, thaw = partial(self._members, name), partial(self._thaw, name)
        return RunOps(session_members, destroy, thaw, preparation.obstacle)

    def _thaw(self, name: str) -> None:
        self._cgroups.thaw(cgroup_path(name, self._facts))

    def _members(self, name: str) -> Collection[int]:
        return self._cgroups.processes(cgroup_path(name, self._facts))

    async def _destroy(self, id: str, name: str) -> None:
        """Remove the container and its cgroup; raises :class:`StopError` if one stays."""
        problems: list[str] = []
        try:
            await self._runtime.delete(id, self.directory(id).runtime_log)
        except RuntimeFailure as error:
            problems.append(f"failed to clean up the task: {error}")
        try:
            self._cgroups.remove(cgroup_path(name, self._facts))
        except OSError as error:
            reason = os_error_text(error)
            problems.append(f"failed to remove cgroup for Containerd({id}), {reason}")
        if problems:
            raise StopError("; ".join(problems))

    @override
    async def still_runs(self, directory: RunDirectory, state: RunState) -> RunState | None:
        if state.driver != self.name:
            return None
        known = await self._runtime.state(directory.id, directory.runtime_log)
        if known.status in {"created", "creating"}:
            return None
        if state.pid:
            return state
        # Its supervisor was killed before it could write the PID.
        return state.found(known.pid) if known.pid else None

    @override
    def make_killable(self, directory: RunDirectory) -> None:
        self._thaw(directory.id.partition("-")[2])

    @override
    async def destroy_left_over(self, directory: RunDirectory) -> None:
        with contextlib.suppress(StopError):
            await self._destroy(directory.id, directory.id.partition("-")[2])

    def _release_all_but(self, adopted: Mapping[str, Adopted]) -> None:
        names = {each.preparation.container.name for each in adopted.values() if each.preparation}
        names.update(id.partition("-")[2] for id in self.left)
        self._layers.unmount_all_but(names)

    def _tidy_up(self) -> None:
        super()._tidy_up()
        parent = cgroup_path("x", self._facts).rpartition("/")[0]
        self._cgroups.remove_empty(parent)
