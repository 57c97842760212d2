"""What all state cases share: the resources they use, and how they read a watch."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

import anyio
import pytest

from cosi.resource._envelope import Kind, Resource
from cosi.resource._payload import Spec
from cosi.state._state import State
from cosi.state._watch import Event, EventType, Watch

PATIENCE_SECONDS: Final = 5.0
"""How long an event may take; nothing waits this long unless it fails."""


class Path(Spec, type="Paths.os.cosi.dev"):
    """A resource with nothing in it (COSI's suite: ``os/path``)."""


PathKind = Kind[Path]


class StateCases:
    """Override :meth:`state`, and what the state at hand does differently."""

    default_owner: ClassVar[str] = ""
    """Who owns what is created without saying so."""

    remembered: ClassVar[int] = 100
    """How many events a watch that begins late can count on."""

    knows_incarnations: ClassVar[bool] = True
    """Whether metadata has a uid; it never travels, so a remote state's has none."""

    @pytest.fixture
    def state(self) -> State:
        """A state without resources; fresh for each test."""
        raise pytest.UsageError(f"{type(self).__name__} has no `state` fixture")

    @pytest.fixture
    def namespace(self) -> str:
        """Where the test puts its resources."""
        return f"ns-{secrets.token_hex(4)}"

    @pytest.fixture
    def paths(self, namespace: str) -> PathKind:
        return Kind(namespace, Path.__cosi__.type, Path)


def path(
    kind: PathKind,
    id: str,
    *,
    labels: Mapping[str, str] | None = None,
    finalizers: tuple[str, ...] = (),
) -> Resource[Path]:
    """A path that no state has seen yet."""
    return Resource.new(id, Path(), kind=kind, labels=labels, finalizers=finalizers)


def relabelled(resource: Resource[Path], **labels: str) -> Resource[Path]:
    """The same resource with these labels and no others."""
    return Resource.new(resource.id, resource.spec, labels=labels).evolve(
        namespace=resource.namespace,
        version=resource.version,
        uid=resource.metadata.uid,
        phase=resource.metadata.phase,
        finalizers=resource.finalizers,
    )


def ids(resources: Iterable[Resource[Path]]) -> list[str]:
    """The ids, in the order in which they are listed."""
    return [resource.id for resource in resources]


async def following(watch: Watch[Path]) -> Event[Path]:
    """The next event; fails if there is none for :data:`PATIENCE_SECONDS`."""
    with anyio.fail_after(PATIENCE_SECONDS):
        return await anext(watch)


async def expect(watch: Watch[Path], *expected: tuple[EventType, str]) -> list[Event[Path]]:
    """The next events, which are of these types and about these ids."""
    events = [await following(watch) for _ in expected]
    assert [(event.type, event.resource.id) for event in events] == list(expected)
    return events


async def until(watch: Watch[Path], last: EventType) -> list[Event[Path]]:
    """The next events up to, and with, the first one of type ``last``."""
    events = [await following(watch)]
    while events[-1].type is not last:
        events.append(await following(watch))
    return events
