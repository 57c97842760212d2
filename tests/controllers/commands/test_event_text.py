"""The sorts of runtime events that there are, as rows."""

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from controllers.commands.event_text import event_row
from controllers.machine_api.proto import common_pb2, machine_pb2
from tests.controllers.commands.scripted import event

Status = machine_pb2.MachineStatusEvent.MachineStatus


@pytest.mark.parametrize(
    ("message", "source", "text"),
    [
        (
            machine_pb2.ServiceStateEvent(service="cri", action=8, message=" Starting\nservice "),  # type: ignore[arg-type]
            "cri",
            "STARTING: Starting service",
        ),
        (machine_pb2.SequenceEvent(sequence="boot", action=1), "boot", "START"),  # type: ignore[arg-type]
        (
            machine_pb2.SequenceEvent(sequence="boot", error=common_pb2.Error(message="no disk")),
            "boot",
            "error: no disk",
        ),
        (machine_pb2.PhaseEvent(phase="env", action=1), "env", "STOP"),  # type: ignore[arg-type]
        (machine_pb2.TaskEvent(task="mount"), "mount", "START"),
        (machine_pb2.TaskEvent(task="mount", action=99), "mount", "99"),  # type: ignore[arg-type]
        (machine_pb2.AddressEvent(hostname="n", addresses=["a", "b"]), "n", "ADDRESSES: a,b"),
        (
            machine_pb2.MachineStatusEvent(
                stage=machine_pb2.MachineStatusEvent.BOOTING,
                status=Status(unmet_conditions=[Status.UnmetCondition(name="time")]),
            ),
            "BOOTING",
            "ready: false, unmet conditions: [time]",
        ),
    ],
)
def test_every_sort_of_event_has_a_source_and_a_text(
    message: Message, source: str, text: str
) -> None:
    shown = event("id", message, "actor")
    assert event_row("n", shown) == ("n", "id", shown.data.type_url, "actor", source, text)


def test_what_is_of_no_known_type_or_broken_is_passed_over() -> None:
    assert event_row("n", machine_pb2.Event()) is None
    assert event_row("n", event("id", common_pb2.Data())) is None
    broken = AnyMessage(type_url="talos/runtime/machine.TaskEvent", value=b"\xff")
    assert event_row("n", machine_pb2.Event(data=broken)) is None
