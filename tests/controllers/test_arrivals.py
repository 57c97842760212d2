"""What comes first does not decide what is true at rest: every order of every pair.

One decision reads several resources, which several controllers write. Here two *sources* change at
once: the definition, the config, a path, a person's request; what follows from them reaches the
runner in every order in which its controllers may be scheduled, each of them late or not. Whatever
the order, the outcome is one that the sources by themselves could have had, one after the other;
and it is the same in both orders, except where the gate rule (D8) makes it a matter of time: what
stops holding, or a start that is asked for while something does not hold.

A part in the suite, many more in ``make soak``; ``COSI_SEED=...`` is another sample.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations

import anyio
import pytest

from controllers.container import render_container
from controllers.drivers.fake import FakeDriver, Run
from controllers.lifecycle.conditions import Facts, conditions, gate
from controllers.runner import RunnerController
from cosi import Resource, Spec
from cosi.testing._harness import Harness, running
from cosi.testing.clock import virtual_time as anyio_backend
from resources.container_spec import ContainerSpec
from resources.extension_service import ExtensionServiceSpec
from resources.extension_service_config import ExtensionServiceConfig
from resources.path_status import PathStatus
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest
from resources.service_state import ServicePhase, ServiceState
from tests.soak import Campaign, quantity

__all__ = ["anyio_backend"]

SEED = os.environ.get("COSI_SEED", "1")
PATH, CONFIGURATION = {"path": "/p"}, {"configuration": True}


def definition(arg: str, *depends: dict[str, object]) -> ExtensionServiceSpec:
    container = {"entrypoint": "./x", "args": [arg]}
    return ExtensionServiceSpec.model_validate(
        {"name": "a", "container": container, "depends": depends, "restart": "always"}
    )


DEFINITIONS = (
    None,
    definition("x"),
    definition("y"),
    definition("x", PATH),
    definition("y", PATH),
    definition("x", CONFIGURATION),
    definition("y", CONFIGURATION, PATH),
)
CONFIGS = (
    None,
    (1, ExtensionServiceConfig(environment=("A=1",))),
    (2, ExtensionServiceConfig(environment=("A=2",))),
    (3, ExtensionServiceConfig()),
)


@dataclass(frozen=True)
class World:
    """What people, files and the host say of one service."""

    definition: ExtensionServiceSpec | None
    config: tuple[int, ExtensionServiceConfig] | None
    path: bool
    request: ServiceRequest | None

    @property
    def container(self) -> ContainerSpec | None:
        """As ContainerController renders it."""
        if self.definition is None:
            return None
        if self.config is None:
            return render_container(self.definition)
        version, config = self.config
        resource = Resource.new("a", config).evolve(version=version)
        return render_container(self.definition, resource)

    @property
    def gate(self) -> ServiceGate | None:
        """As DependencyController makes it, when the files of the config are written."""
        if self.definition is None:
            return None
        facts = Facts(
            paths={"/p": PathStatus(present=self.path)},
            config_version=str(self.config[0]) if self.config else "",
        )
        made = gate(conditions(self.definition), facts)
        return made.evolve(depends_digest=self.definition.depends_digest)

    @property
    def holds(self) -> bool:
        """Whether all but a config is there, of what the definition depends on."""
        return self.path or self.definition is None or PATH not in _depends(self.definition)


def _depends(definition: ExtensionServiceSpec) -> list[dict[str, object]]:
    return [PATH for each in definition.depends if each.path]


SOURCES = {
    "definition": DEFINITIONS,
    "config": CONFIGS,
    "path": (True, False),
    "request": (None, *Desired),
}
PAIRS = [(a, b) for a, b in permutations(SOURCES, 2) if a < b]


def any_value(fate: random.Random, source: str, generation: int) -> object:
    value = fate.choice(SOURCES[source])  # type: ignore[arg-type]  # of one source they are alike
    return ServiceRequest(desired=value, generation=generation) if _is_wish(value) else value


def _is_wish(value: object) -> bool:
    return isinstance(value, Desired)


def a_change(fate: random.Random, pair: tuple[str, str]) -> tuple[World, World]:
    """Two worlds that differ in two sources."""
    while True:
        values = {source: any_value(fate, source, 1) for source in SOURCES}
        changed = {source: any_value(fate, source, 2) for source in pair}
        no_longer = changed.get("definition", values["definition"]) is None
        if not no_longer and all(_value(changed[s]) != _value(values[s]) for s in pair):
            before = World(**values)  # type: ignore[arg-type]  # by name
            return before, replace(before, **changed)  # type: ignore[arg-type]  # by name


def _value(value: object) -> object:
    return value.desired if isinstance(value, ServiceRequest) else value


def worlds(before: World, after: World, order: tuple[str, ...]) -> Iterator[World]:
    """What is true after each source has changed, in this order."""
    for source in order:
        before = replace(before, **{source: getattr(after, source)})
        yield before


Arrivals = tuple[tuple[type[Spec], Spec | None], ...]


def merged(
    streams: tuple[tuple[tuple[type[Spec], Spec | None], ...], ...],
) -> Iterator[Arrivals]:
    """Every order of the streams' elements that keeps the order within each stream."""
    if not any(streams):
        yield ()
    for index, stream in enumerate(streams):
        if stream:
            rest = (*streams[:index], stream[1:], *streams[index + 1 :])
            for tail in merged(rest):
                yield (stream[0], *tail)


