"""Logs through the machine API."""

import pytest
from google.protobuf.empty_pb2 import Empty
from grpc import StatusCode
from grpc.aio import AioRpcError

from controllers.machine_api.logs import CHUNK
from controllers.machine_api.proto import common_pb2, machine_pb2
from tests.controllers.machine_api.conftest import Machine

LOGS = "/machine.MachineService/Logs"


async def read(machine: Machine, **request: object) -> list[bytes]:
    message = machine_pb2.LogsRequest(namespace="system")
    for name, value in request.items():
        setattr(message, name, value)
    return [data.bytes async for data in machine.stream(LOGS, message, common_pb2.Data)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (-1, b"one\ntwo\nthree"),
        (0, b""),
        (1, b"three"),
        (2, b"two\nthree"),
        (9, b"one\ntwo\nthree"),
    ],
)
async def test_the_last_lines_are_read(machine: Machine, lines: int, expected: bytes) -> None:
    machine.logs.register("ext-a").remember(b"one\ntwo\nthree")

    assert b"".join(await read(machine, id="ext-a", tail_lines=lines)) == expected


async def test_following_goes_on_with_what_comes(machine: Machine) -> None:
    log = machine.logs.register("ext-a")
    log.remember(b"old\n")
    request = machine_pb2.LogsRequest(id="ext-a", follow=True, tail_lines=-1)

    seen = b""
    async for data in machine.stream(LOGS, request, common_pb2.Data):
        seen += data.bytes
        if seen == b"old\n":
            log.remember(b"new\n")
        elif seen == b"old\nnew\n":
            break


async def test_bytes_are_sent_as_they_are_in_small_pieces(machine: Machine) -> None:
    written = bytes(range(256)) * 20
    machine.logs.register("ext-a").remember(written)

    pieces = await read(machine, id="ext-a", tail_lines=-1)

    assert b"".join(pieces) == written
    assert max(map(len, pieces)) == CHUNK


async def test_a_service_that_never_ran_has_no_log(machine: Machine) -> None:
    with pytest.raises(AioRpcError) as caught:
        await read(machine, id="ext-a")

    assert caught.value.code() is StatusCode.NOT_FOUND
    assert caught.value.details() == 'log "ext-a" was not registered'


async def test_the_logs_that_there_are(machine: Machine) -> None:
    machine.logs.register("ext-b")
    machine.logs.register("ext-a")

    method, response = "/machine.MachineService/LogsContainers", machine_pb2.LogsContainersResponse
    answer = await machine.ask(method, Empty(), response, "here", "there")

    assert [list(message.ids) for message in answer.messages] == [["ext-a", "ext-b"]] * 2
    assert [message.metadata.hostname for message in answer.messages] == ["here", "there"]
