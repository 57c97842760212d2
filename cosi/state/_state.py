"""The state: where resources live, and every way to read, change and follow them.

``State`` has six primitive operations, which a store implements, and everything else built from
them (COSI: ``CoreState`` and ``WrapCore``). Its methods are async because some states really wait
(gRPC, a database); the in-memory one never does.

What is built from the primitives is described here and worked out in
``cosi/state/_operations.py``; a state that knows a faster way may override it.
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
        """Make it so: create, update, or leave alone what equals it; return what is stored.

        Payload, labels and annotations are those of ``resource``. Finalizers belong to others:
        those of ``resource`` are used only when it is created. Again if somebody was faster, with
        the attempts of :meth:`update_with_conflicts`. Raises :class:`~cosi.errors.OwnerConflict`,
        :class:`~cosi.errors.PhaseConflict` while the stored one is being torn down, and as
        :meth:`create` and :meth:`update` do.
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
        """Read, ``change``, update; again if somebody was faster; return what is stored.

        ``change`` gets what is stored and returns what should be; it may be called several times.
        If it returns an equal resource nothing is written. What it raises is raised here. There are
        50 attempts at most, with growing pauses of up to 0.3 seconds between them; the last
        :class:`~cosi.errors.VersionConflict` is raised when none succeeded. A ``change`` that does
        not return what it was given, evolved, is an :class:`~cosi.errors.InvalidResource`.
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
        """:meth:`update_with_conflicts`, or create from ``default`` if there is none.

        ``change`` is applied to ``default`` too. Without ``default`` a missing resource is
        :class:`~cosi.errors.NotFound`. Losing a race to create it is not an error: the winner's
        is changed instead (in COSI it is). Otherwise raises as those two do.
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
        """Wait until the resource is as described, and return it; all that is given must hold.

        Without ``events`` it must exist, so ``watch_for(kind, id)`` waits for it to appear. With
        ``events=(EventType.DESTROYED,)`` it waits for its end, and returns its last state, or a
        tombstone if there was none to begin with. ``condition`` and ``phases`` are never asked of
        a tombstone. Raises :class:`~cosi.errors.WatchError` when the watch fails.
        """
        wanted = operations.Wanted(condition, events, phases, finalizers_empty)
        return await operations.watch_for(self, kind, id, wanted)

    async def teardown(self, kind: KindLike[S], id: str, *, owner: str = "") -> bool:
        """Mark the resource as going away; return whether nobody holds it any more.

        Asking twice, or at the same time as somebody else, is no error. Raises
        :class:`~cosi.errors.NotFound`, and :class:`~cosi.errors.OwnerConflict` whatever the phase.
        """
        return not (await operations.teardown(self, kind, id, owner)).finalizers

    async def teardown_and_destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
        """Tear down, wait until nobody holds it, destroy.

        If somebody else destroys it meanwhile, that is success. Raises
        :class:`~cosi.errors.NotFound` if it does not exist in the beginning,
        :class:`~cosi.errors.OwnerConflict`, and :class:`~cosi.errors.WatchError` when it can no
        longer be followed.
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

        Whose resource it is does not matter. One that is being torn down cannot be held any more
        (:class:`~cosi.errors.PhaseConflict`): whoever tears it down may have seen that nobody
        holds it. ``expected_phase=None`` does it nevertheless, as COSI does. Names that are there
        already are no change, in any phase. Raises :class:`~cosi.errors.NotFound`.
        """
        return await operations.add_finalizer(self, kind, id, names, expected_phase)

    async def remove_finalizer(
        self, kind: KindLike[S], id: str, *names: str, uid: Uid | None = None
    ) -> Resource[S]:
        """Let go of the resource, in any phase; names that are not there are no change.

        Raises :class:`~cosi.errors.NotFound`. With ``uid`` only that incarnation is meant: if the
        resource was destroyed and created again since, that is NotFound too, and the new one stays
        as it is.
        """
        return await operations.remove_finalizer(self, kind, id, names, uid)

    def until_teardown(
        self, kind: KindLike[S], id: str
    ) -> AbstractAsyncContextManager[anyio.CancelScope]:
        """A cancel scope that ends with the resource (COSI: ``ContextWithTeardown``).

        ::

            async with state.until_teardown(ServiceGate, id) as scope:
                ...  # cancelled as soon as the gate is being torn down, destroyed, or not there

        ``scope.cancelled_caught`` tells whether that happened. Raises
        :class:`~cosi.errors.WatchError` when the resource can no longer be followed.
        """
        return operations.until_teardown(self, kind, id)
