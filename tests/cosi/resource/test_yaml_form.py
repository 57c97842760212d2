"""Resources as YAML: COSI's layout out, anything like it in, line and column in every error."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi import AnySpec, FrozenMap, Kind, Metadata, Phase, Resource, Spec, Value
from cosi.errors import InvalidResource
from cosi.resource._yaml_form import spec_from_yaml, spec_to_yaml
from cosi.state import EVERY_TYPE, TypeRegistry, resources_from_yaml, to_yaml


class Part(Value):
    is_on: bool = True
    names: tuple[str, ...] = ()


class Document(Spec, type="Documents.yaml.example.org"):
    part: Part = Part()
    text: str = ""
    count: int = 0


NOON = datetime(2026, 11, 22, 12, 0, 0, 999_999, tzinfo=UTC)
TYPES = TypeRegistry(Document)


def test_the_layout_is_cosis() -> None:
    """COSI 1.7: key order, plain scalars, sorted labels, four spaces, whole seconds."""
    metadata = Metadata(
        "yaml",
        "Documents.yaml.example.org",
        "123",
        1,
        "",
        Phase.TEARING_DOWN,
        NOON,
        NOON.astimezone(timezone(timedelta(hours=2))),
        FrozenMap({"b": "true", "a": ""}),
        FrozenMap({"quoted": '"x"'}),
        ("second", "first"),
    )
    resource = Resource(metadata, Document(part=Part(names=("a", "1"))))
    assert (
        to_yaml(resource)
        == """\
metadata:
    namespace: yaml
    type: Documents.yaml.example.org
    id: 123
    version: 1
    owner:
    phase: tearingDown
    created: 2026-11-22T12:00:00Z
    updated: 2026-11-22T14:00:00+02:00
    labels:
        a:
        b: true
    annotations:
        quoted: '"x"'
    finalizers:
        - second
        - first
spec:
    part:
        isOn: true
        names:
            - a
            - '1'
    text: ''
    count: 0
"""
    )
    assert resources_from_yaml(to_yaml(resource)) == (resource,)


def test_a_payload_of_an_unknown_type_is_written_as_it_came() -> None:
    kind = Kind("ns", "Unknowns.example.org", AnySpec)
    texts = [
        "a: {b: 1,   c: [x]}   # how it was\nlist:\n- 1\n- |\n  text\n\n  more\n",
        "{flow: 1}\n",
    ]
    resources = [Resource.new(str(n), AnySpec(t), kind=kind) for n, t in enumerate(texts)]
    resources.append(Resource.new("empty", AnySpec(""), kind=kind))
    written = to_yaml(*resources)
    again = resources_from_yaml(written, types=TYPES)
    assert [r.spec.yaml for r in again] == [*texts, "{}\n"]
    assert [r.spec.value for r in again[:2]] == [r.spec.value for r in resources[:2]]
    assert to_yaml(*again) == written


def test_a_fixture_may_say_little() -> None:
    (resource,) = resources_from_yaml(
        "---\n# nothing\n---\n"
        "metadata: {type: Documents.yaml.example.org, id: x, extra: 1}\nspec: {}\n"
    )
    assert resource == Resource.new("x", Document())


def test_scalars_of_metadata_are_text_whatever_they_look_like() -> None:
    (resource,) = resources_from_yaml(
        """
metadata:
    type: Documents.yaml.example.org
    id: 0x10
    owner: true
    version: 7
    labels: {n: 1.0, no: ~, yes: no}
    finalizers: [1, 2, 1]
    created: 2026-11-22T12:00:00Z
