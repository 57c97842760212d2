"""The state of a service: its phase, its process, its health, and its latest events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self, cast

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from cosi import Spec, Value

EVENTS_KEPT: Final = 64
"""How many events of a service are kept; older ones are dropped (Talos 1.14)."""


class ServicePhase(StrEnum):
    """The phase of a service (Talos: ``ServiceStateEvent.Action``)."""

    INITIALIZED = "Initialized"
    """Known, never started."""
    STARTING = "Starting"
    WAITING = "Waiting"
    """Waiting for its dependencies, or for its next restart."""
    PREPARING = "Preparing"
    RUNNING = "Running"
    STOPPING = "Stopping"
    FINISHED = "Finished"
    """Ended without an error."""
    FAILED = "Failed"
    """Ended with an error."""
    SKIPPED = "Skipped"
    """Ended because there was nothing to run."""


DOWN: Final = frozenset({ServicePhase.FINISHED, ServicePhase.FAILED, ServicePhase.SKIPPED})
"""The phases that Talos calls *down*; a service that never started is neither up nor down."""

_WIRE: Final = ("running", "healthy", "unknown")


class ServiceEvent(Value, proto={"text": 1, "phase": 2, "timestamp": 3, "healthy": 4}):
    """One change of phase or health, or message, of a service."""

    text: str
    phase: ServicePhase
    timestamp: datetime
    healthy: bool | None = None
    """The health at that time, so that no change of it is lost (differences: race
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
        # Talos's numbers, then ours, far from numbers that Talos may add.
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
    """A service, in any phase; Talos shows only running ones (differences: Talos 13).

    Its YAML begins with Talos's three fields: ``running``, ``healthy``, ``unknown``. They are
    computed from ``phase`` and ``healthy``. They are also enough to read one: another system, or a
    fixture, may write only ``{running: true, healthy: true, unknown: false}`` for its ``cri``.
    """

    healthy: bool | None = None
    """The health; ``None`` if it is unknown, as for every service without a health check."""
    checked: bool = False
    """Whether the service has a health check; it is then not up before its health is known."""
    phase: ServicePhase = ServicePhase.INITIALIZED
    pid: int | None = None
    """The main process, by its id on the host, while it exists."""
    exit_code: int | None = None
    """The exit code of the last ended run; 128 + n for signal n; ``None`` if unknown."""
    restarts: int = 0
    """How often the restart policy restarted the service since it was last requested to run."""
    request: int = 0
    """The generation of the last executed :class:`ServiceRequest`."""
    message: str = ""
    """The text of the last event."""
    events: tuple[ServiceEvent, ...] = ()
    """The last events, oldest first; never more than :data:`EVENTS_KEPT`."""

    @property
    def running(self) -> bool:
        """Talos's field: whether its main process exists, and is not being stopped."""
        return self.phase is ServicePhase.RUNNING

    @property
    def up(self) -> bool:
        """Whether dependents of the service may start (Talos 1.14: ``StateEventUp``).

        A finished service is not up. Otherwise it would be up for a moment between two runs of a
        restart, and its dependents would start (differences: race talos@b1abd9c).
        """
        if self.phase is ServicePhase.RUNNING:
            return self.healthy is True or (self.healthy is None and not self.checked)
        return self.phase is ServicePhase.SKIPPED

    @property
    def down(self) -> bool:
        """Whether the service has ended (Talos: ``StateEventDown``)."""
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
