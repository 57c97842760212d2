"""The handles of outputs: the only way in which a controller writes resources."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Container, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from typing_extensions import override

from cosi.controller._reader import Reader
from cosi.controller._runtime_side import RuntimeSide
from cosi.errors import (
    AlreadyExists,
    FinalizerConflict,
    InvalidResource,
    NotFound,
    OwnerConflict,
    PhaseConflict,
    VersionConflict,
)
from cosi.resource._envelope import Kind, Resource, S, kind_of
from cosi.resource._frozen import EMPTY
from cosi.resource._metadata import Metadata, texts
from cosi.state._contended import again

_BEATEN: Final = (AlreadyExists, VersionConflict, PhaseConflict, NotFound)
_BEATEN_OR_OWNED: Final = (*_BEATEN, OwnerConflict)


class Writer(Reader[S]):
    """Writes resources of one type that its controller owns.

    It wakes the controller when a resource that it removes is destroy-ready. A *deferring* writer
    leaves the resources of other owners alone: see :class:`~cosi.Output`.
    """

    writes = True

    def __init__(
        self, name: str, kind: Kind[S], ids: frozenset[str] | None, *, defers: bool = False
    ) -> None:
        super().__init__(name, kind, ids)
        self._defers = defers

    async def apply(
        self,
        id: str,
        spec: S,
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Resource[S]:
        """Create or update the resource, or leave an equal one alone; return the stored resource.

        ``labels`` and ``annotations`` of ``None`` stay as they are; a mapping replaces them.

        An output that is being torn down must be destroyed before it can be created again. If a
        finalizer still holds it, it is left alone and returned (``.tearing_down``), and the
        controller is woken when it is free; then the same ``apply`` replaces it. A deferring output
        returns the resource of another owner unchanged: its ``.owner`` is not the controller's
        name.

        Raises :class:`~cosi.errors.OwnerConflict` for a resource of another owner if the output
        does not defer, and :class:`~cosi.errors.InvalidResource` for a payload of another class. If
        another writer was faster in all of 50 attempts, raises the error of the last one, as a rule
        a :class:`~cosi.errors.Conflict`; as :meth:`State.apply <cosi.State.apply>`, with the same
        pauses.
        """
        side = self._bound()
        if not isinstance(spec, self.kind.payload):  # pyright: ignore[reportUnnecessaryIsInstance]  # not all users run a type checker
            raise InvalidResource(
                f"{self._name} takes {self.kind.payload.__name__}, not {type(spec).__name__}",
                self.kind.pointer(id),
            )
        beaten = _BEATEN_OR_OWNED if self._defers else _BEATEN
        try:
            return await self._apply(side, id, spec, labels, annotations)
        except beaten as error:
            return await again(error, beaten, self._apply, side, id, spec, labels, annotations)

    async def _apply(
        self,
        side: RuntimeSide,
        id: str,
        spec: S,
        labels: Mapping[str, str] | None,
        annotations: Mapping[str, str] | None,
    ) -> Resource[S]:
        """One attempt."""
        current = await self._look(side, id)
        if current is not None and current.owner != side.name:
            return current
        if current is not None and current.tearing_down:
            if not await self._destroy(side, current):
                return current
            current = None
        if current is None:
            created = self._new(id, spec, labels, annotations)
            await side.before_write()
            return await side.state.create(created, owner=side.name)
        updated = _evolved(current, spec, labels, annotations)
        if updated is current:
            return current
        await side.before_write()
        return await side.state.update(updated, owner=side.name)

    async def _look(self, side: RuntimeSide, id: str) -> Resource[S] | None:
        """The stored resource; if another owner has it, this output defers, and has reported that.

        Raises :class:`~cosi.errors.OwnerConflict` for such a resource if the output does not defer.
        """
        side.statistics.reads += 1
        current = await side.state.find(self.key, id)
        if current is None or current.owner == side.name:
            return current
        if not self._defers:
            raise _owner_conflict(current, side.name)
        # Report, then read again: a destruction published before the report would wake nothing.
        side.left_alone(current)
        side.statistics.reads += 1
        return await side.state.find(self.key, id)

    def _new(
        self,
        id: str,
        spec: S,
        labels: Mapping[str, str] | None,
        annotations: Mapping[str, str] | None,
    ) -> Resource[S]:
        # Not Resource.new: the kind is known here, and the state checks the name.
        metadata = Metadata(
            self.kind.namespace,
            self.kind.type,
            id,
            labels=texts(labels) if labels else EMPTY,
            annotations=texts(annotations) if annotations else EMPTY,
        )
        return Resource(metadata, spec)

    async def modify(
        self,
        id: str,
        change: Callable[[Resource[S]], Resource[S]],
        *,
        default: S | None = None,
    ) -> Resource[S]:
        """Read, ``change``, write; again if another writer was faster; return the stored resource.

        For the rare output of which a part must survive; otherwise use :meth:`apply`. Without a
        ``default`` payload a missing resource raises :class:`~cosi.errors.NotFound`. Raises as
        :meth:`State.modify <cosi.State.modify>`; a deferring output returns the resource of another
        owner unchanged.
        """
        side = self._bound()
        beaten: tuple[type[OwnerConflict], ...] = (OwnerConflict,) if self._defers else ()
        try:
            return await self._modify(side, id, change, default)
        except beaten as error:
            return await again(error, beaten, self._modify, side, id, change, default)

    async def _modify(
        self,
        side: RuntimeSide,
        id: str,
        change: Callable[[Resource[S]], Resource[S]],
        default: S | None,
    ) -> Resource[S]:
        """One attempt with regard to other owners; the state retries on other conflicts."""
        if self._defers:
            current = await self._look(side, id)
            if current is not None and current.owner != side.name:
                return current
        side.statistics.reads += 1
        await side.before_write()
        stored = await side.state.modify(self.key, id, change, default=default, owner=side.name)
        if self._defers and stored.owner != side.name:
            # Another owner has created it meanwhile, and ``change`` left it unchanged.
            raise _owner_conflict(stored, side.name)
        return stored

    async def remove(self, id: str) -> bool:
        """Tear down and destroy the resource; return whether it is gone.

        If a finalizer still holds it, it stays, torn down, and the controller is woken when it is
        free; then the same ``remove`` destroys it. A missing resource counts as gone. For a
        resource of another owner a deferring output returns true, and any other raises
        :class:`~cosi.errors.OwnerConflict`.
        """
        side = self._bound()
        side.statistics.reads += 1
        current = await side.state.find(self.key, id)
        if current is None:
            return True
        if current.owner == side.name:
            return await self._destroy(side, current)
        if self._defers:
            return True
        raise _owner_conflict(current, side.name)

    async def prune(self, *, keep: Container[str]) -> None:
        """Remove every output of this controller whose id is not in ``keep``.

        Resources of other owners are left alone, also those of a shared type.
        """
        side = self._bound()
        for resource in await self.list():
            if resource.owner == side.name and resource.id not in keep:
                await self._destroy(side, resource)

    def track(self) -> AbstractAsyncContextManager[Tracked[S]]:
        """Remove, at the end of the block, all outputs that were not applied in it.

        ::

            async with self.gates.track() as gates:
                await gates.apply(...)

        The block applies through the view that it gets. Outputs that it does not apply are removed
        at the end: torn down, and destroyed as soon as no finalizer holds them (COSI destroys
        directly, and fails on finalizers; differences: COSI 12). If the block raises, nothing is
        removed. Since it is a *view*, other tasks of the controller may write through the output
        meanwhile.
        """
        return self._track()

    @asynccontextmanager
    async def _track(self) -> AsyncGenerator[Tracked[S]]:
        view = Tracked(self)
        yield view
        await self.prune(keep=view.touched)

    def within(self, namespace: str) -> Writer[S]:
        """The same output in another namespace; an output may write in every namespace."""
        side = self._bound()
        kind = kind_of(self.kind, namespace)
        view: Writer[S] = Writer(self._name, kind, None, defers=self._defers)
        view.bind(side)
        side.follow_output(view)
        return view

    def retarget(self, *, ids: Collection[str] | None = None, namespace: str | None = None) -> None:
        """Write to another namespace from now on; outputs in the old one stay, with their owner.

        Raises ``TypeError`` for ``ids``: an output is not bound to ids.
        """
        if ids is not None:
            raise TypeError(f"{self._name} is an output: it may write any id")
        super().retarget(namespace=namespace)

    async def _destroy(self, side: RuntimeSide, resource: Resource[S]) -> bool:
        """Tear down and destroy; ``False`` while held: the release then wakes the controller."""
        try:
            ready = not resource.finalizers
            with side.destroying(self.kind, resource.id):
                if not resource.tearing_down:
                    await side.before_write()
                    ready = await side.state.teardown(self.key, resource.id, owner=side.name)
                if ready:
                    await side.before_write()
                    await side.state.destroy(self.key, resource.id, owner=side.name)
                    return True
        except NotFound:
            return True
        except OwnerConflict:  # another owner has replaced it meanwhile
            if self._defers:
                return True
            raise
        except FinalizerConflict:
            pass
        side.wait_destroy_ready(resource.pointer)
        return False


class Tracked(Writer[S]):
    """A view of an output that records the ids applied through it."""

    def __init__(self, output: Writer[S]) -> None:
        super().__init__(output._name, output.kind, output.ids, defers=output._defers)
        self.bind(output._bound())
        self.touched: set[str] = set()

    @override
    async def apply(
        self,
        id: str,
        spec: S,
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Resource[S]:
        # Recorded even if the write fails: the output is still wanted.
        self.touched.add(id)
        return await super().apply(id, spec, labels=labels, annotations=annotations)

    @override
    async def modify(
        self,
        id: str,
        change: Callable[[Resource[S]], Resource[S]],
        *,
        default: S | None = None,
    ) -> Resource[S]:
        self.touched.add(id)
        return await super().modify(id, change, default=default)


def _owner_conflict(resource: Resource[Any], name: str) -> OwnerConflict:
    return OwnerConflict(
        f'resource {resource} is owned by "{resource.owner}", not by "{name}"', resource.pointer
    )


def _evolved(
    current: Resource[S],
    spec: S,
    labels: Mapping[str, str] | None,
    annotations: Mapping[str, str] | None,
) -> Resource[S]:
    """The resource to store; ``current`` itself if nothing changes."""
    changes: dict[str, Any] = {}
    if labels is not None and labels != current.metadata.labels:
        changes["labels"] = texts(labels)
    if annotations is not None and annotations != current.metadata.annotations:
        changes["annotations"] = texts(annotations)
    if not changes and (current.spec is spec or current.spec == spec):
        return current
    return current.evolve(spec=spec, **changes)
