"""Renders services as text: the table of all, and the block of one (talosctl: ``service``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cosi.cli.tabwriter import table
from resources.service_state import ServiceState

HEADER = ("NODE", "SERVICE", "STATE", "HEALTH", "LAST CHANGE", "LAST EVENT")


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """One event of a service, as shown."""

    text: str
    state: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class ShownService:
    """A service as shown, from any source; ``events`` are oldest first."""

    id: str
    state: str
    healthy: bool | None
    events: tuple[ShownEvent, ...] = ()
    health_message: str = ""


def shown(id: str, service: ServiceState) -> ShownService:
    """The shown form of a service's state."""
    events = tuple(ShownEvent(one.text, one.phase, one.timestamp) for one in service.events)
    return ShownService(id, service.phase, service.healthy, events)


def service_table(services: Iterable[tuple[str, ShownService]], now: datetime) -> str:
    """One line for each service with its node, in the given order (Talos 1.14: "services")."""
    return table([HEADER, *(_line(node, service, now) for node, service in services)])


def _line(node: str, service: ShownService, now: datetime) -> tuple[str, ...]:
    events = service.events
    since = go_duration(now - events[-1].timestamp) if events else ""
    last = _one_line(events[-1].text) if events else "<none>"
    return (node, service.id, service.state, health(service), f"{since} ago", last)


def service_block(node: str, service: ShownService, now: datetime) -> str:
    """One service in two columns, newest event first (Talos 1.14: "service ID")."""
    message = [("LAST HEALTH MESSAGE", service.health_message)] if service.health_message else []
    rows = [
        ("NODE", node),
        ("ID", service.id),
        ("STATE", service.state),
        ("HEALTH", health(service)),
        *message,
        *_events(service, now),
    ]
    return table(rows)


def _events(service: ShownService, now: datetime) -> Iterator[tuple[str, str]]:
    label = "EVENTS"
    for event in reversed(service.events):
        ago = go_duration(now - event.timestamp)
        yield label, f"[{event.state}]: {_one_line(event.text)} ({ago} ago)"
        label = ""


def _one_line(text: str) -> str:
    return " ".join(text.split("\n")).strip()


def health(service: ShownService) -> str:
    """``OK``, ``Fail``, or ``?`` for a service without a health check."""
    return {None: "?", True: "OK", False: "Fail"}[service.healthy]


def go_duration(span: timedelta) -> str:
    """A span as Go prints it, rounded to seconds: ``0s``, ``2m47s``, ``1h0m3s``, ``72h5m0s``."""
    seconds = int(span.total_seconds() + 0.5) if span > timedelta() else 0
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
