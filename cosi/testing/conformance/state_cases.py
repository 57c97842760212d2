"""The common parts of all state cases: their resources, and reading from a watch."""

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
"""How long an event may take; only a failing test waits this long."""


class Path(Spec, type="Paths.os.cosi.dev"):
    """A resource without fields (COSI's suite: ``os/path``)."""


PathKind = Kind[Path]


class StateCases:
    """Base class of the state cases; override :meth:`state`, and the attributes that differ."""

    default_owner: ClassVar[str] = ""
    """The owner of a resource that is created without one."""

    remembered: ClassVar[int] = 100
    """How many past events are guaranteed to a watch that begins late."""

    knows_incarnations: ClassVar[bool] = True
    """Whether metadata has a uid; it is never sent, so a remote state has none."""

    @pytest.fixture
    def state(self) -> State:
        """A new state for each test, without resources."""
        raise pytest.UsageError(f"{type(self).__name__} has no `state` fixture")

    @pytest.fixture
    def namespace(self) -> str:
        """The namespace of the test's resources."""
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
    """A new path, not stored yet."""
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
    """The ids, in the given order."""
    return [resource.id for resource in resources]


async def following(watch: Watch[Path]) -> Event[Path]:
    """The next event; fails if there is none for :data:`PATIENCE_SECONDS`."""
    with anyio.fail_after(PATIENCE_SECONDS):
        return await anext(watch)


async def expect(watch: Watch[Path], *expected: tuple[EventType, str]) -> list[Event[Path]]:
    """The next events, which must have these types and ids."""
    events = [await following(watch) for _ in expected]
    assert [(event.type, event.resource.id) for event in events] == list(expected)
    return events


async def until(watch: Watch[Path], last: EventType) -> list[Event[Path]]:
    """The next events up to and including the first one of type ``last``."""
    events = [await following(watch)]
    while events[-1].type is not last:
        events.append(await following(watch))
    return events
