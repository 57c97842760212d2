"""A gate follows from what is there, in whatever order it came and went: every order is tried.

Every kind of resource that the dependency controller reads comes, changes or goes; each pair of
such changes in both orders, at once and one after the other. In ``make soak`` also every three.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import combinations, permutations, product

import pytest

from controllers.dependency import DependencyController
from cosi import NotFound, Resource, Spec
from cosi.testing._harness import Harness, running
from cosi.testing.clock import virtual_time as anyio_backend
from resources.extension_service import ExtensionServiceSpec
from resources.extension_service_config_status import ExtensionServiceConfigStatus
from resources.network_status import NetworkStatus
from resources.path_status import PathStatus
from resources.service_gate import ServiceGate
from resources.service_state import ServicePhase, ServiceState
from resources.time_status import TimeStatus
from tests.soak import Campaign

__all__ = ["anyio_backend"]

RUNNING = ServiceState(phase=ServicePhase.RUNNING)


def service(name: str, *depends: dict[str, object]) -> ExtensionServiceSpec:
    return ExtensionServiceSpec.model_validate(
        {"name": name, "container": {"entrypoint": "./x"}, "depends": depends, "restart": "always"}
    )


@dataclass(frozen=True)
class Change:
    """One resource before and after; ``None``: it is not there."""

    name: str
    id: str
    before: Spec | None
    after: Spec | None

    @property
    def kind(self) -> type[Spec]:
        spec = self.before if self.after is None else self.after
        assert spec is not None
        return type(spec)

    @property
    def back(self) -> Change:
        return Change(f"no {self.name}", self.id, self.after, self.before)


EVERYTHING = service(
    "a",
    {"configuration": True},
    {"path": "/x"},
    {"time": True},
    {"network": ["addresses"]},
    {"service": "ext-b"},
    {"service": "cri"},
    {"service": "ext-c"},
)
CHANGES = (
    Change("a", "a", None, EVERYTHING),
    Change("a's needs", "a", service("a", {"service": "ext-c"}), EVERYTHING),
    Change("b", "b", None, service("b", {"service": "ext-a"})),
    Change("b's needs", "b", service("b"), service("b", {"service": "ext-c"}, {"path": "/x"})),
    Change("c", "c", service("c"), service("c", {"service": "ext-b"}, {"service": "ext-a"})),
    Change("b's state", "ext-b", None, RUNNING),
    Change("b's phase", "ext-b", ServiceState(), RUNNING),
    Change("cri", "cri", None, RUNNING),
    Change("network", "status", None, NetworkStatus(address_ready=True)),
    Change("time", "node", TimeStatus(synced=False), TimeStatus(synced=True)),
    Change("path", "/x", None, PathStatus(present=True)),
    Change("files", "a", None, ExtensionServiceConfigStatus(spec_version="1")),
    Change("files' version", "a", *(ExtensionServiceConfigStatus(spec_version=v) for v in "12")),
)
BACKGROUND = {(type(s), id): s for id, s in (("a", EVERYTHING), ("c", service("c")))}


async def put(cosi: Harness, kind: type[Spec], id: str, spec: Spec | None) -> None:
    if spec is not None:
        await cosi.state.apply(Resource.new(id, spec))
        return
    try:
        if await cosi.state.teardown(kind, id):
            await cosi.state.destroy(kind, id)
    except NotFound:
        pass


async def gates(changes: tuple[Change, ...], *, slowly: bool) -> dict[str, ServiceGate]:
    """What the gates say after these changes, in this order."""
    world: dict[tuple[type[Spec], str], Spec | None] = dict(BACKGROUND)
    world |= {(change.kind, change.id): change.before for change in changes}
    async with running() as cosi:
        cosi.start(DependencyController())
        for (kind, id), spec in world.items():
            await put(cosi, kind, id, spec)
        await cosi.settled()
        for change in changes:
            await put(cosi, change.kind, change.id, change.after)
            if slowly:
                await cosi.settled()
        # Of a definition that is held until its gate is gone, the end is the outside's to bring.
        for change in changes:
            if change.after is None:
                await cosi.gone(change.kind, change.id)
        return await cosi.list(ServiceGate)


def together(number: int) -> list[tuple[Change, ...]]:
    """So many changes of different resources, each of them forth or back."""
    found = []
    for some in combinations(CHANGES, number):
        if len({(change.kind, change.id) for change in some}) == number:
            found += list(product(*((change, change.back) for change in some)))
    return found


GROUPS = together(2) + together(3)[::3]
random.Random(1).shuffle(GROUPS)  # so that the first ones are of all sorts


@pytest.mark.lengthy
@pytest.mark.timeout(120)
@pytest.mark.parametrize("part", range(4))
async def test_a_gate_does_not_depend_on_the_order_in_which_facts_came(
    part: int, campaign: Campaign
) -> None:
    mine = GROUPS[part::4]
    for number in campaign("groups of facts", of=len(mine), suite=8):
        changes = mine[number]
        names = [change.name for change in changes]
        last = {(change.kind, change.id): change.after for change in changes}
        still = tuple(Change("", id, spec, spec) for (_, id), spec in last.items() if spec)
        gone = tuple(c for c in changes if c.after is None)
        right = await gates(still + gone, slowly=True)
        for order in permutations(changes):
            for slowly in (True, False):
                found = await gates(order, slowly=slowly)
                assert found == right, (names, [change.name for change in order], slowly)
