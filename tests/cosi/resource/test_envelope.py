"""Payloads and envelopes are values, and say so when somebody tries."""

import copy
import pickle
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import pytest
from pydantic import ValidationError, model_validator

from cosi import AnySpec, FrozenMap, Kind, Pointer, Resource, Spec, Value
from cosi.errors import InvalidResource
from cosi.resource._envelope import kind_of
from cosi.state import Tombstone


class Port(Value):
    number: int
    names: tuple[str, ...] = ()


class Socket(Spec, type="Sockets.net.example.org", aliases=("sock",)):
    port: Port = Port(number=80)
    open_files: FrozenMap[str, int] = FrozenMap()


ONE = Resource.new("one", Socket(), labels={"a": "b"}, annotations={"c": "d"})


def test_a_payload_class_knows_its_kind() -> None:
    assert kind_of(Socket) == Kind("net", "Sockets.net.example.org", Socket)
    assert kind_of(Socket, "elsewhere").namespace == "elsewhere"
    assert kind_of(kind_of(Socket), "elsewhere") == kind_of(Socket, "elsewhere")
    assert str(kind_of(Socket)) == "Sockets.net.example.org(net)"
    assert kind_of(Socket).pointer("x") == Pointer("net", "Sockets.net.example.org", "x")


def test_a_payload_without_a_type_of_its_own_needs_a_kind() -> None:
    with pytest.raises(TypeError, match="use Kind"):
        kind_of(AnySpec)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Socket(), "Socket.* is not a kind: use a payload class, or Kind"),
        ("Sockets.net.example.org", "'Sockets.net.example.org' is not a kind: use a payload class"),
        (dict, "dict is not a payload class: it does not derive from Spec"),
    ],
)
def test_what_is_no_kind_is_named(given: Any, text: str) -> None:
    """``issubclass() arg 1 must be a class`` said neither what was wrong nor what to write."""
    with pytest.raises(TypeError, match=text):
        kind_of(given)


def test_a_default_namespace_can_be_named() -> None:
    class Elsewhere(Spec, type="Elsewheres.aa.bb", default_namespace="there"):
        pass

    assert Resource.new("x", Elsewhere()).namespace == "there"


@pytest.mark.parametrize("type", ["NoGroup", ".group.org", "Name."])
def test_a_type_without_name_or_group_is_refused(type: str) -> None:
    with pytest.raises(TypeError, match=r"is not NAME\.GROUP"):

        class Wrong(Spec, type=type):
            pass


def test_a_type_must_be_given() -> None:
    """The error named pydantic's hook, and not the class."""
    with pytest.raises(TypeError, match=r'Wrong has no type: write class Wrong\(Spec, type="Na'):

        class Wrong(Spec):
            pass


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        (list[str], "list"),
        (dict[str, int], "dict"),
        (tuple[set[int], ...], "set"),
        (FrozenMap[str, list[str]] | None, "list"),
        (deque[int], "deque"),
        (Mapping[str, int], "Mapping"),
        (tuple[Sequence[int], ...], "Sequence"),
    ],
)
def test_a_mutable_field_is_refused_when_the_class_is_made(annotation: Any, found: str) -> None:
    namespace = {"__annotations__": {"items": annotation}, "__module__": __name__}
    with pytest.raises(TypeError, match=rf"\.items is a {found}, which can be changed"):
        type("Wrong", (Value,), namespace)


def test_payloads_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ONE.spec.port = Port(number=81)  # type: ignore[misc]
    with pytest.raises(AttributeError, match="evolve"):
        ONE.spec = Socket()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        AnySpec("a").yaml = "b"


def test_the_next_payload_is_validated() -> None:
    assert ONE.spec.evolve(port=Port(number=81)).port.number == 81
    with pytest.raises(ValidationError):
        ONE.spec.evolve(port=Port(number=80).evolve(number="x"))
    with pytest.raises(ValidationError):
        ONE.spec.evolve(prot=1)


def test_nobody_copies_a_resource() -> None:
    assert copy.copy(ONE) is copy.deepcopy(ONE) is ONE
    assert copy.deepcopy(ONE.spec) is ONE.spec
    assert copy.deepcopy(AnySpec("a")) == AnySpec("a")


def test_resources_pickle() -> None:
    assert pickle.loads(pickle.dumps(ONE)) == ONE
    gone = Tombstone(ONE.pointer, 3)
    assert pickle.loads(pickle.dumps(gone)) == gone


def test_a_resource_shows_what_is_in_its_metadata() -> None:
    assert (ONE.id, ONE.namespace, ONE.type) == ("one", "net", "Sockets.net.example.org")
    assert (ONE.version, ONE.owner, ONE.finalizers) == (None, "", ())
    assert (ONE.labels, ONE.tearing_down) == ({"a": "b"}, False)
    assert str(ONE) == "Sockets.net.example.org(net/one@undefined)"
    assert repr(ONE) == f"<Resource {ONE}>"
    assert str(ONE.pointer) == "Sockets.net.example.org(net/one)"


def test_equality_is_of_metadata_and_payload() -> None:
    assert ONE.evolve(spec=Socket()) == ONE
    assert ONE.evolve(spec=Socket(port=Port(number=1))) != ONE
    assert ONE.evolve(owner="me") != ONE
    assert ONE != "one"
    assert hash(ONE.evolve()) == hash(ONE)


