"""What a request may cost is bounded, and what is beyond is refused by its own error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from google.protobuf.message import Message
from grpc import StatusCode
from grpc.aio import AioRpcError

from cosi import AnySpec, InMemoryState, Kind, Query, Resource
from cosi.api._id_patterns import PATTERN_LETTERS
from cosi.api._limits import (
    METADATA_BYTES,
    NAME_LETTERS,
    NODES,
    PAYLOAD_BYTES,
    PAYLOAD_VALUES,
    REQUEST_BYTES,
    YAML_BYTES,
    check_metadata,
)
from cosi.api.client import RemoteState, open_channel
from cosi.api.codec import encode
from cosi.api.proto import resource_pb2, state_pb2
from cosi.api.proto.resource_pb2 import IDQuery, LabelQuery, LabelTerm
from cosi.api.query import TERMS, TEXT_LETTERS, VALUES, query_from
from cosi.api.server import UnixListener, serve
from cosi.errors import InvalidResource, LimitExceeded
from cosi.state import LabelOp, Start
from cosi.state import LabelTerm as Term
from tests.cosi.api.test_malformed import METHODS, refused
from tests.cosi.api.things import Part, Plain, Thing

BLOBS = Kind("test", "Blobs.test.cosi.dev", AnySpec)


def terms(count: int, **term: object) -> list[LabelQuery]:
    return [LabelQuery(terms=[LabelTerm(key="a", **term)] * count)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("allowed", "beyond", "why"),
    [
        (terms(TERMS), terms(TERMS + 1), "257 terms, of at most 256"),
        ([LabelQuery()] * TERMS, [LabelQuery()] * (TERMS + 1), "257 branches, of at most 256"),
        (
            terms(1, op=LabelTerm.IN, value=["x"] * VALUES),
            terms(2, op=LabelTerm.IN, value=["x"] * (VALUES // 2 + 1)),
            "1026 values, of at most 1024",
        ),
        (
            terms(1, op=LabelTerm.EQUAL, value=["x" * (TEXT_LETTERS - 1)]),
            terms(1, op=LabelTerm.EQUAL, value=["x" * TEXT_LETTERS]),
            "16385 letters, of at most 16384",
        ),
    ],
    ids=["terms", "branches", "values", "letters"],
)
def test_a_label_query_has_bounds(
    allowed: list[LabelQuery], beyond: list[LabelQuery], why: str
) -> None:
    query_from(allowed, IDQuery())

    with pytest.raises(LimitExceeded, match=why):
        query_from(beyond, IDQuery())


def test_a_pattern_that_is_too_long_has_the_same_error() -> None:
    with pytest.raises(LimitExceeded, match="pattern too large"):
        query_from([], IDQuery(regexp="x" * (PATTERN_LETTERS + 1)))


HUGE = Query(labels=(tuple(Term(f"key-{n}", LabelOp.EXISTS) for n in range(TERMS + 1)),))


async def test_a_client_gets_the_error_as_what_it_is(remote: RemoteState) -> None:
    """As a refused argument, not as a server that could not be reached, which it would retry."""
    with pytest.raises(LimitExceeded, match="257 terms, of at most 256"):
        await remote.list(Thing, HUGE)
    with anyio.fail_after(10), pytest.raises(LimitExceeded, match="257 terms, of at most 256"):
        async with remote.watch(Thing, where=HUGE, start=Start(contents=True)):
            pass
    assert issubclass(LimitExceeded, InvalidResource)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in {"Create", "Update"}])
async def test_a_request_without_a_resource_is_small_or_unread(address: str, method: str) -> None:
    """Three MiB of empty label terms are 1.5 million objects before anything can count them."""
    code, text = await refused(address, method, b"\x0a" * (REQUEST_BYTES + 1))

    assert code is StatusCode.RESOURCE_EXHAUSTED
    assert text == "the request has 65537 bytes, of at most 65536"


LONG = "x" * (NAME_LETTERS + 1)


@pytest.mark.parametrize(
    ("request_of", "method"),
    [
        (lambda: state_pb2.GetRequest(id=LONG), "Get"),
        (lambda: state_pb2.ListRequest(type=LONG), "List"),
        (lambda: state_pb2.WatchRequest(namespace=LONG), "Watch"),
        (lambda: state_pb2.DestroyRequest(id=LONG), "Destroy"),
        (lambda: state_pb2.TeardownRequest(id=LONG), "Teardown"),
        (lambda: state_pb2.TeardownAndDestroyRequest(id=LONG), "TeardownAndDestroy"),
        (lambda: created(Resource.new(LONG, Thing())), "Create"),
        (lambda: created(Resource.new("a", Thing()), owner=LONG), "Create"),
    ],
)
async def test_names_have_bounds(
    address: str, request_of: Callable[[], Message], method: str
) -> None:
    code, text = await refused(address, method, request_of())

    assert code is StatusCode.RESOURCE_EXHAUSTED
    assert "4097 letters, of at most 4096" in text


def created(resource: Resource[Thing], owner: str = "") -> Message:
    message = resource_pb2.Resource.FromString(encode(resource))
    options = state_pb2.CreateOptions(owner=owner)
    return state_pb2.CreateRequest(resource=message, options=options)


async def test_nodes_have_bounds(address: str) -> None:
    """Each node that a call names is a whole answer: a page that the client can make any size."""
    async with open_channel(address) as channel:
        call = channel.unary_unary("/machine.MachineService/ServiceList")
        with pytest.raises(AioRpcError) as allowed:
            await call(b"", metadata=(("nodes", "a"),) * NODES)
        with pytest.raises(AioRpcError) as beyond:
            await call(b"", metadata=(("nodes", "a"),) * (NODES + 1))

    assert allowed.value.code() is StatusCode.UNIMPLEMENTED
    assert beyond.value.code() is StatusCode.RESOURCE_EXHAUSTED
    assert beyond.value.details() == "the call's metadata has 65 nodes, of at most 64"


class Broken(InMemoryState):
    """Has a bug."""

    async def get(self, kind: object, id: str) -> Resource[Any]:
        raise KeyError(id)


async def test_errors_of_clients_fill_no_log(
    socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(Broken(), UnixListener(socket)) as (address,):
        for _ in range(10):
            code, _ = await refused(address, "Get", b"")
            assert code is StatusCode.INTERNAL

    assert len([record for record in caplog.records if "failed" in record.getMessage()]) < 5


NUMBER_OF_LABELS = METADATA_BYTES // 20


@pytest.mark.parametrize("field", ["labels", "annotations", "finalizers"])
async def test_metadata_have_bounds(remote: RemoteState, field: str) -> None:
    many: dict[str, object] = {
        "labels": {f"{number:020}": "" for number in range(NUMBER_OF_LABELS)},
        "annotations": {"a": "x" * METADATA_BYTES},
        "finalizers": tuple(f"{number:020}" for number in range(NUMBER_OF_LABELS)),
    }

    with pytest.raises(LimitExceeded, match="the metadata has"):
        await remote.create(Resource.new("a", Thing()).evolve(**{field: many[field]}))


def test_metadata_in_many_pieces_are_still_too_large() -> None:
    """A reader puts the pieces of a message together; the last one alone may be small."""
    piece = resource_pb2.Metadata(annotations={"a": "x" * (METADATA_BYTES // 2)})
    message = resource_pb2.Resource(metadata=piece).SerializeToString() * 2
    with pytest.raises(LimitExceeded, match="the metadata has"):
        check_metadata(message + resource_pb2.Resource(metadata={}).SerializeToString())
    with pytest.raises(LimitExceeded, match="a resource has 17 parts"):
        check_metadata(b"\x0a\x00" * METADATA_BYTES)


@pytest.mark.parametrize("end", [b"\x0a", b"\x0a\xff\xff", b"\x0b", b"\xff" * 11])
def test_a_large_resource_that_is_none_is_refused(end: bytes) -> None:
    spec = resource_pb2.Spec(proto_spec=b"x" * METADATA_BYTES)
    message = resource_pb2.Resource(spec=spec).SerializeToString()

    with pytest.raises(InvalidResource, match="not a Resource"):
        check_metadata(message + end)


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        (
            lambda: Resource.new("a", Thing(raw=b"x" * (PAYLOAD_BYTES + 1))),
            "the payload as protobuf has",
        ),
        (
            lambda: Resource.new("a", Thing(parts=(Part(name=""),) * (PAYLOAD_VALUES + 1))),
            r"the payload has 1000\d\d values",
        ),
        (
            lambda: Resource.new("a", Thing(names=("",) * (PAYLOAD_VALUES + 1))),
            r"the payload has 1000\d\d values",
        ),
        (lambda: Resource.new("a", Plain(text="x" * YAML_BYTES)), "the payload as YAML has"),
    ],
    ids=["bytes", "messages", "texts", "YAML"],
)
async def test_a_payload_that_is_read_here_has_bounds(
    remote: RemoteState, resource: Callable[[], Resource[Thing]], why: str
) -> None:
    with pytest.raises(LimitExceeded, match=why):
        await remote.create(resource())


async def test_a_payload_that_is_not_read_here_may_be_large(
    remote: RemoteState, state: InMemoryState
) -> None:
    large = AnySpec("x" * (2 * PAYLOAD_BYTES))

    await remote.create(Resource.new("a", large, kind=BLOBS))

    assert (await state.get(BLOBS, "a")).spec == large
