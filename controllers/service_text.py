"""Services as people read them: the table of all, and the block of one (talosctl: `service`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from cosi import Resource
from cosi.cli.tabwriter import table
from resources.service_state import ServiceState

HEADER = ("NODE", "SERVICE", "STATE", "HEALTH", "LAST CHANGE", "LAST EVENT")


def service_table(node: str, services: Iterable[Resource[ServiceState]], now: datetime) -> str:
    """One line for each service, sorted as given (Talos 1.14: "services")."""
    return table([HEADER, *(_line(node, service, now) for service in services)])


def _line(node: str, service: Resource[ServiceState], now: datetime) -> tuple[str, ...]:
    events = service.spec.events
    since = go_duration(now - events[-1].timestamp) if events else ""
    last = events[-1].text if events else "<none>"
    return (node, service.id, service.spec.phase, health(service.spec), f"{since} ago", last)


def service_block(node: str, service: Resource[ServiceState], now: datetime) -> str:
    """One service in two columns, newest event first (Talos 1.14: "service ID")."""
    rows = [
        ("NODE", node),
        ("ID", service.id),
        ("STATE", service.spec.phase),
        ("HEALTH", health(service.spec)),
        *_events(service.spec, now),
    ]
    return table(rows)


def _events(state: ServiceState, now: datetime) -> Iterator[tuple[str, str]]:
    label = "EVENTS"
    for event in reversed(state.events):
        text = event.text.strip().replace("\n", " ")
        yield label, f"[{event.phase}]: {text} ({go_duration(now - event.timestamp)} ago)"
        label = ""


def health(state: ServiceState) -> str:
    """``?`` for a service that nobody checks: unknown is not a failure."""
    return {None: "?", True: "OK", False: "Fail"}[state.healthy]


def go_duration(span: timedelta) -> str:
    """A span as Go prints it, rounded to seconds: ``0s``, ``2m47s``, ``1h0m3s``, ``72h5m0s``."""
    seconds = int(span.total_seconds() + 0.5) if span > timedelta() else 0
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