def schedules(before: World, after: World, pair: tuple[str, str]) -> set[Arrivals]:
    """Every way in which the runner may hear of it: each controller may skip what is not last."""
    found: set[Arrivals] = set()
    for order in permutations(pair):
        steps = tuple(worlds(before, after, order))
        requests = (ServiceRequest, after.request)
        request = (requests,) if after.request != before.request else ()
        containers = tuple((ContainerSpec, step.container) for step in steps)
        gates = tuple((ServiceGate, step.gate) for step in steps)
        for some_containers in (containers, containers[-1:]):
            for some_gates in (gates, gates[-1:]):
                found.update(merged((some_containers, some_gates, request)))
    return found


Outcome = tuple[str, str, tuple[str, ...]]


async def outcome(cosi: Harness, driver: FakeDriver) -> Outcome:
    """What is true at rest: the phase, what is waited for, and what runs."""
    await cosi.advance(10)
    state = await cosi.find(ServiceState, "ext-a") or ServiceState()
    task = driver.tasks.get("ext-a")
    made = task.preparation.container if task else None
    runs = () if made is None else (*made.args, *made.environment)
    if state.phase in {ServicePhase.INITIALIZED, ServicePhase.FINISHED}:
        return "down", "", runs  # whether it ran before is history
    return state.phase, state.message if not runs else "", runs


class Order:
    """One schedule, played: slowly, at once, or while a container takes its time to end."""

    def __init__(self, before: World, gap: str) -> None:
        self.before = before
        self.gap = gap
        self.driver = FakeDriver()
        if gap == "lingering":
            self.driver.script("ext-a", *(Run(lingers=1.0) for _ in range(20)))

    async def play(self, arrivals: Arrivals) -> Outcome:
        async with running() as cosi:
            cosi.start(RunnerController(self.driver))
            before = self.before
            for spec in (before.request, before.gate, before.container):
                if spec is not None:
                    await cosi.given("ext-a", spec)
            for _, spec in arrivals:
                await self._arrive(cosi, spec)
            return await outcome(cosi, self.driver)

    async def _arrive(self, cosi: Harness, spec: Spec | None) -> None:
        if spec is None:
            await cosi.state.destroy(ServiceRequest, "ext-a")  # the only one that may go
        else:
            await cosi.state.apply(Resource.new("ext-a", spec))
        if self.gap == "settled":
            await cosi.settled()
        elif self.gap == "lingering":
            await anyio.sleep(0.3)


async def by_themselves(before: World, after: World, pair: tuple[str, str]) -> set[Outcome]:
    """The outcomes where one source changes, everything settles, and then the other one does."""
    found: set[Outcome] = set()
    for order in permutations(pair):
        arrivals: list[tuple[type[Spec], Spec | None]] = []
        last = before
        for world in worlds(before, after, order):
            if world.request != last.request:
                arrivals.append((ServiceRequest, world.request))
            # In the order that the framework promises nothing about, but one that is always right.
            arrivals += [(ServiceGate, world.gate), (ContainerSpec, world.container)]
            last = world
        kept = tuple(each for each in arrivals if each[1] is not None or each[0] is ServiceRequest)
        found.add(await Order(before, "settled").play(kept))
    return found


def is_a_matter_of_time(before: World, after: World) -> bool:
    """Where D8 lets the order decide: what does not hold at the end held at some moment."""
    held = before.holds or replace(after, path=before.path).holds
    return not after.holds and held


@pytest.mark.lengthy
@pytest.mark.timeout(120)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
async def test_the_order_in_which_two_sources_change_does_not_matter(
    pair: tuple[str, str], campaign: Campaign
) -> None:
    fate = random.Random(f"{SEED} {pair}")
    for _ in campaign("changes", of=100, suite=4):
        before, after = a_change(fate, pair)
        right = await by_themselves(before, after, pair)
        timely = is_a_matter_of_time(before, after)
        assert timely or len(right) == 1, (before, after)
        every = [
            each
            for each in sorted(schedules(before, after, pair), key=repr)
            if all(spec is not None or kind is ServiceRequest for kind, spec in each)
        ]
        for arrivals in fate.sample(every, min(len(every), quantity(8, 24))):
            for gap in ("settled", "at once", "lingering"):
                found = await Order(before, gap).play(arrivals)
                # What stops holding while the container still ends is waited for.
                late = timely and found[0] == ServicePhase.WAITING
                assert late or found in right, (gap, before, after, arrivals)
