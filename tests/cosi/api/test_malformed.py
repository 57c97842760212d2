"""What a client may send: the right status code for each, and never the end of the server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc import StatusCode
from grpc.aio import AioRpcError

from cosi import InMemoryState, Resource
from cosi.api.client import RemoteState, open_channel
from cosi.api.codec import encode
from cosi.api.endpoint import MAX_MESSAGE_BYTES
from cosi.api.failure import TRAILER
from cosi.api.proto import resource_pb2, state_pb2
from cosi.api.proto.resource_pb2 import LabelQuery, LabelTerm
from cosi.api.server import UnixListener, serve
from tests.cosi.api.things import Thing

TYPE = "Things.test.cosi.dev"
GARBAGE = b"\xff\xff\xff"

# Field 1: a namespace of bytes that are no text.
NOT_TEXT = b"\x0a\x02\xff\xfe"


async def ask(address: str, method: str, request: Message | bytes) -> list[bytes]:
    """All answers of one call."""
    data = request if isinstance(request, bytes) else request.SerializeToString()
    async with open_channel(address) as channel:
        call: grpc.aio.UnaryStreamCall[bytes, bytes] = channel.unary_stream(
            f"/cosi.resource.State/{method}"
        )(data)
        first = await call.read()
        return [] if first is grpc.aio.EOF else [first]


async def refused(address: str, method: str, request: Message | bytes) -> tuple[StatusCode, str]:
    with pytest.raises(AioRpcError) as caught:
        await ask(address, method, request)
    return caught.value.code(), caught.value.details() or ""


METHODS = (
    "Get",
    "List",
    "Watch",
    "Create",
    "Update",
    "Destroy",
    "Teardown",
    "TeardownAndDestroy",
)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("garbage", [GARBAGE, NOT_TEXT], ids=["bytes", "text"])
async def test_garbage_is_an_invalid_argument(address: str, method: str, garbage: bytes) -> None:
    code, _ = await refused(address, method, garbage)

    assert code is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", ["Create", "Update"])
async def test_a_resource_that_was_not_sent_is_an_invalid_argument(
    address: str, method: str
) -> None:
    assert await refused(address, method, b"") == (
        StatusCode.INVALID_ARGUMENT,
        "metadata is missing",
    )


@pytest.mark.parametrize("method", ["Get", "Destroy", "Teardown", "TeardownAndDestroy"])
async def test_an_empty_request_asks_for_what_is_not_there(address: str, method: str) -> None:
    code, text = await refused(address, method, b"")

    assert code is StatusCode.NOT_FOUND
    assert "doesn't exist" in text


async def test_an_empty_list_is_empty(address: str) -> None:
    assert await ask(address, "List", b"") == []


async def test_an_empty_watch_stands(address: str) -> None:
    assert await ask(address, "Watch", b"") == [b""]


async def test_an_update_without_options_accepts_any_phase(
    address: str, state: InMemoryState
) -> None:
    """differences: COSI 8: in COSI it ends the server."""
    stored = await state.create(Resource.new("a", Thing()))
    await state.teardown(Thing, "a")
    current = await state.get(Thing, "a")
    message = resource_pb2.Resource.FromString(encode(current))

    (answer,) = await ask(address, "Update", state_pb2.UpdateRequest(new_resource=message))

    version = state_pb2.UpdateResponse.FromString(answer).resource.metadata.version
    assert (stored.version, version) == (1, "3")


@pytest.mark.parametrize("op", LabelTerm.Operation.values())
async def test_a_label_term_without_values_matches_nothing(
    address: str, state: InMemoryState, op: LabelTerm.Operation
) -> None:
    """differences: COSI 8: in COSI it ends the server."""
    await state.create(Resource.new("a", Thing(), labels={"app": "x"}))
    term = LabelQuery(terms=[LabelTerm(key="app", op=op)])
    request = state_pb2.ListRequest(
        namespace="test", type=TYPE, options=state_pb2.ListOptions(label_query=[term])
    )

    answers = await ask(address, "List", request)

    assert bool(answers) is (op == LabelTerm.EXISTS)


def list_with(term: LabelTerm) -> Message:
    query = [LabelQuery(terms=[term])]
    return state_pb2.ListRequest(options=state_pb2.ListOptions(label_query=query))


def pattern(regexp: str) -> Message:
    options = state_pb2.ListOptions(id_query=resource_pb2.IDQuery(regexp=regexp))
    return state_pb2.ListRequest(options=options)


def watch(**options: object) -> Callable[[], Message]:
    def request() -> Message:
        # The stubs know each option by its type; here they vary.
        message = state_pb2.WatchOptions()
        for name, value in options.items():
            setattr(message, name, value)
        return state_pb2.WatchRequest(namespace="test", type=TYPE, options=message)

    return request


def watch_one(options: state_pb2.WatchOptions) -> Message:
    return state_pb2.WatchRequest(namespace="test", type=TYPE, id="", options=options)


@pytest.mark.parametrize(
    ("method", "request_of", "code", "text"),
    [
        (
            "List",
            lambda: list_with(LabelTerm.FromString(bytes([2 << 3, 42]))),
            StatusCode.UNIMPLEMENTED,
            "unsupported label query operator: 42",
        ),
        ("List", lambda: pattern("("), StatusCode.INVALID_ARGUMENT, "failed to compile regexp"),
        ("Watch", watch(tail_events=-1), StatusCode.INVALID_ARGUMENT, "tail_events"),
        ("Watch", watch(start_from_bookmark=b""), StatusCode.FAILED_PRECONDITION, "bookmark"),
        ("Watch", watch(start_from_bookmark=b"x"), StatusCode.FAILED_PRECONDITION, "bookmark"),
        (
            "Watch",
            watch(start_from_bookmark=b"x", bootstrap_contents=True),
            StatusCode.UNKNOWN,
            "cannot use BootstrapContents",
        ),
        (
            "Watch",
            lambda: watch_one(state_pb2.WatchOptions(bootstrap_contents=True)),
            StatusCode.UNIMPLEMENTED,
            "one resource",
        ),
        (
            "Watch",
            lambda: watch_one(state_pb2.WatchOptions(label_query=[LabelQuery()])),
            StatusCode.UNIMPLEMENTED,
            "one resource",
        ),
        ("Create", lambda: NOT_TEXT, StatusCode.INVALID_ARGUMENT, "not a"),
    ],
)
async def test_what_cannot_be_done_is_said_with_its_code(
    address: str,
    method: str,
    request_of: Callable[[], Message],
    code: StatusCode,
    text: str,
) -> None:
    said, why = await refused(address, method, request_of())

    assert said is code
    assert text in why


async def test_a_phase_that_is_none_is_refused(address: str) -> None:
    message = resource_pb2.Resource.FromString(encode(Resource.new("a", Thing())))
    request = state_pb2.UpdateRequest(
        new_resource=message, options=state_pb2.UpdateOptions(expected_phase="gone")
    )

    assert await refused(address, "Update", request) == (
        StatusCode.INVALID_ARGUMENT,
        "unknown phase: gone",
    )


async def test_a_payload_that_does_not_fit_its_type_is_refused(address: str) -> None:
    message = resource_pb2.Resource.FromString(encode(Resource.new("a", Thing())))
    message.spec.proto_spec = b""
    message.spec.yaml_spec = "number: many"

    code, text = await refused(address, "Create", state_pb2.CreateRequest(resource=message))

    assert code is StatusCode.INVALID_ARGUMENT
    assert "number" in text


async def test_64_mib_are_too_much(address: str, remote: RemoteState) -> None:
    code, _ = await refused(address, "Create", b"\x0a" * (2 * MAX_MESSAGE_BYTES))

    assert code is StatusCode.RESOURCE_EXHAUSTED
    assert await remote.list(Thing) == ()


async def test_a_method_that_nobody_has_is_unimplemented(address: str) -> None:
    code, text = await refused(address, "Explode", b"")
    elsewhere = await refused(address, "../machine.MachineService/Reboot", b"")

    assert code is StatusCode.UNIMPLEMENTED
    assert text == "unknown method Explode for service cosi.resource.State"
    assert elsewhere == (code, "unknown service cosi.resource.State/../machine.MachineService")


async def test_a_very_long_name_does_not_burst_the_headers(address: str) -> None:
    request = state_pb2.GetRequest(namespace="n" * 4_000, type=TYPE, id="i" * 4_000)

    code, text = await refused(address, "Get", request)

    assert code is StatusCode.NOT_FOUND
    assert len(text) < 3_000


class Broken(InMemoryState):
    async def get(self, kind: object, id: str) -> Resource[Any]:
        raise KeyError("secret")


async def test_a_bug_in_the_server_is_said_without_its_particulars(
    socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(Broken(), UnixListener(socket)) as addresses:
        code, text = await refused(addresses[0], "Get", b"")
        assert await ask(addresses[0], "List", b"") == []

    assert code is StatusCode.INTERNAL
    assert "secret" not in text
    assert "secret" in caplog.text


async def test_node_metadata_has_one_value(address: str) -> None:
    async with open_channel(address) as channel:
        call = channel.unary_unary("/cosi.resource.State/Get")
        with pytest.raises(AioRpcError) as several:
            await call(b"", metadata=(("node", "a"), ("node", "b")))
        with pytest.raises(AioRpcError) as many:
            await call(b"", metadata=(("nodes", "a"), ("nodes", "b")))
        talosctl = (("node", "a"), ("context", "home"), ("runtime", "Talos"))
        with pytest.raises(AioRpcError) as one:
            await call(b"", metadata=talosctl)

    assert several.value.details() == "node metadata must be single-valued"
    assert several.value.code() is StatusCode.INVALID_ARGUMENT
    assert many.value.code() is StatusCode.UNIMPLEMENTED
    assert "one-2-many proxying is not supported for method" in (many.value.details() or "")
    assert one.value.code() is StatusCode.NOT_FOUND
    assert TRAILER in [name for name, _ in one.value.trailing_metadata() or ()]
