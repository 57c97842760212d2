"""A state bound to an owner, through which a controller writes (COSI: ``owned.State``)."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from cosi.resource._envelope import KindLike, Resource, S
from cosi.resource._phase import Phase
from cosi.state._state import State
from cosi.state._wrapped import WrappedState


class OwnedState(WrappedState):
    """Writes as ``owner`` by default; reads and finalizers need no owner.

    The ``owner`` argument of an operation: ``None`` means this state's owner, ``""`` no owner
    (COSI: ``WithCreateNoOwner``, ``WithModifyNoOwner``, ``WithOwner``).
    """

    def __init__(self, inner: State, owner: str) -> None:
        super().__init__(inner)
        self.owner = owner

    def _as(self, owner: str | None) -> str:
        return self.owner if owner is None else owner

    @override
    async def create(self, resource: Resource[S], *, owner: str | None = None) -> Resource[S]:
        return await super().create(resource, owner=self._as(owner))

    @override
    async def update(
        self,
        resource: Resource[S],
        *,
        owner: str | None = None,
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        return await super().update(resource, owner=self._as(owner), expected_phase=expected_phase)

    @override
    async def destroy(self, kind: KindLike[S], id: str, *, owner: str | None = None) -> None:
        await super().destroy(kind, id, owner=self._as(owner))

    @override
    async def apply(self, resource: Resource[S], *, owner: str | None = None) -> Resource[S]:
        return await super().apply(resource, owner=self._as(owner))

    @override
    async def update_with_conflicts(
        self,
        kind: KindLike[S],
        id: str,
        change: Callable[[Resource[S]], Resource[S]],
        *,
        owner: str | None = None,
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        return await super().update_with_conflicts(
            kind, id, change, owner=self._as(owner), expected_phase=expected_phase
        )

    @override
    async def modify(
        self,
        kind: KindLike[S],
        id: str,
        change: Callable[[Resource[S]], Resource[S]],
        *,
        default: S | None = None,
        owner: str | None = None,
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        return await super().modify(
            kind,
            id,
            change,
            default=default,
            owner=self._as(owner),
            expected_phase=expected_phase,
        )

    @override
    async def teardown(self, kind: KindLike[S], id: str, *, owner: str | None = None) -> bool:
        return await super().teardown(kind, id, owner=self._as(owner))

    @override
    async def teardown_and_destroy(
        self, kind: KindLike[S], id: str, *, owner: str | None = None
    ) -> None:
        await super().teardown_and_destroy(kind, id, owner=self._as(owner))
