"""JSONPath templates; what Go makes of the same is asked in tests/interop/test_go_answers.py."""

from typing import Any

import pytest

from cosi.cli.json_path import JSONPath, with_braces
from cosi.errors import InvalidResource

DATA: dict[str, Any] = {
    "yes": True,
    "none": None,
    "list": [1, 2],
    "text": "two\n lines",
    "map": {"a": 1, "1st": 2, "x.y": 3},
    "items": [{"name": "a", "up": True}, {"name": "b", "up": False}],
    "empty": [],
    "big": 1e6,
}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{.spec.running}", "{.spec.running}"),
        (".spec.running", "{.spec.running}"),
        ("spec.running", "{.spec.running}"),
        ("$.spec", "{$.spec}"),
        ("[0].a", "{[0].a}"),
        ("{.a} and {.b}", "{.a} and {.b}"),
    ],
)
def test_a_template_without_braces_is_an_expression(written: str, meant: str) -> None:
    assert with_braces(written) == meant


def test_cells_are_text_as_talosctl_has_it() -> None:
    cells = {name: JSONPath(f"{{.{name}}}").cell(DATA) for name in (*DATA, "missing")}
    assert cells == {
        "yes": "true",
        "none": "null",
        "list": "[1,2]",
        "text": "two\n lines",
        "map": '{"1st":2,"a":1,"x.y":3}',
        "items": '[{"name":"a","up":true},{"name":"b","up":false}]',
        "empty": "[]",
        "big": "1e+06",
        "missing": "",
    }
    assert JSONPath("{.list[:]}").cell(DATA) == "1 2"


@pytest.mark.parametrize("template", ["{@}", "{$}", "{}"])
def test_the_current_object_may_be_a_scalar(template: str) -> None:
    """The column of Talos's MachineTypes is ``{@}``, and the payload is ``controlplane``."""
    assert JSONPath(template).cell("controlplane") == "controlplane"
    assert JSONPath(template).find({"a": 1}) == [{"a": 1}]


def test_a_cell_that_cannot_be_read_is_empty() -> None:
    templates = ("{.text[0]}", "{.list[7]}", "{.map[?(@.a)]}", "{nonsense}", "{end}")
    assert [JSONPath(template).cell(DATA) for template in templates] == [""] * 5


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{.list[0]}{.yes}", [1, True]),
        ('id: {.map.a}{"\\n"}', ["id: ", 1, "\n"]),
        ("{.map.1st}", [2]),
        ("{.map.x\\.y}", [3]),
        ("{.map['1st']}", [2]),
        ("{.map['a','1st']}", None),
        ("{range .items[*]}{.name}={.up} {end}", ["a", "=", True, " ", "b", "=", False, " "]),
        ("{range .empty[*]}{.name}{end}done", ["done"]),
        ("{.items[?(@.name=='b')].up}", [False]),
        ("{.items[?(@.up)].name}", ["a", "b"]),
        ("{.items[?(@.up==true)].name}", ["a"]),
        ("{..name}", ["a", "b"]),
        ("{.list[-1]}", [2]),
        ("{.list[0,1]}", [1, 2]),
        ("{.map.*}", [1, 2, 3]),
    ],
)
def test_templates_find_what_talosctl_finds(template: str, found: list[Any] | None) -> None:
    if found is None:  # a union takes indexes apart by commas, and then keys one by one
        found = [1, 2]
    assert JSONPath(template).find(DATA) == found


def test_a_template_serves_many_resources() -> None:
    """In talosctl a ``range`` is used up by the first one."""
    template = JSONPath("{range .items[*]}{.name}{end}")

    assert [template.find(DATA) for _ in range(3)] == [["a", "b"]] * 3


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{.nothing}", "nothing is not found"),
        ("{.yes}{.map.nothing}", "nothing is not found"),
        ("{.none.a}", "a is not found"),
        ("{.list[7]}", "array index out of bounds: index 7, length 2"),
        ("{.map[0]}", r"map\[string\]interface {} is not array or slice"),
        ("{.items[?(@.name>1)]}", "incompatible types for comparison"),
        ("{end}", "not in range, nothing to end"),
        ("{name}", "unrecognized identifier name"),
    ],
)
def test_a_missing_key_is_an_error(template: str, problem: str) -> None:
    with pytest.raises(InvalidResource, match=f"error finding result for jsonpath: {problem}"):
        JSONPath(template).find(DATA)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{.a[}", "unterminated array"),
        ("{.a", "unclosed action"),
        ("{.a[x]}", "invalid array index x"),
        ("{.a[-]}", "array index - is not a number"),
        ('{"a}', "unterminated quoted string"),
        ('{"\\q"}', "unquote string"),
        ("{.a[?(@.b]}", "unterminated filter"),
        ("{.a[?(@.b)}", r"unclosed array expect \]"),
        ("{....a}", "invalid multiple recursive descent"),
        ("{1.2.3}", r"cannot parse number 1\.2\.3"),
        ("{#}", r"unrecognized character in action: U\+0023 '#'"),
    ],
)
def test_what_is_no_template_says_so(template: str, problem: str) -> None:
    with pytest.raises(InvalidResource, match=f"error parsing jsonpath: .*{problem}"):
        JSONPath(template)
