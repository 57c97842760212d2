"""The destroyer: a controller that destroys unowned resources once they are torn down."""

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

    With it a user only tears down a resource; it is destroyed once its holders have released it.
    The controller's name is ``Destroy[<type>]``, as in COSI.
    """
    return _destroyer(kind_of(kind))


def _destroyer(kind: Any) -> QController[Any]:
    class Destroyer(QController[Any]):
        name = f"Destroy[{kind.type}]"
        primary = Input(kind)
        # For the graph. It destroys resources that it does not own, so not through the handle.
        ended = Output(kind, shared=True)

        async def reconcile(self, resource: Resource[Any], /) -> Requeue | None:
            if resource.owner or resource.finalizers or not resource.tearing_down:
                return None
            side = self._side
            await side.before_write()
            # Another client may destroy or hold it first; if it is still there then, that client's
            # change wakes us again.
            with suppress(NotFound, FinalizerConflict):
                await side.state.destroy(kind, resource.id)
            return None

    return Destroyer()
