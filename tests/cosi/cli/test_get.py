"""`cosi get` against a real server on a socket; the layouts are talosctl's."""

import json
import re
import socket

from cosi import AnySpec, Kind, Resource
from cosi.cli.documents import as_json, as_yaml
from cosi.cli.go_json import go_json
from cosi.cli.resource_table import ResourceTable
from cosi.state import EventType, Tombstone, resources_from_yaml
from cosi.state._meta import define
from tests.cosi.cli.conftest import Served
from tests.cosi.cli.things import lamp

NODE = socket.gethostname()
PAD = " " * max(0, len(NODE) - 4)
NODE_CELL = NODE.ljust(4)


def test_a_table_has_the_columns_of_the_type(served: Served) -> None:
    served.given(lamp("desk", on=True, colors=("red", "tan"), room="den"), lamp("hall"))

    lines = served.cosi("get", "LAMPS").stdout.splitlines()

    assert [line.rstrip() for line in lines] == [
        f"NODE{PAD}   NAMESPACE   TYPE   ID     VERSION   ON      COLORS          SLICED    ROOM",
        f'{NODE_CELL}   house       Lamp   desk   1         true    ["red","tan"]   red tan   den',
        f"{NODE_CELL}   house       Lamp   hall   1         false   []                        null",
    ]


def test_one_resource_is_shown_alone(served: Served) -> None:
    served.given(lamp("desk"), lamp("hall"))

    lines = served.cosi("get", "lamp", "hall").stdout.splitlines()

    assert len(lines) == 2
    assert "hall" in lines[1]


def test_a_type_is_found_by_its_full_name_and_its_aliases_in_any_case(served: Served) -> None:
    names = ("Lamps.house.example.dev", "lamps", "LAMP", "lamps.HOUSE", "Lamps.house.example")
    assert {served.cosi("get", name).exit_code for name in names} == {0}


def test_an_alias_of_two_types_is_ambiguous_and_both_are_named(served: Served) -> None:
    """differences: Talos 18: aliases collide; the full names never do."""
    result = served.cosi("get", "lmp")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert (
        'resource type "lmp" is ambiguous: [lampposts.street.example.dev lamps.house.example.dev]'
    ) in result.stderr


def test_an_unknown_type_is_refused_with_what_may_have_been_meant(served: Served) -> None:
    result = served.cosi("get", "lampp")

    assert result.exit_code == 1
    assert 'cosi: resource "lampp" is not registered' in result.stderr
    assert "did you mean lamp" in result.stderr


def test_get_rd_lists_the_types_with_their_aliases(served: Served) -> None:
    lines = served.cosi("get", "rd").stdout.splitlines()

    assert lines[0].split() == ["NODE", "NAMESPACE", "TYPE", "ID", "VERSION", "ALIASES"]
    assert any(re.search(r" lamps\.house\.example\.dev +1 +lmp lamp$", line) for line in lines)


def test_yaml_begins_with_the_node_and_documents_are_separated(served: Served) -> None:
    served.given(lamp("desk", on=True, colors=("red",)), lamp("hall"))

    result = served.cosi("get", "lamps", "-o", "yaml")

    first, second = re.sub(r"(created|updated): \S+", r"\1: TIME", result.stdout).split("---\n")
    assert first == (
        f"node: {NODE}\n"
        "metadata:\n"
        "    namespace: house\n"
        "    type: Lamps.house.example.dev\n"
        "    id: desk\n"
        "    version: 1\n"
        "    owner:\n"
        "    phase: running\n"
        "    created: TIME\n"
        "    updated: TIME\n"
        "spec:\n"
        "    'on': true\n"
        "    colors:\n"
        "        - red\n"
        "    room: null\n"
    )
    assert second.startswith(f"node: {NODE}\nmetadata:\n")


def test_json_is_one_sorted_object_for_each_resource(served: Served) -> None:
    served.given(lamp("desk", room="<study>"), lamp("hall"))

    text = served.cosi("get", "lamps", "-o", "json").stdout

    first, _, rest = text.partition("\n}\n")
    assert first.startswith('{\n    "metadata": {\n        "created": ')
    assert '"room": "\\u003cstudy\\u003e"' in first
    assert json.loads(first + "}")["metadata"]["owner"] is None
    assert json.loads(rest)["metadata"]["id"] == "hall"


