"""What became of a service: its phase, its process, its health, and how it came to that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self, cast

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from cosi import Spec, Value

EVENTS_KEPT: Final = 64
"""Of the events of one service, the oldest are forgotten beyond these (Talos 1.14)."""


class ServicePhase(StrEnum):
    """Where a service is in its life (Talos: ``ServiceStateEvent.Action``)."""

    INITIALIZED = "Initialized"
    """Known, never started."""
    STARTING = "Starting"
    WAITING = "Waiting"
    """For its dependencies, or for the time of the next restart."""
    PREPARING = "Preparing"
    RUNNING = "Running"
    STOPPING = "Stopping"
    FINISHED = "Finished"
    """Over, and well."""
    FAILED = "Failed"
    """Over, with an error."""
    SKIPPED = "Skipped"
    """Over, because there was nothing to run."""


DOWN: Final = frozenset({ServicePhase.FINISHED, ServicePhase.FAILED, ServicePhase.SKIPPED})
"""The phases that Talos calls *down*; one that never started is neither up nor down."""

_WIRE: Final = ("running", "healthy", "unknown")


class ServiceEvent(Value, proto={"text": 1, "phase": 2, "timestamp": 3, "healthy": 4}):
    """One step in the life of a service."""

    text: str
    phase: ServicePhase
    timestamp: datetime
    healthy: bool | None = None
    """The health at that moment, so that a change of it is never lost (differences: race
    talos@fa6cd1c).
    """

    def __str__(self) -> str:
        return f"[{self.phase}]: {self.text}"


class ServiceState(
    Spec,
    type="Services.v1alpha1.talos.dev",
    default_namespace="runtime",
    aliases=("svc",),
    columns={
        "Running": "{.running}",
        "Healthy": "{.healthy}",
        "Health Unknown": "{.unknown}",
        "Phase": "{.phase}",
    },
    proto={
        # Talos's, then our own, far enough from those that Talos may still add.
        "running": (1, bool),
        "healthy": (2, bool),
        "unknown": (3, bool),
        "checked": 100,
        "phase": 101,
        "pid": 102,
        "exitCode": 103,
        "restarts": 104,
        "request": 105,
        "message": 106,
        "events": 107,
    },
):
    """A service, in any phase; Talos shows only those that run (differences: Talos 13).

    Written and read with Talos's three fields first: ``running``, ``healthy``, ``unknown``. They
    are computed from ``phase`` and ``healthy``, and are enough: another system, or a fixture, says
    ``{running: true, healthy: true, unknown: false}`` of its ``cri`` and nothing else.
    """

    healthy: bool | None = None
    """``None``: not known, as for every service that nobody checks; never "failed"."""
    checked: bool = False
    """Whether somebody checks the health; until they know, such a service is not up."""
    phase: ServicePhase = ServicePhase.INITIALIZED
    pid: int | None = None
    """The main process as the host numbers it, while there is one."""
    exit_code: int | None = None
    """Of the last run that is over; death by signal n is 128 + n; ``None`` is not known."""
    restarts: int = 0
    """How often the restart policy has started the service again since it was last asked to run."""
    request: int = 0
    """The generation of the last :class:`ServiceRequest` that was acted upon."""
    message: str = ""
    """The text of the last event."""
    events: tuple[ServiceEvent, ...] = ()
    """The last events, oldest first; never more than :data:`EVENTS_KEPT`."""

    @property
    def running(self) -> bool:
        """Talos's field: whether its main process is there, and not being stopped."""
        return self.phase is ServicePhase.RUNNING

    @property
    def up(self) -> bool:
        """Whether those who depend on the service may start (Talos 1.14: ``StateEventUp``).

        A service that has finished is not up; between two runs of a restart it would be, for a
        moment, and let its dependents in (differences: race talos@b1abd9c).
        """
        if self.phase is ServicePhase.RUNNING:
            return self.healthy is True or (self.healthy is None and not self.checked)
        return self.phase is ServicePhase.SKIPPED

    @property
    def down(self) -> bool:
        """Whether it is over with it (Talos: ``StateEventDown``)."""
        return self.phase in DOWN

    def happened(self, *events: ServiceEvent, **changes: object) -> Self:
        """The state after ``events``, the oldest first: they are kept, and the last one is shown.

        ``changes`` of fields come with them, and prevail.
        """
        if not events:
            return self.evolve(**changes)
        shown: dict[str, object] = {
            "phase": events[-1].phase,
            "message": events[-1].text,
            "events": (*self.events, *events)[-EVENTS_KEPT:],
        }
        return self.evolve(**shown | changes)

    @model_validator(mode="before")
    @classmethod
    def _read_wire(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        fields = dict(cast("Mapping[str, Any]", data))
        running, unknown = fields.pop("running", None), fields.pop("unknown", None)
        if running is not None:
            phase = ServicePhase.RUNNING if running else ServicePhase.INITIALIZED
            said = fields.setdefault("phase", phase)
            if (said == ServicePhase.RUNNING) is not bool(running):
                raise ValueError(f"running: {running} contradicts phase: {said}")
        if unknown:
            if fields.get("healthy"):
                raise ValueError("a service cannot be healthy: true and unknown: true")
            fields["healthy"] = None
        return fields

    @model_serializer(mode="wrap")
    def _write_wire(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        own = fields(self)
        wire = (self.running, self.healthy is True, self.healthy is None)
        return dict(zip(_WIRE, wire, strict=True)) | {
            name: value for name, value in own.items() if name not in _WIRE
        }
