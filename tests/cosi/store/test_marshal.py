"""Records: what comes back is what was given, from whoever has written it."""

from __future__ import annotations

import math
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cosi import AnySpec, FrozenMap, Kind, Metadata, Phase, Pointer, Resource, Spec, Value
from cosi.api._protobuf_marshaler import ProtobufMarshaler
from cosi.api.codec import encode
from cosi.api.proto import resource_pb2
from cosi.errors import StoreError
from cosi.state import Compression, Encryption, KeyRing, Marshaler, TypeRegistry, YamlMarshaler
from cosi.store import _compression as compression


class Part(Value):
    weight: float = math.inf


class Record(Spec, type="Records.marshal.example.org"):
    text: str = ""
    missing: str | None = None
    parts: tuple[Part, ...] = ()
    settings: FrozenMap[str, str] = FrozenMap()


zstd = compression.zstd
KIND = Kind("records", Record.__cosi__.type, Record)
OLD, NEW = os.urandom(32), os.urandom(32)
RING = KeyRing("new", {"new": NEW, "old": OLD})


def full(
    text: str = "three\nlines: \"quoted\"\n, 'ümlaut' \x00", id: str = "a/ü b"
) -> Resource[Any]:
    """A resource that says everything that one can say."""
    spec = Record(text=text, parts=(Part(), Part(weight=0.1)), settings=FrozenMap({"k": "v"}))
    metadata = Metadata(
        "records",
        Record.__cosi__.type,
        id,
        2**64 - 1,
        "somebody",
        Phase.TEARING_DOWN,
        datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 11, 22, 12, 0, 0, 654321, tzinfo=timezone(timedelta(hours=1))),
        FrozenMap({"app": "", 'a"': ',\n"spec": '}),
        FrozenMap({"note": "x"}),
        ("B", "A"),
        uuid.uuid4().int,
    )
    return Resource(metadata, spec)


def fields(resource: Resource[Any]) -> tuple[Any, ...]:
    """Everything, where equality leaves out times, uid and the order of finalizers."""
    parts: tuple[Any, ...] = resource.metadata.__reduce__()[1]
    return (*parts, resource.spec)


def through(marshaler: Marshaler, resource: Resource[Any]) -> Resource[Any]:
    return marshaler.unmarshal(marshaler.marshal(resource), resource.pointer)


MARSHALERS: dict[str, Marshaler] = {
    "yaml": YamlMarshaler(),
    "protobuf": ProtobufMarshaler(),
    "compressed": Compression(YamlMarshaler(), min_size=0),
    "encrypted": Encryption(ProtobufMarshaler(), RING),
    "both": Encryption(Compression(YamlMarshaler(), min_size=0), lambda: RING),
}


@pytest.fixture(params=MARSHALERS)
def marshaler(request: pytest.FixtureRequest) -> Marshaler:
    return MARSHALERS[request.param]


def test_everything_comes_back(marshaler: Marshaler) -> None:
    """differences: COSI 6: created and updated come back to the microsecond; and uid,
    differences: COSI 13.
    """
    resource = full()
    assert fields(through(marshaler, resource)) == fields(resource)


def test_a_new_resource_comes_back(marshaler: Marshaler) -> None:
    resource = Resource.new("", Record(), kind=KIND)
    assert fields(through(marshaler, resource)) == fields(resource)


def test_what_is_no_number_comes_back() -> None:
    resource = Resource.new("a", Record(parts=(Part(weight=math.nan), Part(weight=-math.inf))))
    not_a_number, infinite = through(YamlMarshaler(), resource).spec.parts
    assert math.isnan(not_a_number.weight)
    assert infinite.weight == -math.inf


def test_an_unknown_type_comes_back_byte_for_byte(marshaler: Marshaler) -> None:
    kind = Kind("far", "Unknowns.example.org", AnySpec)
    spec = AnySpec("a:   {b: 1}  # comment\n---\n", b"\x08\x01\xff")
    resource = Resource.new("a", spec, kind=kind)
    assert fields(through(marshaler, resource)) == fields(resource)


def test_a_record_of_another_address_is_refused(marshaler: Marshaler) -> None:
    resource = full()
    elsewhere = Pointer(resource.namespace, resource.type, "b")
    with pytest.raises(StoreError, match=r"failed to (unmarshal|decrypt)") as caught:
        marshaler.unmarshal(marshaler.marshal(resource), elsewhere)
    assert caught.value.pointer == elsewhere


def test_many_threads_may_use_one_marshaler() -> None:
    """COSI's test: a thousand parallel round trips."""
    marshaler = MARSHALERS["both"]

    def check(number: int) -> bool:
        resource = full(str(number) * 100, str(number))
        return fields(through(marshaler, resource)) == fields(resource)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(check, range(1000)))