def test_jsonpath_prints_each_result_on_a_line(served: Served) -> None:
    served.given(lamp("desk", on=True, colors=("red", "blue")), lamp("hall"))

    assert served.cosi("get", "lamps", "-o", "jsonpath={.spec.on}").stdout == "true\nfalse\n"
    assert served.cosi("get", "lamps", "desk", "-o", "jsonpath=spec.colors").stdout == (
        '[\n    "red",\n    "blue"\n]\n'
    )


def test_jsonpath_is_a_template_with_text_ranges_and_quotes(served: Served) -> None:
    served.given(lamp("desk", on=True, colors=("red", "blue")), lamp("hall", colors=("tan",)))
    template = "id {.metadata.id}{range .spec.colors[*]}{@}{end}"

    result = served.cosi("get", "lamps", "-o", f"jsonpath={template}")

    assert result.stdout == "id \ndesk\nred\nblue\nid \nhall\ntan\n"


def test_a_key_that_one_resource_has_not_is_an_error_after_the_others(served: Served) -> None:
    served.given(lamp("desk").evolve(labels={"floor": "2"}), lamp("hall"))

    result = served.cosi("get", "lamps", "-o", "jsonpath={.metadata.labels.floor}")

    assert (result.exit_code, result.stdout) == (1, "2\n")
    assert result.stderr == "cosi: error finding result for jsonpath: labels is not found\n"


def test_what_is_no_jsonpath_and_no_format_is_said(served: Served) -> None:
    broken = served.cosi("get", "lamps", "-o", "jsonpath={.a[}")
    assert broken.exit_code == 1
    assert "error parsing jsonpath" in broken.stderr

    unknown = served.cosi("get", "lamps", "-o", "xml")
    assert unknown.exit_code == 2
    assert 'output format "xml" is not supported' in unknown.stderr


def test_a_selector_selects_and_a_wrong_one_is_usage(served: Served) -> None:
    served.given(lamp("desk").evolve(labels={"floor": "2"}), lamp("hall"))

    assert served.cosi(
        "get", "lamps", "-l", "floor>=2", "-o", "jsonpath={.metadata.id}"
    ).stdout == ("desk\n")
    assert served.cosi("get", "lamps", "-l", "=").exit_code == 2


def test_what_is_not_there_is_exit_1_and_one_line(served: Served) -> None:
    result = served.cosi("get", "lamps", "attic")

    assert result.exit_code == 1
    assert result.stderr == (
        "cosi: resource Lamps.house.example.dev(house/attic@undefined) doesn't exist\n"
    )


# -- forms ------------------------------------------------------------------------------------

THING = Kind("ns", "Things.example.dev", AnySpec)


def test_what_another_server_wrote_keeps_its_scalars() -> None:
    thing = Resource.new("x", AnySpec("a:\n- b: 010\n  c: '1'\nd: no\n"), kind=THING)

    text = as_yaml("n", thing)

    assert text.endswith("spec:\n    a:\n        - b: 010\n          c: '1'\n    d: no\n")
    assert json.loads(as_json("n", thing))["spec"] == {"a": [{"b": 10, "c": "1"}], "d": "no"}


def test_lists_in_lists_and_texts_of_lines_are_indented_as_go_does() -> None:
    """Compared with talosctl 1.12; but for the last item, of which Go says that it is indented
    by 4, and reads something else then."""
    spec = """\
mounts:
- source: /usr
  options:
  - rbind
  deep:
    deeper:
    - a
    - - b
      - c: 1
        d:
          e: 2
  lines: |
    one
      two

    three
- |-
  x
  y
- |2
   leading
  text
"""
    text = as_yaml("n", Resource.new("x", AnySpec(spec), kind=THING))

    assert (
        text[text.index("spec:") :]
        == """\
spec:
    mounts:
        - source: /usr
          options:
            - rbind
          deep:
            deeper:
                - a
                - - b
                  - c: 1
                    d:
                        e: 2
          lines: |
            one
              two

            three
        - |-
          x
          y
        - |2
           leading
          text
"""
    )
    assert resources_from_yaml(text.partition("\n")[2])[0].spec.value == AnySpec(spec).value


