"""The fake driver: runs nothing; for tests of programs that use the protocol, on any clock.

::

    driver = FakeDriver()
    driver.script("ext-a", Run(code=1, last_log="oops", after=2.0), Run())
    driver.fail("ext-b", "prepare", "openfs failed: no such file or directory")
    ...
    driver.exit("ext-a", 137)             # now
    assert driver.calls == ["prepare ext-a", ...]
    assert driver.left_behind == ()

A container without a script runs until it gets a signal. The fake obeys the protocol and checks
that its caller does: a second container of one service, or one without a preparation, raises
``RuntimeError``.
"""

from __future__ import annotations

import signal
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, get_args

import anyio

from controllers.drivers.driver import (
    Adopted,
    DriverError,
    Preparation,
    PreparationError,
    RunnerError,
    StartError,
    StopError,
)
from controllers.lifecycle.stages import (
    Exited,
)
from cosi import idle
from resources.container_spec import ContainerSpec

Step = Literal["prepare", "create_runner", "create_and_start", "signal", "clean_up", "release"]

_ERRORS: Final[dict[Step, type[DriverError]]] = {
    "prepare": PreparationError,
    "create_runner": RunnerError,
    "create_and_start": StartError,
    "signal": StopError,
    "clean_up": StopError,
    "release": StopError,
}


