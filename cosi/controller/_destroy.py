"""Ends what people tear down: the last step of a resource that no controller owns."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from cosi.controller._declarations import Input, Output
from cosi.controller._qcontroller import QController
from cosi.controller._requeue import Requeue
from cosi.errors import FinalizerConflict, NotFound
from cosi.resource._envelope import KindLike, Resource, S, kind_of


def destroyer(kind: KindLike[S]) -> QController[Any]:
    """A controller that destroys resources of ``kind`` that are torn down, unowned and not held.

    So that people need only tear down: what they made vanishes once everyone has let go. It is
    called ``Destroy[<type>]``, as in COSI.
    """
    return _destroyer(kind_of(kind))


def _destroyer(kind: Any) -> QController[Any]:
    class Destroyer(QController[Any]):
        name = f"Destroy[{kind.type}]"
        primary = Input(kind)
        # It writes, so the graph says so; what it ends is not its own, so not through the handle.
        ended = Output(kind, shared=True)

        async def reconcile(self, resource: Resource[Any], /) -> Requeue | None:
            if resource.owner or resource.finalizers or not resource.tearing_down:
                return None
            side = self._side
            await side.before_write()
            # Somebody may be faster; if it is still there then, its change wakes us again.
            with suppress(NotFound, FinalizerConflict):
                await side.state.destroy(kind, resource.id)
            return None

    return Destroyer()