def test_a_tombstone_has_no_payload() -> None:
    """(talosctl fails on it: `YAML spec is not specified`.)"""
    tombstone = Tombstone(THING.pointer("x"))

    assert "spec" not in as_yaml("n", tombstone, EventType.DESTROYED)
    assert "spec" not in json.loads(as_json("n", tombstone, EventType.DESTROYED))


def test_a_watch_says_what_happened_after_the_node() -> None:
    text = as_yaml("n", Resource.new("x", AnySpec(""), kind=THING), EventType.UPDATED)

    assert text.startswith("node: n\nevent: updated\nmetadata:\n")
    assert text.endswith("spec: {}\n")


SCALAR = Resource.new("machine-type", AnySpec("controlplane\n"), kind=THING)
FLOW = Resource.new("flow", AnySpec("{a: 1,   b: [x]}\n"), kind=THING)


def test_a_column_may_be_the_whole_payload() -> None:
    """Talos's MachineTypes: the column is ``{@}``, the payload ``controlplane``."""
    definition = define("Things.example.dev", "ns", columns={"Type": "{@}"})

    lines = ResourceTable(definition, watching=False).text([("n", SCALAR)]).splitlines()

    assert lines[1].split() == ["n", "ns", "Thing", "machine-type", "undefined", "controlplane"]


def test_a_column_that_cannot_be_read_leaves_its_cells_empty() -> None:
    columns = {"Broken": "{.a[}", "Wrong": "{.a[0]}", "B": "{.b}"}
    table = ResourceTable(define("Things.example.dev", "ns", columns=columns), watching=False)

    assert [line.split() for line in table.text([("n", FLOW)]).splitlines()] == [
        ["NODE", "NAMESPACE", "TYPE", "ID", "VERSION", "BROKEN", "WRONG", "B"],
        ["n", "ns", "Thing", "flow", "undefined", '["x"]'],
    ]


def test_a_line_break_in_an_id_or_a_cell_does_not_tear_the_table_apart() -> None:
    thing = Resource.new("x", AnySpec('a: "1\\n2\\t3\\e[2J"'), kind=THING)
    definition = define("Things.example.dev", "ns", columns={"A": "{.a}"})

    lines = ResourceTable(definition, watching=False).text([("n", thing)]).splitlines()

    assert lines[1].endswith(r"1\x0a2\x093\x1b[2J")


def test_a_scalar_or_flow_payload_is_on_the_line_of_its_key() -> None:
    assert as_yaml("n", SCALAR).endswith("\nspec: controlplane\n")
    assert as_yaml("n", FLOW).endswith("\nspec: {a: 1, b: [x]}\n")


def test_long_text_is_folded_at_80_columns_as_talosctl_1_14_does() -> None:
    words = " ".join(["word"] * 20)
    spec = f"plain: {words}\nsingle: ': {words}'\ndouble: \"\\t{words}\"\nlist: [{words}]\n"
    thing = Resource.new("x", AnySpec(spec), kind=THING, annotations={"note": words})

    text = as_yaml("n", thing)

    folded = {
        line.split(":")[0].strip(): len(line) for line in text.splitlines() if line.endswith("word")
    }
    assert {name: folded[name] for name in ("note", "plain", "single", "double")} == {
        "note": 83,
        "plain": 85,
        "single": 84,
        "double": 84,
    }
    assert text.count("\n        word") >= 3
    again = resources_from_yaml(text.partition("\n")[2])[0]
    assert again.spec.value == thing.spec.value
    assert again.metadata.annotations == thing.metadata.annotations


def test_numbers_in_json_are_those_of_go() -> None:
    numbers = [1.0, 1.5, 1e6, 1e20, 1e21, 1e-6, 1e-7, -2.5e-9, 0.0]

    assert go_json(numbers) == "[1,1.5,1000000,100000000000000000000,1e+21,0.000001,1e-7,-2.5e-9,0]"


def test_json_is_safe_inside_of_html() -> None:
    assert go_json({"a": "<&>\u2028"}, indent=4) == '{\n    "a": "\\u003c\\u0026\\u003e\\u2028"\n}'