@dataclass(frozen=True, slots=True)
class Run:
    """The script of one run of a container."""

    code: int | None = 0
    last_log: str = ""
    after: float | None = None
    """Seconds until it exits by itself; ``None``: it runs until a signal or :meth:`exit`."""
    stubborn: bool = False
    """Whether it ignores every signal but SIGKILL."""
    lingers: float = 0.0
    """Seconds from a signal to its exit."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FakePreparation:
    """A preparation without content."""

    id: str
    container: ContainerSpec


class FakeTask:
    """One simulated run."""

    def __init__(self, driver: FakeDriver, preparation: Preparation, pid: int, run: Run) -> None:
        self._driver = driver
        self.preparation = preparation
        self.pid = pid
        self.run = run
        self.notes = run.notes
        self.ended: Exited | None = None
        self._end = anyio.Event()
        self._dying = Exited(run.code, run.last_log)  # its result at the deadline
        self._deadline = None if run.after is None else anyio.current_time() + run.after

    def end(self, exit: Exited) -> None:
        """End the run, unless it has ended."""
        if self.ended is None:
            self.ended = exit
            self._end.set()

    async def wait(self) -> Exited:
        """See :class:`~controllers.drivers.driver.Task`; ends at the deadline, if it has one."""
        if self.ended is None and self._deadline is not None:
            with anyio.CancelScope(deadline=self._deadline):
                await self._end.wait()
            self.end(self._dying)
        await self._end.wait()
        assert self.ended is not None  # noqa: S101  # set before the event is
        return self.ended

    async def signal(self, number: int) -> None:
        """See :class:`~controllers.drivers.driver.Task`; the script determines how it ends."""
        await self._driver.step("signal", self.preparation.id, signal.Signals(number).name)
        if number == signal.SIGKILL or (not self.run.stubborn and not self.run.lingers):
            self.end(Exited(128 + number))
        elif not self.run.stubborn:
            self._deadline = anyio.current_time() + self.run.lingers
            self._dying = Exited(128 + number)

    async def clean_up(self) -> None:
        """See :class:`~controllers.drivers.driver.Task`; kills a run that has not ended."""
        self.end(Exited(128 + signal.SIGKILL))
        self._driver.forget(self)
        await self._driver.step("clean_up", self.preparation.id)


class FakeDriver:
    """See the module. One fake may serve several runners in turn: each adopts its tasks."""

    name = "fake"

    def __init__(self, *, requires: tuple[str, ...] = ()) -> None:
        self.requires = requires
        self.calls: list[str] = []
        """Every call, in order: the step, the id, and for a signal its name."""
        self.left: dict[str, str] = {}
        self.forgotten: list[str] = []
        """The ids passed to ``forget_service``, in order."""
        self.tasks: dict[str, FakeTask] = {}
        """The existing containers, by service id."""
        self.prepared: dict[str, bool] = {}
        """The existing preparations, and whether their runner was created."""
        self._scripts: defaultdict[str, deque[Run]] = defaultdict(deque)
        self._failures: dict[tuple[str, Step], deque[str]] = defaultdict(deque)
        self._delays: dict[tuple[str, Step], float] = {}
        self._next_pid = 1100

    async def clear_away(self) -> None:
        """See :class:`~controllers.drivers.driver.Driver`; tests set ``left`` themselves."""

    # -- for tests --------------------------------------------------------------------------------

    def script(self, id: str, *runs: Run) -> None:
        """Script the next runs of a service; later ones are ordinary again."""
        self._scripts[id].extend(runs)

    def fail(self, id: str, step: Step, text: str, *, times: int = 1) -> None:
        """Make a step fail with ``text``, the next ``times`` times."""
        self._failures[id, step].extend([text] * times)

    def delay(self, id: str, step: Step, seconds: float) -> None:
        """Make a step take that long, from now on."""
        self._delays[id, step] = seconds

    def heal(self) -> None:
        """Clear all scripts, failures and delays: from now on all steps succeed."""
        self._scripts.clear()
        self._failures.clear()
        self._delays.clear()

    def exit(self, id: str, code: int | None = 0, last_log: str = "") -> None:
        """End the running container of a service now."""
        self.tasks[id].end(Exited(code, last_log))

    @property
    def running(self) -> dict[str, int]:
        """The PIDs of the running containers, by service id."""
        return {id: task.pid for id, task in self.tasks.items() if task.ended is None}

    @property
    def left_behind(self) -> tuple[str, ...]:
        """All tasks and preparations that the runner should have undone."""
        return (
            *(f"task of {id}" for id in self.tasks),
            *(f"rootfs of {id}" for id in self.prepared),
        )

    # -- the protocol -----------------------------------------------------------------------------

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """See :class:`~controllers.drivers.driver.Driver`; does nothing."""
        yield

    async def adopt(self) -> Mapping[str, Adopted]:
        """See :class:`~controllers.drivers.driver.Driver`; drops preparations without container."""
        for id in [id for id in self.prepared if id not in self.tasks]:
            del self.prepared[id]
        return {
            id: Adopted(task, task.preparation, task.preparation.container.digest)
            for id, task in self.tasks.items()
        }

    async def prepare(self, id: str, container: ContainerSpec) -> FakePreparation:
        """See :class:`~controllers.drivers.driver.Driver`.

        Raises ``RuntimeError`` if the runner breaks the protocol, as do the next three.
        """
        if id in self.prepared:
            raise RuntimeError(f"{id} is prepared already")
        await self.step("prepare", id)
        self.prepared[id] = False
        return FakePreparation(id, container)

    async def create_runner(self, preparation: Preparation) -> None:
        """See :class:`~controllers.drivers.driver.Driver`."""
        self._expect_prepared(preparation.id)
        await self.step("create_runner", preparation.id)
        self.prepared[preparation.id] = True

    async def create_and_start(self, preparation: Preparation) -> FakeTask:
        """See :class:`~controllers.drivers.driver.Driver`; takes the next run of the script."""
        id = preparation.id
        self._expect_prepared(id)
        if not self.prepared[id]:
            raise RuntimeError(f"{id} has no runner")
        if id in self.tasks:
            raise RuntimeError(f"{id} has a container already")
        await self.step("create_and_start", id)
        run = self._scripts[id].popleft() if self._scripts[id] else Run()
        self.tasks[id] = task = FakeTask(self, preparation, self._next_pid, run)
        self._next_pid += 1
        return task

    async def release(self, preparation: Preparation) -> None:
        """See :class:`~controllers.drivers.driver.Driver`."""
        if preparation.id in self.tasks:
            raise RuntimeError(f"{preparation.id} is released while its container exists")
        self.prepared.pop(preparation.id, None)
        await self.step("release", preparation.id)

    async def forget_service(self, id: str) -> None:
        """See :class:`~controllers.drivers.driver.Driver`."""
        self.forgotten.append(id)

    async def forget_all_but(self, ids: Collection[str]) -> None:
        """See :class:`~controllers.drivers.driver.Driver`; the fake keeps nothing beyond runs."""

    def _expect_prepared(self, id: str) -> None:
        if id not in self.prepared:
            raise RuntimeError(f"{id} was not prepared")

    async def step(self, step: Step, id: str, detail: str = "") -> None:
        """Record a call, wait for its delay, and raise its scripted failure."""
        self.calls.append(" ".join(filter(None, (step, id, detail))))
        if seconds := self._delays.get((id, step)):
            with idle():
                await anyio.sleep(seconds)
        if failures := self._failures.get((id, step)):
            raise _ERRORS[step](failures.popleft())

    def forget(self, task: FakeTask) -> None:
        """Remove a container."""
        if self.tasks.get(task.preparation.id) is task:
            del self.tasks[task.preparation.id]


STEPS: Final = get_args(Step)
"""All steps, each of which can be delayed or fail."""