def test_a_tombstone_has_an_address_and_no_payload() -> None:
    gone = Tombstone(ONE.pointer, 3)
    assert str(gone) == "Tombstone(Sockets.net.example.org(net/one@3))"
    with pytest.raises(InvalidResource, match="tombstone doesn't contain spec"):
        gone.spec  # noqa: B018  # reading it is the point
    assert gone == Tombstone(ONE.pointer, 3) != Tombstone(ONE.pointer)
    assert gone != ONE
    assert hash(gone) == hash(Tombstone(ONE.pointer, 3))


def test_a_payload_of_an_unknown_type_keeps_its_text() -> None:
    spec = AnySpec("{a: [1, 2]}", b"x")
    assert spec.value == {"a": [1, 2]}
    assert spec == AnySpec("{a: [1, 2]}", b"x") != AnySpec("{a: [1, 2]}")
    assert spec != "x"
    assert hash(spec) == hash(AnySpec("{a: [1, 2]}", b"x"))
    assert repr(spec) == "AnySpec('{a: [1, 2]}')"


@pytest.mark.parametrize("id", ["a\nb", "a\x00", "\x7f", "a\tb"])
def test_an_id_with_a_control_character_is_refused(id: str) -> None:
    with pytest.raises(InvalidResource, match="has a control character") as caught:
        Resource.new(id, Socket())
    assert caught.value.pointer == Pointer("net", "Sockets.net.example.org", id)


@pytest.mark.parametrize("id", [5, None, Path("/srv")])
def test_an_id_that_is_no_text_is_refused(id: Any) -> None:
    """Beside one, nobody could list the kind any more: it cannot be sorted among texts."""
    with pytest.raises(InvalidResource, match=r"is not a resource id: it is a \w+, not text"):
        Resource.new(id, Socket())
    with pytest.raises(InvalidResource, match="it is a bytes, not text"):
        Resource.new("x", Socket(), namespace=cast("Any", b"net"))


@pytest.mark.parametrize("labels", [{"port": 80}, {80: "port"}, {"port": None}, ["port"]])
def test_labels_that_are_no_texts_are_refused(labels: Any) -> None:
    """They were stored, and whoever listed the kind from afar failed."""
    with pytest.raises(InvalidResource, match="text"):
        Resource.new("x", Socket(), labels=labels)
    with pytest.raises(InvalidResource, match="text"):
        Resource.new("x", Socket(), annotations=labels)
    with pytest.raises(InvalidResource, match="text"):
        Resource.new("x", Socket()).evolve(labels=labels)


def test_a_finalizer_alone_is_no_tuple() -> None:
    """``finalizers=("me")`` was two of them: m and e."""
    with pytest.raises(InvalidResource, match="finalizers 'me' are not a tuple of names"):
        Resource.new("x", Socket(), finalizers=cast("Any", "me"))
    with pytest.raises(InvalidResource, match="are not a tuple of names"):
        Resource.new("x", Socket()).evolve(finalizers=(1,))


def test_what_is_put_into_a_resource_later_cannot_be_changed_either() -> None:
    """A plain dictionary of labels was stored as it was, and every reader could change it."""
    labels, finalizers = {"a": "1"}, ["me"]
    resource = Resource.new("x", Socket()).evolve(labels=labels, finalizers=finalizers)
    labels["a"] = "2"
    finalizers.append("you")
    assert resource.labels == {"a": "1"}
    assert resource.finalizers == ("me",)
    assert hash(resource.labels) == hash(FrozenMap({"a": "1"}))


def test_an_empty_id_and_letters_of_any_language_are_fine() -> None:
    assert Resource.new("", Socket()).id == ""
    assert Resource.new("/srv/café ☃", Socket()).id == "/srv/café ☃"


def test_a_payload_may_cache_what_it_computes() -> None:
    class Sum(Spec, type="Sums.net.example.org"):
        parts: tuple[int, ...] = ()

        @cached_property
        def total(self) -> int:
            return sum(self.parts)

    three = Sum(parts=(1, 2))
    assert three.total == 3
    assert three.evolve(parts=(1,)).total == 1


class Wide(Spec, type="Wides.tests.example.org"):
    """More fields than are validated together when one of them changes."""

    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0
    f: int = 0
    g: int = 0
    h: int = 0
    port: Port = Port(number=80)

    @cached_property
    def sum(self) -> int:
        return self.a + self.b


class WideWithRule(Wide, type="WideWithRules.tests.example.org"):
    @model_validator(mode="after")
    def rule(self) -> Self:
        if self.a > self.b:
            raise ValueError("a is more than b")
        return self


def test_one_field_of_a_wide_payload_is_changed_and_nothing_else() -> None:
    wide = Wide(a=1)
    assert wide.sum == 1
    changed = wide.evolve(b=2)
    assert changed == Wide(a=1, b=2)
    assert hash(changed) == hash(Wide(a=1, b=2))
    assert changed.sum == 3
    assert changed.port is wide.port
    assert changed.model_dump_json() == Wide(a=1, b=2).model_dump_json()
    assert wide == Wide(a=1)
    assert wide.evolve(port={"number": 81}).port == Port(number=81)
    with pytest.raises(ValidationError, match="frozen"):
        changed.a = 1


def test_one_field_of_a_wide_payload_is_validated_with_all_that_speaks_of_it() -> None:
    wide = Wide()
    with pytest.raises(ValidationError, match="b"):
        wide.evolve(b="x")
    with pytest.raises(ValidationError, match="Extra inputs"):
        wide.evolve(bb=1)
    with pytest.raises(ValidationError, match="a is more than b"):
        WideWithRule().evolve(a=1)
    assert wide == Wide()