@pytest.mark.parametrize("inner", [YamlMarshaler(), ProtobufMarshaler()])
def test_half_a_record_is_refused_and_named(inner: Marshaler) -> None:
    resource = full()
    data = inner.marshal(resource)
    for end in (0, 1, 10, 19, 60, len(data) // 2, len(data) - 3):
        with pytest.raises(StoreError, match="failed to unmarshal resource Records") as caught:
            inner.unmarshal(data[:end], resource.pointer)
        assert caught.value.pointer == resource.pointer


# -- YAML ---------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_payload_is_said_without_showing_it() -> None:
    resource = full("secret")
    data = YamlMarshaler().marshal(resource).replace(b'"text"', b'"texts"')
    with pytest.raises(StoreError) as caught:
        YamlMarshaler().unmarshal(data, resource.pointer)
    assert str(caught.value) == (
        "failed to unmarshal resource Records.marshal.example.org(records/a/ü b): "
        "texts: Extra inputs are not permitted"
    )


@pytest.mark.parametrize("inner", [YamlMarshaler(), ProtobufMarshaler()])
def test_a_payload_that_no_encoding_can_say_is_refused(inner: Marshaler) -> None:
    resource = Resource.new("a", Record.model_construct(text="\ud800"), kind=KIND)
    with pytest.raises(
        StoreError, match=r"failed to marshal resource Records.*records/a"
    ) as caught:
        inner.marshal(resource)
    assert caught.value.pointer == resource.pointer


def test_a_program_that_does_not_know_a_type_keeps_its_payload_for_one_that_does() -> None:
    ignorant = YamlMarshaler(TypeRegistry(Unrelated))
    resource = Resource.new("a", Record(text="x", parts=(Part(weight=1),)))
    seen = ignorant.unmarshal(YamlMarshaler().marshal(resource), resource.pointer)
    assert isinstance(seen.spec, AnySpec)
    assert seen.spec.value["text"] == "x"
    rewritten = ignorant.marshal(seen)
    assert fields(ignorant.unmarshal(rewritten, resource.pointer)) == fields(seen)
    assert fields(YamlMarshaler().unmarshal(rewritten, resource.pointer)) == fields(resource)


def test_protobuf_bytes_alone_are_nothing_to_a_yaml_record_of_a_known_type() -> None:
    resource = Resource.new("a", AnySpec(proto=b"\x08\x01"), kind=Kind("ns", KIND.type, AnySpec))
    with pytest.raises(StoreError, match="has only protobuf bytes: its type was unknown"):
        through(YamlMarshaler(), resource)


class Unrelated(Spec, type="Unrelateds.marshal.example.org"):
    pass


# -- protobuf -----------------------------------------------------------------------------------


def test_a_record_of_cosi_is_read_and_cosi_reads_ours() -> None:
    resource = full()
    plain = resource.evolve(uid=None)
    assert fields(ProtobufMarshaler().unmarshal(encode(resource), resource.pointer)) == fields(
        plain
    )
    message = resource_pb2.Resource.FromString(ProtobufMarshaler().marshal(resource))
    assert message.metadata.id == resource.id


def test_a_uid_never_travels() -> None:
    """What was read from a store goes on to the API as bytes: without the uid."""
    resource = through(ProtobufMarshaler(), full())
    assert resource.metadata.uid is not None
    assert resource.metadata.uid.to_bytes(16, "big") not in encode(resource)


# -- compression --------------------------------------------------------------------------------


def test_small_records_stay_as_they_are() -> None:
    inner = YamlMarshaler()
    small, big = full("x"), full("x" * 5000)
    packed = Compression(inner).marshal(big)
    assert Compression(inner).marshal(small) == inner.marshal(small)
    assert packed[:2] == b"\x00\x7a"
    assert zstd.decompress(packed[2:]) == inner.marshal(big)
    assert len(packed) < 1000


def test_a_store_may_hold_compressed_records_and_others() -> None:
    inner, resource = ProtobufMarshaler(), full()
    assert Compression(inner).unmarshal(inner.marshal(resource), resource.pointer) == resource


def test_what_does_not_shrink_is_not_compressed() -> None:
    noise = Raw(os.urandom(3000).replace(b"\0", b"\1"))
    assert Compression(noise, 0).marshal(full()) == noise.data


def test_a_record_that_begins_like_a_compressed_one_is_not_taken_for_one() -> None:
    noise = Raw(b"\0z" + os.urandom(10))
    assert Compression(noise).marshal(full())[:2] == b"\0z" != noise.data
    Compression(noise).unmarshal(Compression(noise).marshal(full()), full().pointer)
    assert noise.read == [noise.data]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x00\x01x", "unknown compression ID: 1"),
        (b"\x00\x7anonsense", "failed to decompress resource Records"),
        (b"\x00\x7a" + zstd.compress(b"x" * 100)[:-4], "the end is missing"),
    ],
)
def test_what_cannot_be_decompressed_is_named(data: bytes, why: str) -> None:
    with pytest.raises(StoreError, match=why) as caught:
        Compression(Raw(b"")).unmarshal(data, full().pointer)
    assert caught.value.pointer == full().pointer


