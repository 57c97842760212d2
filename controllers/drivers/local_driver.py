"""What drivers that start processes of this host have in common.

One service, in a driver that is open::

    (nothing) --prepare--> prepared --create_runner, create_and_start--> running --its end--> ended
        ^                    |    ^                                                             |
        +------release-------+    +-------------------------clean_up----------------------------+
                                            what it cannot take away is in `left` from then on

    adopt, first of all, judges each run directory that a previous run has left (takeover.py):
        runs, and is this driver's     running; its preparation is known again
        anything else                  killed and taken away, then (nothing)
        neither is possible            in `left`; prepare tries again to take it away, and fails

Leaving :meth:`LocalDriver.open` lets go of what is running: its processes, its output and its run
directory stay as they are, for the next run to adopt.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from anyio import CancelScope

from controllers.drivers.driver import (
    Adopted,
    DriverError,
    Preparation,
    PreparationError,
    RunnerError,
    StopError,
)
from controllers.drivers.os_errors import failing_as
from controllers.drivers.takeover import Takeover
from controllers.drivers.task import RunningTask, RunOps
from controllers.files.entrypoint import (
    look_for,
    without_dots,
)
from controllers.files.inside import (
    ContainerView,
    Missing,
)
from controllers.oci.environment import process_environment
from controllers.oci.environment_file import EnvironmentFileError, parse_environment_file
from controllers.output.console import Console, Show
from controllers.output.descriptor_store import DescriptorStore
from controllers.output.logs import ServiceLogs
from controllers.output.output import ServiceOutput
from controllers.paths import Paths
from controllers.processes.instance_lock import LockError, instance_lock
from controllers.processes.processes import Process
from controllers.processes.reaper import Reaper
from controllers.processes.run_directory import (
    RunDirectory,
    RunState,
    run_directories,
)
from cosi.errors import Unsupported
from resources.container_spec import ContainerSpec
from resources.go_format import (
    os_error_text,
    quote,
)

P = ParamSpec("P")
R = TypeVar("R")

_log: Final = logging.getLogger("cosi.containers")

_THREADS: Final = 4
_ENVIRONMENT_FILE_LIMIT: Final = 1024 * 1024
"""Bytes that are read of one; no process could be given more."""


@dataclass
class LocalPreparation:
    """What was prepared for one service; made by `prepare`, filled by `create_runner`."""

    id: str
    container: ContainerSpec
    notes: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    failure: Exception | None = None
    """Why `create_runner` is to fail, where `prepare` has found that out already."""
    obstacle: str = ""
    """What keeps its program from being executed, if that is known."""


class LocalDriver(ABC):
    """Runs containers as processes of this host, and takes over those of a previous run.

    Everything that blocks is done in a few threads; everything that must not be left half done is
    shielded from cancellation, and takes milliseconds.
    """

    requires: tuple[str, ...] = ()
    debug = False
    """Whether every service's output is shown on the console (Talos: machine config `debug`)."""

    def __init__(
        self, paths: Paths, *, console: Show | None = None, environment: tuple[str, ...] = ()
    ) -> None:
        """`console` shows the output of `logToConsole`; `environment` is the machine's."""
        self.paths = paths
        self.logs = ServiceLogs(paths, _log.warning)
        self._environment = environment
        self._console = Console(console)
        self._threads: ThreadPoolExecutor | None = None
        self.reaper = Reaper()
        self.takeover = Takeover(self)
        self._store = DescriptorStore.of(os.environ)
        self._tasks: dict[str, RunningTask] = {}
        self._undone: dict[str, str] = {}

    @property
    @abstractmethod
    def name(self) -> str:
        """Of the driver, which is what its containers remember it by."""
        ...

    @property
    def left(self) -> Mapping[str, str]:
        """See :class:`~controllers.drivers.driver.Driver`."""
        return {**self._undone, **self.takeover.unjudged}

    async def clear_away(self) -> None:
        """See :class:`~controllers.drivers.driver.Driver`."""
        for id in tuple(self.takeover.unjudged):
            with contextlib.suppress(PreparationError):
                await self.takeover.make_room(id)
        # Whose taking away was given up, or failed before it came to the container itself.
        for id, task in self._tasks.items():
            self._undone.setdefault(id, f"process {task.pid} is still looked after")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """See :class:`~controllers.drivers.driver.Driver`.

        Raises :class:`DriverError` if another program uses the directory; leaving lets go of what
        runs.
        """
        # Ours alone, as long as we are open: a start that had to make a thread would wait for it.
        threads = ThreadPoolExecutor(_THREADS, "cosi-containers")
        with self._alone(), self.reaper.working(), threads as self._threads:
            async with self.logs.reading(), self._console:
                try:
                    yield
                finally:
                    for task in self._tasks.values():
                        task.abandon()
                    self._tasks.clear()
        self._tidy_up()

    @contextmanager
    def _alone(self) -> Generator[None]:
        with ExitStack() as held:
            try:
                held.enter_context(instance_lock(self.paths.run, self.paths.beneath))
            except LockError as error:
                raise DriverError(str(error)) from error
            yield

    async def adopt(self) -> Mapping[str, Adopted]:
        """See :class:`~controllers.drivers.driver.Driver`; what no service needs is released."""
        adopted: dict[str, Adopted] = {}
        self.takeover.unjudged.clear()
        with CancelScope(shield=True), self.reaper.expecting():
            for directory in run_directories(self.paths.containers, self.paths.beneath):
                if found := await self.takeover.judge(directory):
                    adopted[directory.id] = found
            self._store.forget_all_but({*adopted, *self.takeover.unjudged})
            await self.in_thread(self._release_all_but, adopted)
        return adopted

    async def forget_service(self, id: str) -> None:
        """See :class:`~controllers.drivers.driver.Driver`."""
        self.logs.remove(id)
        await self.in_thread(self.logs.old_files.prune)

    async def forget_all_but(self, ids: Collection[str]) -> None:
        """See :class:`~controllers.drivers.driver.Driver`."""
        for id in set(self.logs.ids()).difference(ids):
            self.logs.remove(id)
        await self.in_thread(self.logs.old_files.find, frozenset(ids))
        await self.in_thread(self.logs.old_files.prune)

    @abstractmethod
    async def prepare(self, id: str, container: ContainerSpec) -> LocalPreparation:
        """See :class:`~controllers.drivers.driver.Driver`."""
        ...

    async def create_runner(self, preparation: Preparation) -> None:
        """See :class:`~controllers.drivers.driver.Driver`; done in a thread."""
        with failing_as(RunnerError):
            await self.in_thread(self._create_runner, self.own(preparation))

    @abstractmethod
    async def create_and_start(self, preparation: Preparation) -> RunningTask:
        """See :class:`~controllers.drivers.driver.Driver`."""
        ...

    @abstractmethod
    async def release(self, preparation: Preparation) -> None:
        """See :class:`~controllers.drivers.driver.Driver`."""
        ...

    async def in_thread(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do something that blocks; it is always waited for."""
        work = functools.partial(function, *args, **kwargs)
        return await whole(asyncio.get_running_loop().run_in_executor(self._threads, work))

    def directory(self, id: str) -> RunDirectory:
        """Where the container of a service has its files, whether it is there or not."""
        return RunDirectory(self.paths.container(id), self.paths.beneath)

    def output(self, directory: RunDirectory) -> ServiceOutput:
        """Where what will be written there goes."""
        return ServiceOutput(directory, self.logs, self._store)

    def resumed_output(self, directory: RunDirectory, pid: int) -> ServiceOutput | None:
        """Where what is written there goes, by ``pid`` or others; ``None`` if nothing is left."""
        fifo = directory.reopen_fifo(pid)
        if fifo is None:
            return None
        return ServiceOutput(directory, self.logs, self._store, resumed=fifo)

    def own(self, preparation: Preparation) -> LocalPreparation:
        """The preparation as this driver made it."""
        if not isinstance(preparation, LocalPreparation):
            raise Unsupported(f"driver {self.name} has not prepared {preparation.id}")
        return preparation

    def run(
        self,
        preparation: LocalPreparation,
        process: Process | None,
        pid: int,
        output: ServiceOutput,
    ) -> RunningTask:
        """Begin to look after a process that is there."""
        id, container = preparation.id, preparation.container
        self.reaper.sessions.add(pid)
        shown = self.debug or container.log_to_console
        output.begin(self._console if shown else None)
        task = RunningTask(pid, process, output, self._ops(preparation, pid), *preparation.notes)
        self._tasks[id] = task
        return task

    @contextmanager
    def ending(self, id: str, pid: int) -> Generator[None]:
        """Inside, a container is taken away; what cannot be is remembered in :attr:`left`."""
        try:
            yield
            self._undone.pop(id, None)
        except StopError as error:
            self._undone[id] = str(error)
            raise
        finally:
            self._forget(id, pid)

    def _forget(self, id: str, pid: int) -> None:
        """Look after it no more; its run directory goes."""
        self._tasks.pop(id, None)
        # A process that is a zombie by now would have no parent to reap it afterwards.
        self.reaper.reap()
        self.reaper.sessions.discard(pid)
        self.directory(id).end_run()

    def process_environment(self, container: ContainerSpec) -> tuple[str, ...]:
        """What the process gets; reads the environment file."""
        file = container.environment_file
        variables = _read_environment(Path(file)) if file else {}
        base = (*self._environment, *container.machine_environment)
        return tuple(process_environment(base, variables, container.environment))

    def entrypoint(self, container: ContainerSpec, view: ContainerView) -> Path | None:
        """Where the host has it, if that is known; `view` is what the container will see.

        Raises:
            RunnerError: it is missing: the error is ours, before a runtime reports it in its words.
        """
        try:
            return look_for(container.entrypoint, view)
        except Missing:
            path = self.paths.rootfs(container.name) / without_dots(container.entrypoint)
            text = f"entrypoint {quote(container.entrypoint)} not found: no {path}"
            raise RunnerError(text) from None

    @abstractmethod
    def _create_runner(self, preparation: LocalPreparation) -> None:
        """Do it, in a thread."""

    @abstractmethod
    def _ops(self, preparation: LocalPreparation, pid: int) -> RunOps: ...

    @abstractmethod
    async def still_runs(self, directory: RunDirectory, state: RunState) -> RunState | None:
        """See :class:`~controllers.drivers.takeover.TakeoverHost`."""

    @abstractmethod
    async def destroy_left_over(self, directory: RunDirectory) -> None:
        """See :class:`~controllers.drivers.takeover.TakeoverHost`."""

    @abstractmethod
    def make_killable(self, directory: RunDirectory) -> None:
        """See :class:`~controllers.drivers.takeover.TakeoverHost`."""

    @abstractmethod
    def _release_all_but(self, adopted: Mapping[str, Adopted]) -> None:
        """Undo the preparations of a previous run that no service needs any more, in a thread."""

    def _tidy_up(self) -> None:
        """Leave no empty directory where there was none."""
        for directory in (self.paths.containers, self.paths.runtime, self.paths.run):
            self.paths.beneath.remove_empty(directory)

    def look_after(self, directory: RunDirectory, state: RunState) -> Adopted:
        """See :class:`~controllers.drivers.takeover.TakeoverHost`."""
        spec = state.spec()
        # Without its specification it can still be watched, and stopped.
        known = spec or ContainerSpec(name=directory.id.partition("-")[2], entrypoint="?")
        preparation = LocalPreparation(directory.id, known)
        output = self.resumed_output(directory, state.pid)
        if output is None:
            _log.warning("%s: %s is gone, and what it wrote", directory.id, directory.fifo)
            output = self.output(directory)
        task = self.run(preparation, state.process(), state.pid, output)
        return Adopted(task, preparation, spec.digest if spec else "")


def _read_environment(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            return parse_environment_file(file.read(_ENVIRONMENT_FILE_LIMIT))
    except OSError as error:
        reason = os_error_text(error, "open")
    except EnvironmentFileError as error:
        reason = str(error)
    raise RunnerError(f"failed to parse environment file {quote(str(path))}: {reason}")


def with_reason(error: str, preparation: LocalPreparation) -> str:
    """The error of a runtime that could not execute a program, and what it means."""
    return f"{error}: {preparation.obstacle}" if preparation.obstacle else error


async def whole(work: Awaitable[R]) -> R:
    """Wait for work that must not be left half done, even if the caller is cancelled."""
    results: list[R] = []
    with CancelScope(shield=True):
        results.append(await work)
    return results[0]