spec: {text: no, count: 010}
"""
    )
    m = resource.metadata
    assert (m.id, m.owner, m.version) == ("0x10", "true", 7)
    assert m.labels == {"n": "1.0", "no": "~", "yes": "no"}
    assert m.finalizers == ("1", "2")
    assert m.created == m.updated == NOON.replace(microsecond=0)
    assert resource.spec == Document(text="no", count=10)


GOOD = "metadata: {type: Documents.yaml.example.org, id: x%s}\nspec: %s\n"


@pytest.mark.parametrize(
    "word", ["", *["no", "null", "~", "5", "1.5", "0x1F", "2001-01-01", "=", "<<"]]
)
def test_a_line_of_a_label_that_looks_like_something_else_has_no_tag(word: str) -> None:
    """``!!bool |`` stood there, which Go refuses."""
    word = word.strip("'")
    whole = Resource.new("x", Document(text=""), labels={"l": f"{word}\n"})
    text = to_yaml(whole)
    assert "!!" not in text
    (again,) = resources_from_yaml(text)
    assert again.metadata.labels == {"l": f"{word}\n"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("text", "1:1: expected a mapping with metadata and spec"),
        ("metadata: {}", "1:1: metadata or spec node is missing"),
        ("a: 1\nmetadata: {}\nspec: {}", "1:1: unexpected key 'a'"),
        ("metadata: {}\nspec: {}", "1:11: expected type in metadata"),
        ("metadata: []\nspec: {}", "1:11: expected a mapping in metadata"),
        ("metadata: {type: Documents.yaml.example.org}\nspec: {}", "1:11: expected id"),
        ("metadata: {type: No.such, id: x}\nspec: {}", "1:11: expected namespace"),
        ("metadata: {type: [], id: x}\nspec: {}", "1:18: expected a scalar in type"),
        (GOOD % (", version: -1", "{}"), "1:62: failed to parse version"),
        (GOOD % (", phase: gone", "{}"), "1:60: failed to parse phase: unknown phase: gone"),
        (GOOD % (", created: noon", "{}"), "1:62: failed to parse created"),
        (GOOD % (", created: 2026-01-01T00:00:00", "{}"), "1:62: failed to parse created"),
        (GOOD % (", labels: []", "{}"), "1:61: expected a mapping in labels"),
        (GOOD % (", labels: {a: []}", "{}"), "1:65: expected a scalar in labels"),
        (GOOD % (", finalizers: {}", "{}"), "1:65: expected a sequence in finalizers"),
        (GOOD % (', id: "y"', "{}"), "1:53: duplicate key 'id'"),
        (GOOD.replace("x%s", '"x\\ny"%s') % ("", "{}"), "1:11: 'x\\ny' is not a resource id"),
        (GOOD % ("", "[]"), "2:7: spec: Input should be"),
        (GOOD % ("", "\n  part:\n    names: [a, 1]"), "4:16: spec.part.names.1: Input should be"),
        (
            GOOD % ("", "\n  part:\n    nmaes: []"),
            '4:5: spec.part.nmaes: no such field; did you mean "names"?',
        ),
        (GOOD % ("", "{count: !!int x}"), "2:7: invalid literal"),
        (GOOD % ("", "{count: !!python/object:os.x y}"), "2:7: could not determine a constructor"),
        (GOOD % ("", "{? [a] : b}"), "2:10: expected a key"),
        (GOOD % ("", "&a {part: *a}"), "2:7: expands to more than"),
        (GOOD % ("", "[" * 200 + "]" * 200), ": nested too deeply"),
        ("a: [", "2:1: did not find expected node content"),
        ("a: \x01", "unacceptable character"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, error: str) -> None:
    with pytest.raises(InvalidResource, match=re.escape(error)) as caught:
        resources_from_yaml(text, source="file.yaml")
    assert str(caught.value).startswith("file.yaml:")


def test_a_document_cannot_expand_without_bound() -> None:
    levels = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(InvalidResource, match="expands to more than 100000 values"):
        resources_from_yaml("\n".join(levels))


@given(st.text(max_size=200))
def test_no_text_is_more_than_an_error(text: str) -> None:
    with suppress(InvalidResource):
        resources_from_yaml(text)


names = st.text(
    st.characters(
        exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff\ufffe\uffff"
    ),
    min_size=1,
    max_size=20,
)


@given(
    id=names,
    owner=names,
    labels=st.dictionaries(
        names, st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))
    ),
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    finalizers=st.lists(names, unique=True),
)
def test_what_is_written_is_read_again(
    id: str, owner: str, labels: dict[str, str], text: str, finalizers: list[str]
) -> None:
    resource: Resource[Any] = Resource.new(
        id, Document(text=text), labels=labels, finalizers=tuple(finalizers)
    ).evolve(owner=owner, version=3)
    assert resources_from_yaml(to_yaml(resource)) == (resource,)


@pytest.mark.parametrize("text", ["0E0", "1e5", "1.5e3", "0o17", "0x1F", "010", ".5", "null", "<<"])
def test_text_that_looks_like_something_else_is_read_again(text: str) -> None:
    """``0E0`` was written without quotes, as YAML 1.1 allows, and read as YAML 1.2's number."""
    spec = Document(text=text, part=Part(names=(text,)))

    assert spec_from_yaml(Document, spec_to_yaml(spec)) == spec
    assert f"text: '{text}'\n" in spec_to_yaml(spec)


@pytest.mark.parametrize(
    "text",
    [
        "0X1F",
        "0B11",
        "0_8",
        "-0o17",
        "0o1_7",
        "1_0e1",
        "0O7",
        "+0x1",
        "-0b1",
        "0b-1",
        "0x_1",
        "1__0",
        "2001-1-2",
        "2001-1-2 3:4:5",
        "2001-1-2T3:4:5Z",
        "2001-1-2t3:4:5,5+01:00",
        "2001-1-2  3:4:5.6",
        "190:20:30",
        "1:20.5",
        "y",
        "N",
        "yes",
        "Off",
        "-.5_0",
        "-0",
        "1.",
        "+.inf",
        "=",
        "~",
        "",
    ],
)
def test_text_that_go_reads_as_something_else_is_in_quotes(text: str) -> None:
    """What is read is in tests/interop/test_go_answers.py; here it is only: quotes."""
    spec = Document(text=text, part=Part(names=(text,)))

    assert f"text: '{text}'\n" in spec_to_yaml(spec)
    assert f"    - '{text}'\n" in to_yaml(Resource.new("x", spec))


