"""The protocol between the runner and whatever really runs containers.

The runner decides *when*; a driver knows *how*. One service goes through it like this::

    preparation = await driver.prepare(id, container)      # event: Running pre state
    await driver.create_runner(preparation)                # event: Creating service runner
    task = await driver.create_and_start(preparation)      # event: Started task ...
    exit = await task.wait()                               # once, for each run
    await task.clean_up()
    (again from create_and_start after an exit, as the restart policy says)
    await driver.release(preparation)

*Guarantees the runner gives.* For one id these calls never overlap, but for ``signal`` during
``wait``. After ``create_and_start`` has returned, ``clean_up`` follows; after ``prepare`` has been
called, successfully or not, ``release`` follows if it returned a preparation. ``clean_up`` and
``release`` are shielded from cancellation and bounded in time by the runner. The other calls may
be cancelled at any await, and must then leave nothing behind, as when they fail.

*Guarantees a driver gives.* Different ids do not wait for each other. Errors are
:class:`DriverError`; their text is shown to people as it is. ``clean_up`` and ``release`` are
idempotent.

The words of events stay Talos's (``Containerd(ext-x)``) whatever the driver is.
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
    """Something about a container could not be done; the text says what and where."""


class PreparationError(DriverError):
    """The root filesystem could not be prepared: ``Failed to run pre stage: ...``."""


class RunnerError(DriverError):
    """Mount sources, environment file or bundle could not be made: ``Failed to create runner``."""


class StartError(DriverError):
    """The container could not be created or started; nothing of it is left.

    The text is complete: ``failed to create task: "ext-x": ...``.
    """


class StopError(DriverError):
    """A signal could not be sent, or something of the run or the preparation is still there.

    The text is complete: ``failed to remove cgroup for Containerd(ext-x), ...``.
    """


class Preparation(Protocol):
    """What a driver has prepared for one service; drivers keep more in it than is seen here."""

    @property
    def id(self) -> str:
        """The service id; also that of the container."""
        ...

    @property
    def container(self) -> ContainerSpec:
        """What it was prepared for, as it was then."""
        ...


class Task(Protocol):
    """One run of one container."""

    @property
    def pid(self) -> int:
        """The main process, as the host numbers it."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be left out (capabilities, the OOM score); one event for each."""
        ...

    async def wait(self) -> Exited:
        """Wait for the end of the main process. May be cancelled and called again, and returns
        the same at once when it is over. Never raises :class:`DriverError`: a connection that is
        lost is not an exit, and is mended by the driver (differences: race talos@9a521f6).
        """
        ...

    async def signal(self, number: int) -> None:
        """Send a signal to all processes of the container; raises :class:`StopError`.

        A container that is already gone is not an error.
        """
        ...

    async def clean_up(self) -> None:
        """Take away what the run leaves: container, cgroup, run directory; kill what is left.

        Idempotent. Raises :class:`StopError`, after having done all that could be done.
        """
        ...


@dataclass(frozen=True, slots=True)
class Adopted:
    """What runs from an earlier life of the supervisor, or of the runner."""

    task: Task
    preparation: Preparation | None
    """What to release when it ends; ``None`` if nothing is known of it but the container."""
    digest: str
    """``ContainerSpec.digest`` of what it was made from; "" if that is not known."""


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
        """The services of which something may run, because :meth:`adopt` could not judge what is
        there, or ``clean_up`` could not end it; and why not.

        What could not be judged is judged again by :meth:`prepare`, before its service may start.
        """
        ...

    async def clear_away(self) -> None:
        """When all is meant to be stopped: try once more to end what is in :attr:`left`.

        Afterwards everything is there of which something may still run.
        """
        ...

    async def forget_service(self, id: str) -> None:
        """Give back what is kept of a service beyond its runs: nobody wants it any more.

        Called when nothing of it runs, or is prepared; idempotent; raises nothing.
        """
        ...

    async def forget_all_but(self, ids: Collection[str]) -> None:
        """As :meth:`forget_service`, for whatever is kept of services that are not named."""
        ...

    def open(self) -> AbstractAsyncContextManager[None]:
        """The time in which the driver is used, entered by the runner before any other call.

        What a driver needs in the background (readers of output, a reaper) lives in it. Leaving
        it stops no container. It may be entered again after it was left.
        """
        ...

    async def adopt(self) -> Mapping[str, Adopted]:
        """Take over what is there from an earlier life, by service id.

        A container that ended meanwhile is reported too, if something of it is left: its
        ``wait`` returns at once. What never got as far as running is cleaned up here, silently.
        What is in :attr:`left` afterwards is reported, and keeps no other from being taken over.
        Raises :class:`DriverError` if it cannot be known what runs.
        """
        ...

    async def prepare(self, id: str, container: ContainerSpec) -> Preparation:
        """Make the root filesystem ready (Talos: "pre state"); raises :class:`PreparationError`."""
        ...

    async def create_runner(self, preparation: Preparation) -> None:
        """Make missing mount sources, read the environment file, render the bundle.

        Done once for a start; restarts by policy use it again (Talos 1.14, "Runner"). A driver
        may have done it with :meth:`prepare`; it is here that :class:`RunnerError` is raised.
        """
        ...

    async def create_and_start(self, preparation: Preparation) -> Task:
        """Create and start the container; raises :class:`StartError`, with nothing left behind."""
        ...

    async def release(self, preparation: Preparation) -> None:
        """Undo :meth:`prepare` and :meth:`create_runner`; idempotent; raises :class:`StopError`."""
        ...