def skippable(content: bytes, kind: int = 0) -> bytes:
    return bytes((0x50 + kind, 0x2A, 0x4D, 0x18)) + len(content).to_bytes(4, "little") + content


ONE, OTHER = zstd.compress(b"one, "), zstd.compress(b"other")


@pytest.mark.parametrize(
    ("frames", "holds"),
    [
        (ONE, b"one, "),
        (ONE + OTHER, b"one, other"),
        (ONE + zstd.compress(b"") + OTHER, b"one, other"),
        (skippable(b"abc") + ONE, b"one, "),
        (ONE + skippable(b"") + OTHER, b"one, other"),
        (ONE + skippable(b"abcde", kind=15), b"one, "),
        (skippable(ONE), b""),
        (b"", b""),
    ],
)
def test_all_frames_of_a_record_are_data_as_gos_reader_has_it(frames: bytes, holds: bytes) -> None:
    """What klauspost's zstd.DecodeAll (v1.18.0), which COSI uses, returned for the same bytes."""
    inner = Raw(b"")
    Compression(inner).unmarshal(b"\x00\x7a" + frames, full().pointer)
    assert inner.read == [holds]


@pytest.mark.parametrize(
    "frames",
    [
        ONE + b"\x01",
        ONE + bytes(4),
        ONE + b"trailing",
        ONE + OTHER[:3],
        ONE + OTHER[:-2],
        ONE + skippable(b"abcde")[:6],
        ONE + skippable(b"abcde")[:10],
        ONE + b"\x60" + skippable(b"")[1:],
    ],
)
def test_what_follows_the_frames_of_a_record_is_an_error(frames: bytes) -> None:
    """Go's reader: "unexpected EOF", "invalid input: magic number mismatch"."""
    inner = Raw(b"")
    with pytest.raises(StoreError, match="failed to decompress resource Records") as caught:
        Compression(inner).unmarshal(b"\x00\x7a" + frames, full().pointer)
    assert caught.value.pointer == full().pointer
    assert inner.read == []


def test_a_record_cannot_expand_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in one frame nor in many; what just fits is read."""
    monkeypatch.setattr(compression, "MAX_BYTES", 1000)
    small = zstd.compress(b"x" * 100)
    inner = Raw(b"")
    for fits in (zstd.compress(b"x" * 1000), small * 10, small * 10 + skippable(b"x" * 2000)):
        Compression(inner).unmarshal(b"\x00\x7a" + fits, full().pointer)
    assert inner.read == [b"x" * 1000] * 3
    for much in (zstd.compress(b"x" * 1001), small * 10 + zstd.compress(b"x"), small * 1000):
        with pytest.raises(StoreError, match="more than 1000 bytes"):
            Compression(inner).unmarshal(b"\x00\x7a" + much, full().pointer)
    assert len(inner.read) == 3


class Raw:
    """A marshaler of a third party, whose records begin as they like."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read: list[bytes] = []

    def marshal(self, resource: Resource[Any]) -> bytes:
        return self.data

    def unmarshal(self, data: bytes, pointer: Pointer) -> Resource[Any]:
        self.read.append(data)
        return full()


# -- encryption ---------------------------------------------------------------------------------


def encrypted(keys: KeyRing = RING) -> Encryption:
    return Encryption(YamlMarshaler(), keys)


def cosi_record(resource: Resource[Any], key: bytes) -> bytes:
    """COSI's format: 01, nonce, ciphertext and tag, nothing authenticated beside it."""
    nonce = os.urandom(12)
    return b"\x01" + nonce + AESGCM(key).encrypt(nonce, YamlMarshaler().marshal(resource), None)


def test_no_record_is_like_another_and_none_shows_anything() -> None:
    resource = full("secret")
    one, two = (encrypted().marshal(resource) for _ in range(2))
    assert one != two
    assert b"secret" not in one
    assert one.startswith(b"\x02\x03new")


def test_a_key_can_be_replaced() -> None:
    """differences: COSI 16: encryption lacks key rotation."""
    before = encrypted(KeyRing("old", {"old": OLD}))
    resource = full()
    assert encrypted().unmarshal(before.marshal(resource), resource.pointer) == resource
    with pytest.raises(StoreError, match="unknown key ID: 'new'"):
        before.unmarshal(encrypted().marshal(resource), resource.pointer)


