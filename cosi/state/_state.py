"""The state: where resources live, and all operations to read, change and follow them.

``State`` has six primitive operations, which a store implements, and everything else built from
them (COSI: ``CoreState`` and ``WrapCore``). The methods are async because some states wait for
others (gRPC, a database); the in-memory one never waits.

The operations built from the primitives are described here and implemented in
``cosi/state/_operations.py``; a state that has a faster way may override them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import anyio

from cosi.resource._envelope import KindLike, Resource, S
from cosi.resource._metadata import Uid
from cosi.resource._phase import Phase
from cosi.state import _operations as operations
from cosi.state._core import CoreState
from cosi.state._watch import EventType


class State(CoreState):
    """Resources, addressed by kind and id."""

    # -- built from the primitives ------------------------------------------------------------

    async def apply(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        """Create or update the resource, or leave an equal one alone; return the stored one.

        Payload, labels and annotations are taken from ``resource``. Finalizers belong to the
        holders, so those of ``resource`` are used only when it is created. Tries again if another
        writer was faster, as often as :meth:`update_with_conflicts`. Raises
        :class:`~cosi.errors.OwnerConflict`, :class:`~cosi.errors.PhaseConflict` while the stored
        one is being torn down, and as :meth:`create` and :meth:`update` do.
        """
        return await operations.apply(self, resource, owner)

    async def update_with_conflicts(
        self,
        kind: KindLike[S],
        id: str,
        change: Callable[[Resource[S]], Resource[S]],
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        """Read, ``change``, update; repeat after a conflict; return the stored resource.

        ``change`` gets the stored resource and returns the new one; it may be called several times.
        If it returns an equal resource nothing is written. Its exceptions are raised here. There
        are at most 50 attempts, with growing pauses of up to 0.3 seconds between them; if none
        succeeds, the last :class:`~cosi.errors.VersionConflict` is raised. ``change`` must return
        its argument or an ``evolve`` of it, else :class:`~cosi.errors.InvalidResource` is raised.
        Otherwise raises as :meth:`get` and :meth:`update`.
        """
        return await operations.update_with_conflicts(
            self, kind, id, change, owner=owner, expected_phase=expected_phase
        )

    async def modify(
        self,
        kind: KindLike[S],
        id: str,
        change: Callable[[Resource[S]], Resource[S]],
        *,
        default: S | None = None,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        """:meth:`update_with_conflicts`, or create from ``default`` if the resource is missing.

        ``change`` is applied to ``default`` too. Without ``default`` a missing resource raises
        :class:`~cosi.errors.NotFound`. Losing a race to create it is not an error (in COSI it is):
        the winner's resource is changed instead. Otherwise raises as :meth:`create` and
        :meth:`update_with_conflicts`.
        """
        return await operations.modify(
            self, kind, id, change, default, owner=owner, expected_phase=expected_phase
        )

    async def watch_for(
        self,
        kind: KindLike[S],
        id: str,
        condition: Callable[[Resource[S]], bool] | None = None,
        *,
        events: tuple[EventType, ...] = (),
        phases: tuple[Phase, ...] = (),
        finalizers_empty: bool = False,
    ) -> Resource[S]:
        """Wait until the resource meets all given conditions, and return it.

        Without ``events`` it must exist, so ``watch_for(kind, id)`` waits for it to appear.
        ``events=(EventType.DESTROYED,)`` waits until it is destroyed, and returns its last state,
        or a tombstone if it did not exist at the start. ``condition`` and ``phases`` are never
        checked for a tombstone. Raises :class:`~cosi.errors.WatchError` if the watch fails.
        """
        wanted = operations.Wanted(condition, events, phases, finalizers_empty)
        return await operations.watch_for(self, kind, id, wanted)

    async def teardown(self, kind: KindLike[S], id: str, *, owner: str = "") -> bool:
        """Mark the resource as being torn down; return whether it has no finalizers.

        Repeated or concurrent calls are no error. Raises :class:`~cosi.errors.NotFound`, and
        :class:`~cosi.errors.OwnerConflict` in any phase.
        """
        return not (await operations.teardown(self, kind, id, owner)).finalizers

    async def teardown_and_destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
        """Tear the resource down, wait until it has no finalizers, destroy it.

        If another caller destroys it meanwhile, that is success. Raises
        :class:`~cosi.errors.NotFound` if it does not exist at the start,
        :class:`~cosi.errors.OwnerConflict`, and :class:`~cosi.errors.WatchError` if the watch
        fails.
        """
        await operations.teardown_and_destroy(self, kind, id, owner)

    async def add_finalizer(
        self,
        kind: KindLike[S],
        id: str,
        *names: str,
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        """Hold the resource: it cannot be destroyed until the finalizers are removed.

        The owner does not matter. A resource that is being torn down cannot be held any more
        (:class:`~cosi.errors.PhaseConflict`), because its destroyer may have seen already that it
        has no finalizers. ``expected_phase=None`` holds it nevertheless, as COSI does. Names that
        it has already change nothing, in any phase. Raises :class:`~cosi.errors.NotFound`.
        """
        return await operations.add_finalizer(self, kind, id, names, expected_phase)

    async def remove_finalizer(
        self, kind: KindLike[S], id: str, *names: str, uid: Uid | None = None
    ) -> Resource[S]:
        """Release the resource, in any phase; names that it does not have change nothing.

        Raises :class:`~cosi.errors.NotFound`. With ``uid`` only that incarnation is released: if
        the resource was destroyed and created again since, this also raises ``NotFound``, and the
        new resource is not changed.
        """
        return await operations.remove_finalizer(self, kind, id, names, uid)

    def until_teardown(
        self, kind: KindLike[S], id: str
    ) -> AbstractAsyncContextManager[anyio.CancelScope]:
        """A cancel scope that ends with the resource (COSI: ``ContextWithTeardown``).

        ::

            async with state.until_teardown(ServiceGate, id) as scope:
                ...  # cancelled as soon as the gate is being torn down, destroyed, or missing

        ``scope.cancelled_caught`` is true if that happened. Raises
        :class:`~cosi.errors.WatchError` if the watch fails.
        """
        return operations.until_teardown(self, kind, id)
