"""Plays a narrated scenario: commands in, the events of the services out.

A scenario is a text of blocks. A block is a comment (``#``), or a command with an indented body,
then ``----``, then what happened because of it, one line for each event::

    service a
      container: {entrypoint: ./a}
      restart: always
    ----
    0s ext-a [Starting]: Starting service

Times are virtual seconds since the beginning. The last part of each block is compared; with
``COSI_REWRITE_SCENARIOS=1`` in the environment it is written instead, to be reviewed as prose.

Commands: see the methods of :class:`Stage`.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio
import yaml

from controllers.container import ContainerController
from controllers.dependency import DependencyController
from controllers.drivers.fake import FakeDriver, Run
from controllers.runner import OnExit, RunnerController
from cosi import InMemoryState, Resource, Runtime, Spec
from cosi.resource._envelope import kind_of
from cosi.state import Event, EventType
from resources.environment import ENVIRONMENT_ID, Environment
from resources.extension_service import ExtensionServiceSpec
from resources.extension_service_config import ExtensionServiceConfig
from resources.extension_service_config_status import ExtensionServiceConfigStatus
from resources.network_status import NETWORK_STATUS_ID, NetworkStatus
from resources.path_status import PathStatus
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest
from resources.service_state import ServiceEvent, ServiceState
from resources.time_status import TIME_STATUS_ID, TimeStatus

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DIVIDER = "----"


@dataclass
class Block:
    """One command, what it says of itself, and what came of it."""

    lines: list[str]
    expected: list[str]

    @property
    def command(self) -> list[str]:
        return shlex.split(self.lines[0])

    @property
    def body(self) -> str:
        return "\n".join(self.lines[1:])


def parse(text: str) -> list[Block | str]:
    """Split a scenario into comments (as they are) and blocks."""
    parts: list[Block | str] = []
    for paragraph in text.strip().split("\n\n"):
        lines = paragraph.split("\n")
        if lines[0].startswith("#"):
            parts.append(paragraph)
        else:
            middle = lines.index(DIVIDER) if DIVIDER in lines else len(lines)
            parts.append(Block(lines[:middle], lines[middle + 1 :]))
    return parts


def render(parts: list[Block | str]) -> str:
    texts = [
        part if isinstance(part, str) else "\n".join([*part.lines, DIVIDER, *part.expected])
        for part in parts
    ]
    return "\n\n".join(texts) + "\n"


async def play(text: str) -> str:
    """Play a scenario and return it with what really happened."""
    parts = parse(text)
    async with staged() as stage:
        for part in parts:
            if isinstance(part, Block):
                part.expected = await stage.perform(part)
    return render(parts)


class Stage(logging.Handler):
    """A machine with a fake driver, and the outside world."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.state = InMemoryState()
        self.driver = FakeDriver()
        self.runtime: Runtime | None = None
        self.happened: list[tuple[datetime, str, str]] = []
        self.seen: dict[str, ServiceEvent | None] = {}
        self.began = anyio.current_time()
        self._follow()
        self._scope = anyio.CancelScope()
        self._over = anyio.Event()

    def _follow(self) -> None:
        self.state.subscribe(kind_of(ServiceState), self._note)

    # -- recording --------------------------------------------------------------------------------

    def clock(self) -> datetime:
        return BEGIN + timedelta(seconds=anyio.current_time() - self.began)

    def _note(self, event: Event[ServiceState]) -> None:
        id = event.resource.id
        if event.type is EventType.DESTROYED:
            self.seen.pop(id, None)
            self.happened.append((self.clock(), id, "is gone"))
            return
        events = event.resource.spec.events
        last = self.seen.get(id)
        start = next((i + 1 for i, each in enumerate(events) if each is last), 0)
        self.seen[id] = events[-1] if events else None
        self.happened += [(each.timestamp, id, str(each)) for each in events[start:]]

    def emit(self, record: logging.LogRecord) -> None:
        self.happened.append((self.clock(), "log", record.getMessage()))

    def _taken(self) -> list[str]:
        # Within one moment the scheduler decides who is first; the order of one service is its own.
        happened = sorted(self.happened, key=lambda each: each[:2])
        self.happened.clear()
        return [f"{(at - BEGIN).total_seconds():g}s {id} {text}" for at, id, text in happened]

    # -- running ----------------------------------------------------------------------------------

    async def run(self, *, leave: bool = False) -> None:
        """One life of the supervisor."""
        self.runtime = Runtime(self.state)
        self._over = anyio.Event()
        runner = RunnerController(
            self.driver, clock=self.clock, on_exit=OnExit.LEAVE if leave else OnExit.STOP
        )
        self.runtime.register(
            DependencyController(requires=self.driver.requires), ContainerController(), runner
        )
        with anyio.CancelScope() as self._scope:
            await self.runtime.run()
        self.runtime = None
        self._over.set()

    async def perform(self, block: Block) -> list[str]:
        command, *arguments = block.command
        method: Callable[..., object] = getattr(self, "do_" + command.replace("-", "_"))
        extra = [yaml.safe_load(block.body)] if block.body else []
        said = await method(*arguments, *extra)  # type: ignore[misc]
        if self.runtime is not None:
            await self.runtime.settled()
        return [*self._taken(), *(said or [])]

    async def _given(self, id: str, spec: Spec) -> None:
        await self.state.apply(Resource.new(id, spec))

    # -- commands ---------------------------------------------------------------------------------

    async def do_begin(self, *options: str) -> None:
        """``begin [leave] [requires=ID]``: the supervisor begins; it may find containers."""
        for option in options:
            if option.startswith("requires="):
                self.driver.requires = (option.removeprefix("requires="),)
        self.tasks.start_soon(lambda: self.run(leave="leave" in options))
        await anyio.wait_all_tasks_blocked()

    async def do_end(self) -> list[str]:
        """``end``: the supervisor is told to end (SIGTERM), and does."""
        self._scope.cancel()
        await self._over.wait()
        return ["left behind: " + (", ".join(self.driver.left_behind) or "nothing")]

    async def do_forget(self) -> None:
        """``forget``: the state was in memory, and the program is gone."""
        self.state = InMemoryState()
        self.seen.clear()
        self._follow()

    async def do_service(self, name: str, body: dict[str, object]) -> None:
        await self._given(name, ExtensionServiceSpec.model_validate({"name": name} | body))

    async def do_remove(self, name: str) -> None:
        await self.state.teardown(ExtensionServiceSpec, name)
        self.tasks.start_soon(self.state.teardown_and_destroy, ExtensionServiceSpec, name)

    async def do_environment(self, *variables: str) -> None:
        """``environment KEY=VALUE ...``: what the machine's configuration says."""
        await self._given(ENVIRONMENT_ID, Environment(variables=variables))

    async def do_config(self, name: str, body: dict[str, object]) -> None:
        """A config document; its files are not written yet."""
        await self._given(name, ExtensionServiceConfig.model_validate(body))

    async def do_written(self, name: str) -> None:
        """The files of the current config are written."""
        config = await self.state.get(ExtensionServiceConfig, name)
        await self._given(name, ExtensionServiceConfigStatus(spec_version=str(config.version)))

    async def do_network(self, *ready: str) -> None:
        flags = {f"{name}Ready": True for name in ready}
        await self._given(NETWORK_STATUS_ID, NetworkStatus.model_validate(flags))

    async def do_time(self, synced: str) -> None:
        await self._given(TIME_STATUS_ID, TimeStatus(synced=synced == "synced"))

    async def do_path(self, path: str, present: str) -> None:
        await self._given(path, PathStatus(present=present == "present"))

    async def do_state(self, id: str, body: dict[str, object]) -> None:
        """A service of another system."""
        await self._given(id, ServiceState.model_validate(body))

    async def do_ask(self, id: str, desired: str, *options: str) -> None:
        """``ask ID start|stop|restart [with-dependents]``."""
        found = await self.state.find(ServiceRequest, id)
        generation = found.spec.generation + 1 if found else 1
        request = ServiceRequest(
            desired=Desired(desired),
            generation=generation,
            with_dependents="with-dependents" in options,
        )
        await self._given(id, request)

    async def do_script(self, id: str, body: list[dict[str, object]]) -> None:
        self.driver.script(id, *(Run(**run) for run in body))  # type: ignore[arg-type]

    async def do_exit(self, id: str, code: str, last_log: str = "") -> None:
        self.driver.exit(id, int(code), last_log)

    async def do_fail(self, id: str, step: str, text: str) -> None:
        self.driver.fail(id, step, text)  # type: ignore[arg-type]

    async def do_delay(self, id: str, step: str, seconds: str) -> None:
        self.driver.delay(id, step, float(seconds))  # type: ignore[arg-type]

    async def do_advance(self, seconds: str) -> None:
        await anyio.sleep(float(seconds))

    async def do_running(self) -> list[str]:
        return [f"{id} (PID {pid})" for id, pid in sorted(self.driver.running.items())]

    async def do_gate(self, id: str) -> list[str]:
        gate = (await self.state.get(ServiceGate, id)).spec
        return ["open" if gate.open else f"waits for {gate.description}"]

    async def do_show(self, id: str) -> list[str]:
        """As ``talosctl service ID`` shows it: newest event first."""
        state = (await self.state.get(ServiceState, id)).spec
        health = {None: "?", True: "OK", False: "Fail"}[state.healthy]
        facts = f"pid={state.pid} exit={state.exit_code} restarts={state.restarts}"
        return [f"STATE {state.phase}, HEALTH {health}, {facts}", *map(str, reversed(state.events))]


@asynccontextmanager
async def staged() -> AsyncGenerator[Stage]:
    """A stage whose supervisor, if one runs at the end, is ended."""
    log = logging.getLogger("controllers")
    stage = Stage()
    log.addHandler(stage)
    try:
        async with anyio.create_task_group() as stage.tasks:
            yield stage
            stage.tasks.cancel_scope.cancel()
    finally:
        log.removeHandler(stage)