def test_a_key_that_came_later_is_asked_for() -> None:
    """differences: COSI 16: encryption lacks key rotation."""
    rings = iter([KeyRing("old", {"old": OLD}), RING])
    encryption = Encryption(YamlMarshaler(), lambda: next(rings))
    encryption.marshal(full())
    resource = full()
    assert encryption.unmarshal(encrypted().marshal(resource), resource.pointer) == resource
    assert encryption.marshal(resource).startswith(b"\x02\x03new")


def test_records_cannot_be_swapped() -> None:
    """differences: COSI 16: encryption lacks address binding."""
    lenient = Encryption(Raw(b"anything"), RING)
    data = lenient.marshal(full(id="a"))
    with pytest.raises(StoreError, match="gcm open failed: message authentication failed"):
        lenient.unmarshal(data, full(id="b").pointer)
    # Nor by moving letters from one part of the address to the next.
    with pytest.raises(StoreError, match="gcm open failed"):
        lenient.unmarshal(data, Pointer("record", f"s{full().type}", "a"))


def test_records_of_cosi_are_read_with_any_key_and_cannot_be_swapped_either() -> None:
    """differences: COSI 16: what was written without an address says it inside."""
    resource = full()
    for key in (OLD, NEW):
        assert encrypted().unmarshal(cosi_record(resource, key), resource.pointer) == resource
    with pytest.raises(StoreError, match="the record is that of Records"):
        encrypted().unmarshal(cosi_record(resource, OLD), full(id="b").pointer)
    with pytest.raises(StoreError, match="gcm open failed"):
        encrypted().unmarshal(cosi_record(resource, os.urandom(32)), resource.pointer)


def test_one_format_is_not_taken_for_the_other() -> None:
    resource = full()
    sealed = encrypted().marshal(resource)
    stripped = b"\x01" + sealed[len(b"\x02\x03new") :]
    with pytest.raises(StoreError, match="gcm open failed"):
        encrypted().unmarshal(stripped, resource.pointer)


@pytest.mark.parametrize("place", [1, 2, 5, 17, -1])
def test_a_changed_byte_is_noticed(place: int) -> None:
    resource = full()
    data = bytearray(encrypted().marshal(resource))
    data[place] ^= 1
    with pytest.raises(StoreError, match="failed to decrypt resource Records") as caught:
        encrypted().unmarshal(bytes(data), resource.pointer)
    assert caught.value.pointer == resource.pointer


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "encrypted data is too short"),
        (b"\x01" * 13, "encrypted data is too short"),
        (b"\x03" * 40, "unknown data format"),
        (b"{" * 40, "unknown data format"),
        (b"\x01" * 14, "gcm open failed: message authentication failed"),
        (b"\x02\x03new" + b"x" * 9, "gcm open failed: message authentication failed"),
    ],
)
def test_what_is_no_record_is_refused_in_cosis_words(data: bytes, why: str) -> None:
    with pytest.raises(StoreError, match=f"failed to decrypt resource Records.*: {why}"):
        encrypted().unmarshal(data, full().pointer)


def test_a_failure_to_get_the_key_is_not_remembered() -> None:
    """differences: COSI 16: COSI caches the provider's answer, a failure included."""
    answers: list[KeyRing | Exception] = [OSError("vault is sealed"), OSError("still"), RING]

    def ask() -> KeyRing:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    encryption, resource = Encryption(YamlMarshaler(), ask), full()
    with pytest.raises(
        StoreError, match=r"failed to encrypt resource .*: failed to provide key: vault is sealed"
    ):
        encryption.marshal(resource)
    with pytest.raises(
        StoreError, match=r"failed to decrypt resource .*: failed to provide key: still"
    ):
        encryption.unmarshal(encrypted().marshal(resource), resource.pointer)
    assert through(encryption, resource) == resource
    assert answers == []


@pytest.mark.parametrize(
    ("current", "keys", "why"),
    [
        ("a", {"a": b"short"}, "key 'a': key length is not 32 bytes"),
        ("b", {"a": OLD}, "the current key 'b' is not among the keys"),
        ("ü" * 128, {"ü" * 128: OLD}, "its id has more than 255 bytes"),
    ],
)
def test_a_key_ring_is_checked_when_it_is_made(
    current: str, keys: dict[str, bytes], why: str
) -> None:
    with pytest.raises(StoreError, match=why):
        KeyRing(current, keys)


def test_a_key_ring_does_not_show_its_keys() -> None:
    assert repr(RING) == "KeyRing(current='new')"
