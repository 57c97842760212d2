"""How the operations of a state are built from its six primitives.

:class:`cosi.State` says what they promise; this is how. Each is a function of a state, so
that wrappers and remote states share them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Generic

import anyio

from cosi.errors import (
    AlreadyExists,
    FinalizerConflict,
    InvalidResource,
    NotFound,
    Overrun,
    OwnerConflict,
    PhaseConflict,
    VersionConflict,
)
from cosi.resource._envelope import Kind, KindLike, Resource, S, Tombstone, kind_of
from cosi.resource._metadata import Uid
from cosi.resource._phase import Phase
from cosi.state._contended import again, pauses
from cosi.state._core import CoreState
from cosi.state._watch import Event, EventType, Watch

Change = Callable[[Resource[S]], Resource[S]]

_BEATEN: Final = (AlreadyExists, VersionConflict, NotFound)
"""What an attempt to apply meets where another writer was faster."""


async def update_with_conflicts(
    state: CoreState,
    kind: KindLike[S],
    id: str,
    change: Change[S],
    *,
    owner: str | None,
    expected_phase: Phase | None,
) -> Resource[S]:
    """``owner=None`` keeps the current owner."""
    left = pauses()
    while True:
        current = await state.get(kind, id)
        if expected_phase is not None and current.metadata.phase is not expected_phase:
            raise not_in_phase(current, expected_phase)
        changed = change(current)
        if changed == current:
            return current
        _check_change(current, changed)
        writer = current.owner if owner is None else owner
        try:
            return await state.update(changed, owner=writer, expected_phase=expected_phase)
        except VersionConflict:
            pause = next(left, None)
            if pause is None:
                raise
        await anyio.sleep(pause)


def _check_change(given: Resource[Any], returned: Any) -> None:
    """A resource of another address or version conflicts however often it is tried."""
    if isinstance(returned, Resource):
        old, new = given.metadata, returned.metadata
        if new.version == old.version and new.id == old.id:
            return
        shown = str(new)
    else:
        shown = f"a {type(returned).__name__}"
    raise InvalidResource(
        f"change was given {given} and returned {shown}; it is to return what it was given, "
        "evolved",
        given.pointer,
    )


def not_in_phase(resource: Resource[Any], phase: Phase) -> PhaseConflict:
    return PhaseConflict(f"resource {resource.metadata} is not in phase {phase}", resource.pointer)


def owned_by_another(resource: Resource[Any]) -> OwnerConflict:
    return OwnerConflict(
        f'resource {resource.metadata} is owned by "{resource.owner}"', resource.pointer
    )


async def modify(
    state: CoreState,
    kind: KindLike[S],
    id: str,
    change: Change[S],
    default: S | None,
    *,
    owner: str,
    expected_phase: Phase | None,
) -> Resource[S]:
    try:
        return await update_with_conflicts(
            state, kind, id, change, owner=owner, expected_phase=expected_phase
        )
    except NotFound:
        if default is None:
            raise
    try:
        fresh = Resource.new(id, default, kind=kind_of(kind))
        new = change(fresh)
        _check_change(fresh, new)
        return await state.create(new, owner=owner)
    except AlreadyExists:
        return await update_with_conflicts(
            state, kind, id, change, owner=owner, expected_phase=expected_phase
        )


async def apply(state: CoreState, resource: Resource[S], owner: str) -> Resource[S]:
    kind, wanted = kind_of_resource(resource), resource.metadata

    async def attempt() -> Resource[S]:
        stored = await state.find(kind, wanted.id)
        if stored is None:
            return await state.create(resource, owner=owner)
        if stored.tearing_down:
            raise not_in_phase(stored, Phase.RUNNING)
        if stored.owner != owner:
            # Not written at all if it is equal already: but not ours to be content with either.
            raise owned_by_another(stored)
        changed = stored.evolve(
            spec=resource.spec, labels=wanted.labels, annotations=wanted.annotations
        )
        return stored if changed == stored else await state.update(changed, owner=owner)

    try:
        return await attempt()
    except _BEATEN as error:
        return await again(error, _BEATEN, attempt)


def kind_of_resource(resource: Resource[S]) -> KindLike[S]:
    """The kind that ``resource`` is one of."""
    return Kind(resource.namespace, resource.type, type(resource.spec))


# -- waiting ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted(Generic[S]):
    """What :meth:`~cosi.State.watch_for` waits for; empty parts ask for nothing."""

    condition: Callable[[Resource[S]], bool] | None
    events: tuple[EventType, ...]
    phases: tuple[Phase, ...]
    finalizers_empty: bool

    def seen_in(self, event: Event[S]) -> bool:
        gone = event.type is EventType.DESTROYED
        if event.type not in self.events if self.events else gone:
            return False
        if self.finalizers_empty and (gone or event.resource.finalizers):
            return False
        if isinstance(event.resource, Tombstone):
            return self.condition is None and not self.phases
        if self.phases and event.resource.metadata.phase not in self.phases:
            return False
        return self.condition is None or self.condition(event.resource)


async def watch_for(state: CoreState, kind: KindLike[S], id: str, wanted: Wanted[S]) -> Resource[S]:
    async with state.watch(kind, id) as watch:
        while True:
            for event in await watch.batch():
                if wanted.seen_in(event):
                    return event.resource


@asynccontextmanager
async def until_teardown(
    state: CoreState, kind: KindLike[Any], id: str
) -> AsyncGenerator[anyio.CancelScope, None]:
    scope = anyio.CancelScope()

    def notice(event: Event[Any]) -> None:
        if event.resource.metadata.id == id and _ending(event):
            scope.cancel()

    unsubscribe = state.subscribe(kind_of(kind), notice)
    if unsubscribe is None:
        async with _until_seen_ending(state, kind, id, scope):
            yield scope
        return
    try:
        resource = await state.find(kind, id)
        if resource is None or resource.tearing_down:
            scope.cancel()
        with scope:
            yield scope
    finally:
        unsubscribe()


@asynccontextmanager
async def _until_seen_ending(
    state: CoreState, kind: KindLike[Any], id: str, scope: anyio.CancelScope
) -> AsyncGenerator[None, None]:
    """The same for a state that cannot call us: a task reads a watch meanwhile."""

    async def follow(watch: Watch[Any]) -> None:
        async for event in watch:
            if _ending(event):
                scope.cancel()

    try:
        async with state.watch(kind, id) as watch, anyio.create_task_group() as tasks:
            if any(_ending(event) for event in await watch.batch()):
                scope.cancel()
            tasks.start_soon(follow, watch)
            with scope:
                yield
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:  # one cause is what the caller expects to catch
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


def _ending(event: Event[Any]) -> bool:
    return event.type is EventType.DESTROYED or event.resource.tearing_down


# -- teardown and finalizers ------------------------------------------------------------------


async def teardown(state: CoreState, kind: KindLike[S], id: str, owner: str) -> Resource[S]:
    """Return the resource as it is then: tearing down."""

    def end(resource: Resource[S]) -> Resource[S]:
        if resource.owner != owner:
            raise owned_by_another(resource)
        return resource if resource.tearing_down else resource.evolve(phase=Phase.TEARING_DOWN)

    return await update_with_conflicts(state, kind, id, end, owner=owner, expected_phase=None)


async def teardown_and_destroy(state: CoreState, kind: KindLike[Any], id: str, owner: str) -> None:
    going = await teardown(state, kind, id, owner)
    while True:
        current = await state.find(kind, id)
        if current is None or _another(current, going):
            return
        if current.finalizers:
            # After an overrun, look again: only the current state matters.
            with suppress(Overrun):
                if not await _released(state, kind, going):
                    return
        else:
            # A holder may add a finalizer after all (``expected_phase=None``): wait again.
            with suppress(FinalizerConflict):
                await _destroy_if_there(state, kind, id, owner)
                return


async def _destroy_if_there(state: CoreState, kind: KindLike[Any], id: str, owner: str) -> None:
    with suppress(NotFound):
        await state.destroy(kind, id, owner=owner)


async def _released(state: CoreState, kind: KindLike[Any], going: Resource[Any]) -> bool:
    """Wait until ``going`` has no finalizers; ``False`` if it was destroyed meanwhile."""
    async with state.watch(kind, going.id) as watch:
        while True:
            for event in await watch.batch():
                if event.type is EventType.DESTROYED or _another(event.resource, going):
                    return False
                if not event.resource.finalizers:
                    return True


def _another(resource: Resource[Any], going: Resource[Any]) -> bool:
    """Whether ``resource`` is a later incarnation of ``going``."""
    one, other = resource.metadata.uid, going.metadata.uid
    if one is not None and other is not None:
        return one != other
    return not resource.tearing_down  # nothing that is being torn down runs again


async def add_finalizer(
    state: CoreState,
    kind: KindLike[S],
    id: str,
    names: tuple[str, ...],
    expected_phase: Phase | None,
) -> Resource[S]:
    def hold(resource: Resource[S]) -> Resource[S]:
        missing = tuple(n for n in dict.fromkeys(names) if n not in resource.finalizers)
        if not missing:
            return resource
        if expected_phase is not None and resource.metadata.phase is not expected_phase:
            raise not_in_phase(resource, expected_phase)
        return resource.evolve(finalizers=(*resource.finalizers, *missing))

    return await update_with_conflicts(state, kind, id, hold, owner=None, expected_phase=None)


async def remove_finalizer(
    state: CoreState, kind: KindLike[S], id: str, names: tuple[str, ...], uid: Uid | None
) -> Resource[S]:
    def release(resource: Resource[S]) -> Resource[S]:
        if uid is not None and resource.metadata.uid not in {None, uid}:
            raise NotFound(
                f"resource {resource.pointer} with uid {uid} doesn't exist", resource.pointer
            )
        kept = tuple(name for name in resource.finalizers if name not in names)
        return resource if kept == resource.finalizers else resource.evolve(finalizers=kept)

    return await update_with_conflicts(state, kind, id, release, owner=None, expected_phase=None)
