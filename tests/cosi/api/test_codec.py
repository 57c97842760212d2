from datetime import UTC, datetime

import pytest

from cosi import AnySpec, FrozenMap, Kind, Phase, Pointer, Resource, Spec
from cosi.api.codec import decode, decode_tombstone, encode
from cosi.api.proto.resource_pb2 import Resource as Message
from cosi.api.proto.resource_pb2 import Spec as SpecMessage
from cosi.errors import InvalidResource
from cosi.state import Tombstone, TypeRegistry
from tests.cosi.api.things import FULL, Plain, Thing

NOWHERE = Kind("default", "os/path", AnySpec)
types = TypeRegistry(Thing, Plain).payload


def thing(spec: Spec = FULL) -> Resource[Spec]:
    return Resource.new("a", spec).evolve(
        version=3,
        owner="me",
        phase=Phase.TEARING_DOWN,
        labels=FrozenMap({"app": "x", "empty": ""}),
        annotations=FrozenMap({"note": "ü"}),
        finalizers=("B", "A"),
        created=datetime(2026, 8, 20, 10, tzinfo=UTC),
        updated=datetime(2026, 8, 20, 11, 0, 0, 250_000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "spec", [FULL, Thing(), Plain(text="x: y\n")], ids=["full", "zero", "yaml"]
)
def test_a_resource_comes_back_as_it_was(spec: Spec) -> None:
    original = thing(spec)

    again = decode(encode(original), types)

    assert again == original
    assert again.metadata.created == original.metadata.created
    assert again.metadata.updated == original.metadata.updated
    assert again.finalizers == ("B", "A")


def test_a_payload_travels_in_both_forms() -> None:
    message = Message.FromString(encode(thing()))

    assert message.metadata.version == "3"
    assert message.metadata.phase == "tearingDown"
    assert message.spec.proto_spec
    assert "colour: red" in message.spec.yaml_spec


@pytest.mark.parametrize("form", ["proto_spec", "yaml_spec"])
def test_one_form_is_enough(form: str) -> None:
    message = Message.FromString(encode(thing()))
    message.spec.ClearField("proto_spec" if form == "yaml_spec" else "yaml_spec")

    assert decode(message.SerializeToString(), types) == thing()


def test_a_resource_is_encoded_once() -> None:
    resource = thing()

    assert encode(resource) is encode(resource)


def test_what_came_goes_on_as_it_came() -> None:
    message = Message.FromString(encode(thing()))
    message.spec.yaml_spec += "# with a remark\n"
    data = message.SerializeToString()

    assert encode(decode(data, types)) is data


def test_a_type_that_nobody_registered_travels_byte_for_byte() -> None:
    spec = AnySpec("{flow: [style],   odd:  spaces} # remark", b"\x08\x01\xff")
    resource = Resource.new("x", spec, kind=NOWHERE).evolve(version=1)

    again = decode(encode(resource), types)

    assert again.spec == spec


def test_a_tombstone_has_an_empty_spec_and_comes_back_as_one() -> None:
    """differences: COSI 8: tombstones lose their identity."""
    tombstone = Tombstone(Pointer("runtime", "Things.test.cosi.dev", "a"), 7)

    message = Message.FromString(encode(tombstone))

    assert message.HasField("spec")
    assert message.spec == SpecMessage()
    assert decode_tombstone(encode(tombstone)) == tombstone


def sent(**changes: str) -> bytes:
    message = Message.FromString(encode(thing()))
    for name, value in changes.items():
        setattr(message.metadata, name, value)
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xff", "not a Resource"),
        (b"", "metadata is missing"),
        (Message(spec=SpecMessage()).SerializeToString(), "metadata is missing"),
        (sent(version=""), "error parsing version"),
        (sent(version="-1"), "error parsing version"),
        (sent(phase="gone"), "unknown phase: gone"),
    ],
    ids=("noise", "nothing", "no metadata", "no version", "a negative version", "no phase"),
)
def test_what_is_no_resource_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(InvalidResource, match=text):
        decode(data, types)


def test_a_resource_without_a_spec_is_refused() -> None:
    message = Message.FromString(sent())
    message.ClearField("spec")

    with pytest.raises(InvalidResource, match="spec is missing"):
        decode(message.SerializeToString(), types)


def test_a_time_that_is_none_is_refused() -> None:
    message = Message.FromString(sent())
    message.metadata.created.seconds = 2**60

    with pytest.raises(InvalidResource, match="not a point in time"):
        decode(message.SerializeToString(), types)