@pytest.mark.parametrize(
    "text", ["2001-1", "0x", "0b2", "1_", "_1", "1-2-3", "a:1:2", "nO", "1.2.3"]
)
def test_text_that_only_looks_like_a_number_has_no_quotes(text: str) -> None:
    if text == "1_":  # a number to YAML 1.1
        assert "text: '1_'\n" in spec_to_yaml(Document(text=text))
    else:
        assert f"text: {text}\n" in spec_to_yaml(Document(text=text))


@pytest.mark.parametrize(
    "text", ["a\x85b", "\x85", "a\u2028b", "a\u2029", "\ufeffa", "a\rb", "a\nb\x85"]
)
def test_no_line_break_of_a_label_is_lost(text: str) -> None:
    """U+0085 was written as it is, and read as a blank."""
    resource: Resource[Any] = Resource.new(
        "x", Document(text=text), labels={"l": text}, annotations={"a": text}
    )

    assert resources_from_yaml(to_yaml(resource)) == (resource,)


@pytest.mark.parametrize(
    ("payload", "written"),
    [
        ("controlplane\n", "spec: controlplane\n"),
        ("'quoted'", "spec: 'quoted'\n"),
        ("[a,  b]", "spec: [a,  b]\n"),
        ("{a: 1,\nb: 2}\n", "spec: {a: 1,\n    b: 2}\n"),
        ("two\nlines\n", "spec: two\n    lines\n"),
        ("|\n  text\n  more\n", "spec: |\n  text\n  more\n"),
        ("|2\n   text\n  more\n", "spec: |2\n   text\n  more\n"),
        ("# said\na: 1", "spec:\n    # said\n    a: 1\n"),
        ("# said\ntext", "spec:\n    # said\n    text\n"),
        ("- a\n- b\n", "spec:\n    - a\n    - b\n"),
        ("---\na: 1\n", "spec:\n    a: 1\n"),
        ("no: yaml: at all", "spec:\n    no: yaml: at all\n"),
    ],
)
def test_a_payload_that_is_no_block_is_on_the_line_of_its_key(payload: str, written: str) -> None:
    kind = Kind("ns", "Unknowns.example.org", AnySpec)
    text = to_yaml(Resource.new("x", AnySpec(payload), kind=kind))

    assert text[text.index("spec:") :] == written
    if "no: yaml" not in payload:
        (again,) = resources_from_yaml(text, types=TYPES)
        assert again.spec.value == AnySpec(payload).value


@given(st.text(st.sampled_from("0123456789eExo+-._infaINFnultr~<"), max_size=8))
def test_numbers_and_their_like_are_read_again_as_text(text: str) -> None:
    resource: Resource[Any] = Resource.new("x", Document(text=text))
    assert resources_from_yaml(to_yaml(resource)) == (resource,)


def test_lines_are_written_as_lines() -> None:
    """talosctl shows a payload in the style that it came in; quoted lines it breaks at column 0."""
    spec = Document(text="a = 1\n\n  b: 2\n", part=Part(names=("x\ny",)))
    text = """\
part:
  isOn: true
  names:
  - |-
    x
    y
text: |
  a = 1

    b: 2
count: 0
"""
    assert spec_to_yaml(spec) == text


lines = st.text(st.sampled_from("ab \n\t\r\x85\u2028\ufeff#:-|'\"\\é"), max_size=20)


@given(lines, st.lists(lines))
def test_lines_are_read_again_as_they_were(text: str, names: list[str]) -> None:
    spec = Document(text=text, part=Part(names=tuple(names)))

    assert spec_from_yaml(Document, spec_to_yaml(spec)) == spec
    resource: Resource[Any] = Resource.new("x", spec)
    assert resources_from_yaml(to_yaml(resource)) == (resource,)


def test_a_payload_alone() -> None:
    spec = Document(part=Part(names=("a",)), text="yes")
    assert spec_from_yaml(Document, spec_to_yaml(spec)) == spec
    assert spec_from_yaml(Document, "") == Document()
    assert spec_to_yaml(AnySpec("{a: 1}")) == "{a: 1}"
    assert spec_from_yaml(AnySpec, "{a: 1}") == AnySpec("{a: 1}")
    with pytest.raises(InvalidResource, match=r"spec:1:8: spec\.count"):
        spec_from_yaml(Document, "count: x")


def test_a_class_that_was_refused_is_no_type_while_it_is_not_collected_yet() -> None:
    with pytest.raises(TypeError, match="names is a list"):

        class Refused(Document, type="Refuseds.yaml.example.org"):
            names: list[str]

    refused = Document.__subclasses__()

    assert [cls.__name__ for cls in refused] == ["Refused"]
    assert EVERY_TYPE.find("Refuseds.yaml.example.org") is None
    assert EVERY_TYPE.find("Documents.yaml.example.org") is Document


def test_types_are_looked_up_among_all_or_those_given() -> None:
    class First(Spec, type="Twices.yaml.example.org"):
        pass

    class Second(Spec, type="Twices.yaml.example.org"):
        pass

    assert EVERY_TYPE.find("Twices.yaml.example.org") is Second
    assert TypeRegistry(Second, First).find("Twices.yaml.example.org") is First
    assert list(TYPES) == [Document]
    assert TYPES.payload("Others.example.org") is AnySpec
