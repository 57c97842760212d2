"""Metrics: samples, and the one small protocol by which an exporter reads them.

Nothing is pushed and nothing is global: a runtime counts in plain integers, and the exporter reads
them at a scrape. The names are COSI's ("Metrics").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Literal, Protocol, runtime_checkable

from cosi.resource._frozen import EMPTY


@dataclass(frozen=True, slots=True)
class Sample:
    """One current value; a ``counter`` only grows."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    value: float
    labels: Mapping[str, str] = EMPTY


@runtime_checkable
class Measured(Protocol):
    """An object with metrics for an exporter, for example a :class:`~cosi.Runtime`."""

    def samples(self) -> Iterable[Sample]:
        """All current values."""
        ...


@dataclass(slots=True)
class ControllerStatistics:
    """Counts of one controller since it was registered; ``reconcile_busy`` is in seconds."""

    crashes: int = 0
    wakeups: int = 0
    reads: int = 0
    writes: int = 0
    processed: int = 0
    skips: int = 0
    requeues: int = 0
    mapped_in: int = 0
    mapped_out: int = 0
    queue_length: int = 0
    reconcile_busy: float = 0.0


_HELP = {
    "crashes": ("counter", "Failed passes."),
    "wakeups": ("counter", "Requested passes; coalesced requests count once."),
    "reads": ("counter", "Reads of the state by the controller."),
    "writes": ("counter", "Writes to the state that the controller attempted."),
    "processed": ("counter", "Reconcile jobs started."),
    "skips": ("counter", "Jobs that were skipped."),
    "requeues": ("counter", "Jobs without an error that requested another run."),
    "mapped_in": ("counter", "Changes of mapped inputs."),
    "mapped_out": ("counter", "Keys to which these changes were mapped."),
    "queue_length": ("gauge", "Keys that wait for a worker or for a delay."),
    "reconcile_busy": ("counter", "Seconds spent in passes."),
}
_KEYED = ("processed", "skips", "requeues", "mapped_in", "mapped_out", "queue_length")
_PLAIN = ("wakeups", "reads", "writes")


def controller_samples(
    controller: str, statistics: ControllerStatistics, *, keyed: bool
) -> Iterable[Sample]:
    """The samples of one controller, under COSI's names: ``qcontroller_`` for keyed ones."""
    labels = {"controller": controller}
    for each in fields(statistics):
        kind, text = _HELP[each.name]
        if each.name in _KEYED and not keyed:
            continue
        value = getattr(statistics, each.name)
        yield Sample(_name(each.name, keyed), kind, text, value, labels)  # type: ignore[arg-type]  # from the table above


def _name(field_name: str, keyed: bool) -> str:
    if field_name == "reconcile_busy" and not keyed:
        return field_name
    prefix = "qcontroller" if keyed and field_name not in _PLAIN else "controller"
    return f"{prefix}_{field_name}"
