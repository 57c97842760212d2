"""Renders runtime events as rows of a table (talosctl: ``events``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from controllers.machine_api.proto import machine_pb2

TYPE_URL: Final = "talos/runtime/"
"""The prefix of a message's name in an event (Talos 1.14)."""

HEADER: Final = ("NODE", "ID", "EVENT", "ACTOR", "SOURCE", "MESSAGE")


def event_row(node: str, event: machine_pb2.Event) -> tuple[str, ...] | None:
    """A row for ``event``; ``None`` if it has no content, or a type unknown to this program.

    One event is one line: talosctl has the same columns, but breaks every row after EVENT
    (differences: Talos 19).
    """
    found = _TEXTS.get(event.data.type_url.removeprefix(TYPE_URL))
    if found is None:
        return None
    message_class, text = found
    try:
        source, message = text(message_class.FromString(event.data.value))
    except DecodeError:
        return None
    message = " ".join(message.split())  # one line
    return node, event.id, event.data.type_url, event.actor_id, source, message


def _service(event: Any) -> tuple[str, str]:
    return event.service, f"{_name(event, 'action')}: {event.message}"


def _sequence(event: Any) -> tuple[str, str]:
    error = event.error.message
    return event.sequence, f"error: {error}" if error else _name(event, "action")


def _phase(event: Any) -> tuple[str, str]:
    return event.phase, _name(event, "action")


def _task(event: Any) -> tuple[str, str]:
    return event.task, _name(event, "action")


def _addresses(event: Any) -> tuple[str, str]:
    return event.hostname, f"ADDRESSES: {','.join(event.addresses)}"


def _machine_status(event: Any) -> tuple[str, str]:
    unmet = " ".join(condition.name for condition in event.status.unmet_conditions)
    ready = str(event.status.ready).lower()
    return _name(event, "stage"), f"ready: {ready}, unmet conditions: [{unmet}]"


def _name(event: Any, field: str) -> str:
    """The name of an enumeration's value; for one that this program does not know, its number."""
    number: int = getattr(event, field)
    values: Any = event.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return values[number].name if number in values else str(number)


_Text = Callable[[Any], tuple[str, str]]
_KNOWN: Final[dict[str, _Text]] = {
    "ServiceStateEvent": _service,
    "SequenceEvent": _sequence,
    "PhaseEvent": _phase,
    "TaskEvent": _task,
    "AddressEvent": _addresses,
    "MachineStatusEvent": _machine_status,
}
_TEXTS: Final[dict[str, tuple[type[Message], _Text]]] = {
    f"machine.{name}": (getattr(machine_pb2, name), text)
    for name, text in _KNOWN.items()
    if hasattr(machine_pb2, name)
}
