"""The driver protocol: between the runner and the program that runs containers.

The runner decides *when*; a driver knows *how*. One service goes through it like this::

    preparation = await driver.prepare(id, container)      # event: Running pre state
    await driver.create_runner(preparation)                # event: Creating service runner
    task = await driver.create_and_start(preparation)      # event: Started task ...
    exit = await task.wait()                               # once, for each run
    await task.clean_up()
    (again from create_and_start after an exit, depending on the restart policy)
    await driver.release(preparation)

*Guarantees of the runner.* For one id these calls never overlap, except for ``signal`` during
``wait``. After ``create_and_start`` has returned, ``clean_up`` follows; after ``prepare`` has
returned a preparation, ``release`` follows. ``clean_up`` and ``release`` are shielded from
cancellation and bounded in time by the runner. The other calls may be cancelled at any await, and
must then leave nothing behind, as when they fail.

*Guarantees of a driver.* Different ids do not wait for each other. Errors are
:class:`DriverError`; their text is shown to users unchanged. ``clean_up`` and ``release`` are
idempotent.

The texts of events stay Talos's (``Containerd(ext-x)``), whatever the driver is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from controllers.lifecycle.stages import Exited
from cosi import CosiError
from resources.container_spec import ContainerSpec


class DriverError(CosiError):
    """An operation on a container failed; the text names the operation and the place."""


class PreparationError(DriverError):
    """The root filesystem could not be prepared: ``Failed to run pre stage: ...``."""


class RunnerError(DriverError):
    """Mount sources, environment file or bundle could not be made: ``Failed to create runner``."""


class StartError(DriverError):
    """The container could not be created or started; nothing of it is left.

    The text is complete: ``failed to create task: "ext-x": ...``.
    """


class StopError(DriverError):
    """A signal could not be sent, or a part of the run or of the preparation is still there.

    The text is complete: ``failed to remove cgroup for Containerd(ext-x), ...``.
    """


class Preparation(Protocol):
    """A driver's preparation for one service; drivers keep more in it than this protocol shows."""

    @property
    def id(self) -> str:
        """The service id, which is also the container's."""
        ...

    @property
    def container(self) -> ContainerSpec:
        """The container that it was prepared for, unchanged since then."""
        ...


class Task(Protocol):
    """One run of one container."""

    @property
    def pid(self) -> int:
        """The PID of the main process in the host's namespace."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """The features that had to be left out (capabilities, the OOM score); an event for each."""
        ...

    async def wait(self) -> Exited:
        """Wait for the end of the main process.

        May be cancelled and called again; after the end it returns the same result at once. Never
        raises :class:`DriverError`: a lost connection is not an exit, and the driver restores it
        (differences: race talos@9a521f6).
        """
        ...

    async def signal(self, number: int) -> None:
        """Send a signal to all processes of the container; raises :class:`StopError`.

        A container that is already gone is not an error.
        """
        ...

    async def clean_up(self) -> None:
        """Remove container, cgroup and run directory; kill the processes that are left.

        Idempotent. Raises :class:`StopError`, after it has removed all that it could.
        """
        ...


@dataclass(frozen=True, slots=True)
class Adopted:
    """A container of a previous run of the supervisor, or of the runner."""

    task: Task
    preparation: Preparation | None
    """The preparation to release when it ends; ``None`` if only the container is known."""
    digest: str
    """``ContainerSpec.digest`` of its spec; "" if that is not known."""


class Driver(Protocol):
    """A way to run containers."""

    @property
    def name(self) -> str:
        """``runc``, ``crun``, ``process``, ``fake``, ..."""
        ...

    @property
    def requires(self) -> tuple[str, ...]:
        """Ids of services that the driver itself needs; they come first in every gate."""
        ...

    @property
    def left(self) -> Mapping[str, str]:
        """The services of which processes may still run: service id to reason.

        Either :meth:`adopt` could not determine the state of a container, or ``clean_up`` could not
        end it. In the first case :meth:`prepare` tries again before the service may start.
        """
        ...

    async def clear_away(self) -> None:
        """At a full stop: try once more to end the services in :attr:`left`.

        Afterwards :attr:`left` has every service of which processes may still run.
        """
        ...

    async def forget_service(self, id: str) -> None:
        """Free what is kept of a service beyond its runs, because it was removed.

        Called when it neither runs nor is prepared; idempotent; raises nothing.
        """
        ...

    async def forget_all_but(self, ids: Collection[str]) -> None:
        """Do as :meth:`forget_service` for every service that is not in ``ids``."""
        ...

    def open(self) -> AbstractAsyncContextManager[None]:
        """Open the driver; the runner enters this context before any other call.

        A driver's background tasks (readers of output, a reaper) run inside it. Leaving it stops no
        container. It may be entered again after it was left.
        """
        ...

    async def adopt(self) -> Mapping[str, Adopted]:
        """Take over the containers of a previous run, by service id.

        A container that has ended meanwhile is returned too, if a part of it is left: its ``wait``
        returns at once. A container that never ran is cleaned up here, silently. Containers that
        cannot be taken over are then in :attr:`left`, and do not prevent others from being taken
        over. Raises :class:`DriverError` if the driver cannot find out what runs.
        """
        ...

    async def prepare(self, id: str, container: ContainerSpec) -> Preparation:
        """Make the root filesystem ready (Talos: "pre state"); raises :class:`PreparationError`."""
        ...

    async def create_runner(self, preparation: Preparation) -> None:
        """Make missing mount sources, read the environment file, render the bundle.

        Done once for each start; restarts by policy use the result again (Talos 1.14, "Runner"). A
        driver may do it in :meth:`prepare`, but :class:`RunnerError` is raised here.
        """
        ...

    async def create_and_start(self, preparation: Preparation) -> Task:
        """Create and start the container; raises :class:`StartError`, with nothing left behind."""
        ...

    async def release(self, preparation: Preparation) -> None:
        """Undo :meth:`prepare` and :meth:`create_runner`; idempotent; raises :class:`StopError`."""
        ...
