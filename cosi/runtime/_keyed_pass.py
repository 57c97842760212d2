"""One pass of a keyed controller over one resource, and its outcome."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cosi.controller._qcontroller import QController
from cosi.controller._reader import Reader
from cosi.controller._requeue import Requeue, Skip
from cosi.controller._wakeup import Cause, Reason, cause_of
from cosi.errors import NotFound, PhaseConflict, VersionConflict
from cosi.resource._envelope import Kind, Resource
from cosi.state._metrics import ControllerStatistics
from cosi.state._state import State
from cosi.state._watch import Event


class PassHost(Protocol):
    """The part of the adapter that a pass uses."""

    name: str
    state: State
    log: logging.Logger
    statistics: ControllerStatistics
    controller: QController[Any]
    primary: Reader[Any]
    strong: bool  # the pass places our finalizer on the primary
    holding: dict[str, Resource[Any]]  # primaries on which the finalizer is being placed

    @property
    def kind(self) -> Kind[Any]:
        """The kind of the primary."""
        ...

    async def before_write(self) -> None:
        """Count a write; if writes are limited, wait until the limit allows it."""
        ...


class KeyedPass:
    """The pass for one key: places the finalizer, reconciles, finalizes, removes the finalizer."""

    __slots__ = ("adapter", "asked", "id", "waits", "why")

    def __init__(self, adapter: PassHost, id: str, why: Mapping[Any, Event[Any] | Reason]) -> None:
        self.adapter = adapter
        self.id = id
        self.why = why
        self.waits = False  # for an output that still has finalizers
        self.asked: Requeue | None = None

    def causes(self) -> tuple[Cause, ...]:
        """Why this pass runs."""
        return tuple(
            Cause(why) if isinstance(why, Reason) else cause_of(why) for why in self.why.values()
        )

    async def run(self) -> None:
        """Make the pass."""
        adapter = self.adapter
        if adapter.log.isEnabledFor(logging.DEBUG):
            because = ", ".join(str(cause) for cause in self.causes())
            adapter.log.debug("%s woken by %s", self.id, because, extra=fields(self))
        adapter.statistics.reads += 1
        resource = await adapter.state.find(adapter.primary.key, self.id)
        if resource is None:
            return
        if not adapter.strong:
            self.asked = await adapter.controller.reconcile(resource)
        elif resource.tearing_down:
            await self._finalize(resource)
        else:
            held = await self._hold(resource)
            if held is not None:
                self.asked = await adapter.controller.reconcile(held)

    async def _hold(self, resource: Resource[Any]) -> Resource[Any] | None:
        """The resource with our finalizer; ``None`` if its teardown began before we placed it."""
        adapter = self.adapter
        while adapter.name not in resource.metadata.finalizers:
            await adapter.before_write()
            metadata = resource.metadata
            # Not Resource.evolve, which validates: every first pass comes here.
            held = Resource(
                metadata.evolve(finalizers=(*metadata.finalizers, adapter.name)), resource.spec
            )
            adapter.holding[self.id] = resource
            try:
                return await adapter.state.update(held, owner=resource.owner)
            except VersionConflict:
                again = await adapter.primary.find(self.id)
                if again is None or again.tearing_down:
                    return None
                resource = again
            except (NotFound, PhaseConflict):
                return None
            finally:
                del adapter.holding[self.id]
        return resource

    async def _finalize(self, resource: Resource[Any]) -> None:
        """Run ``finalize``; then remove our finalizer, unless the pass waits or is requeued."""
        adapter = self.adapter
        if adapter.name not in resource.metadata.finalizers:
            return
        self.asked = await adapter.controller.finalize(resource)
        if self.waits or self.asked is not None:
            return
        await adapter.before_write()
        try:
            await adapter.state.remove_finalizer(
                adapter.kind, self.id, adapter.name, uid=resource.metadata.uid
            )
        except NotFound:
            return


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended: its error, the seconds until the next pass, or the reason of a skip."""

    error: BaseException | None = None
    after: float | None = None
    reason: str = ""

    @property
    def skipped(self) -> bool:
        """Whether the controller raised :class:`~cosi.Skip`."""
        return bool(self.reason)

    @classmethod
    def of(cls, current: KeyedPass, error: BaseException | None) -> Outcome:
        """The outcome of a pass, from the error that it raised or the value that it returned."""
        if isinstance(error, Skip):
            return cls(reason=str(error) or "no reason given")
        if error is not None:
            return cls(error=error)
        asked = current.asked
        if asked is None:
            return cls()
        if not isinstance(asked, Requeue):  # pyright: ignore[reportUnnecessaryIsInstance]  # not every user runs a type checker
            what = f"a pass returned a {type(asked).__name__}; return None, or Requeue(after=...)"
            return cls(error=TypeError(what))
        after = asked.after if asked.after > 0 else None
        return cls(error=asked.error, after=after)

    def log(self, log: logging.Logger, current: KeyedPass) -> None:
        """Log it: a failure as error, a skip as info, a requeue as debug."""
        if self.error is not None:
            more = fields(current) | {"interval": self.after, "error": repr(self.error)}
            log.error("reconcile failed", exc_info=self.error, extra=more)
        elif self.reason:
            log.info("reconcile skipped: %s", self.reason, extra=fields(current))
        elif self.after is not None:
            log.debug("requeued in %s s", self.after, extra=fields(current))


def fields(current: KeyedPass) -> dict[str, Any]:
    """The log fields of a pass; the names are COSI's."""
    kind = current.adapter.kind
    return {
        "controller": current.adapter.name,
        "namespace": kind.namespace,
        "type": kind.type,
        "id": current.id,
        "job": "reconcile",
    }
