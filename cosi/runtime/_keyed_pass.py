"""One pass of a keyed controller over one resource, and how it ended."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cosi.controller._requeue import Requeue, Skip
from cosi.controller._wakeup import Cause, What, cause_of
from cosi.errors import NotFound, PhaseConflict, VersionConflict
from cosi.resource._envelope import Resource
from cosi.state._watch import Event

if TYPE_CHECKING:
    from cosi.runtime._queue_adapter import QueueSeat


class KeyedPass:
    """Looks at one key: places the finalizer, reconciles, finalizes, lifts the finalizer."""

    __slots__ = ("asked", "id", "seat", "waits", "why")

    def __init__(self, seat: QueueSeat, id: str, why: Mapping[Any, Event[Any] | What]) -> None:
        self.seat = seat
        self.id = id
        self.why = why
        self.waits = False  # for an output that somebody still holds
        self.asked: Requeue | None = None

    def causes(self) -> tuple[Cause, ...]:
        """Why this pass runs."""
        return tuple(
            Cause(why) if isinstance(why, What) else cause_of(why) for why in self.why.values()
        )

    async def run(self) -> None:
        """Make the pass."""
        seat = self.seat
        if seat.log.isEnabledFor(logging.DEBUG):
            because = ", ".join(str(cause) for cause in self.causes())
            seat.log.debug("%s woken by %s", self.id, because, extra=fields(self))
        seat.statistics.reads += 1
        resource = await seat.state.find(seat.primary.key, self.id)
        if resource is None:
            return
        if not seat.strong:
            self.asked = await seat.controller.reconcile(resource)
        elif resource.tearing_down:
            await self._finalize(resource)
        else:
            held = await self._hold(resource)
            if held is not None:
                self.asked = await seat.controller.reconcile(held)

    async def _hold(self, resource: Resource[Any]) -> Resource[Any] | None:
        """The resource with our finalizer; ``None`` if it began to go before we could hold it."""
        seat = self.seat
        while seat.name not in resource.metadata.finalizers:
            await seat.before_write()
            metadata = resource.metadata
            # Not Resource.evolve, which looks at what it is given: every first pass comes here.
            held = Resource(
                metadata.evolve(finalizers=(*metadata.finalizers, seat.name)), resource.spec
            )
            seat.holding[self.id] = resource
            try:
                return await seat.state.update(held, owner=resource.owner)
            except VersionConflict:
                again = await seat.primary.find(self.id)
                if again is None or again.tearing_down:
                    return None
                resource = again
            except (NotFound, PhaseConflict):
                return None
            finally:
                del seat.holding[self.id]
        return resource

    async def _finalize(self, resource: Resource[Any]) -> None:
        """Undo, then let go; the finalizer is ours to lift however little there was to undo."""
        seat = self.seat
        if seat.name not in resource.metadata.finalizers:
            return
        self.asked = await seat.controller.finalize(resource)
        if self.waits or self.asked is not None:
            return
        await seat.before_write()
        try:
            await seat.state.remove_finalizer(
                seat.kind, self.id, seat.name, uid=resource.metadata.uid
            )
        except NotFound:
            return


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended: what went wrong, and in how many seconds to look again, if at all."""

    error: BaseException | None = None
    after: float | None = None
    reason: str = ""

    @property
    def skipped(self) -> bool:
        """Whether it found a reason to do nothing."""
        return bool(self.reason)

    @classmethod
    def of(cls, current: KeyedPass, error: BaseException | None) -> Outcome:
        """What a pass said, by raising or by returning."""
        if isinstance(error, Skip):
            return cls(reason=str(error) or "no reason given")
        if error is not None:
            return cls(error=error)
        asked = current.asked
        if asked is None:
            return cls()
        if not isinstance(asked, Requeue):  # pyright: ignore[reportUnnecessaryIsInstance]  # not everybody runs a type checker
            what = f"a pass returned a {type(asked).__name__}; return None, or Requeue(after=...)"
            return cls(error=TypeError(what))
        after = asked.after if asked.after > 0 else None
        return cls(error=asked.error, after=after)

    def log(self, log: logging.Logger, current: KeyedPass) -> None:
        """Say it: failures as errors, skips for information, the rest to those who debug."""
        if self.error is not None:
            more = fields(current) | {"interval": self.after, "error": repr(self.error)}
            log.error("reconcile failed", exc_info=self.error, extra=more)
        elif self.reason:
            log.info("reconcile skipped: %s", self.reason, extra=fields(current))
        elif self.after is not None:
            log.debug("requeued in %s s", self.after, extra=fields(current))


def fields(current: KeyedPass) -> dict[str, Any]:
    """The log fields of a pass; the names are COSI's."""
    kind = current.seat.kind
    return {
        "controller": current.seat.name,
        "namespace": kind.namespace,
        "type": kind.type,
        "id": current.id,
        "job": "reconcile",
    }
