"""JSONPath in the spelling of Kubernetes."""

import pytest

from cosi.cli.json_path import JSONPath, standard
from cosi.errors import InvalidResource


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{.spec.running}", "$.spec.running"),
        (".spec.running", "$.spec.running"),
        ("spec.running", "$.spec.running"),
        ("{$.spec}", "$.spec"),
        ("{[0].a}", "$[0].a"),
        (r"{.labels.a\.b/c}", '$.labels["a.b/c"]'),
        (r"{.labels.a\.b.c[0]}", '$.labels["a.b"].c[0]'),
    ],
)
def test_what_kubernetes_writes_is_understood(written: str, meant: str) -> None:
    assert standard(written) == meant


def test_cells_are_one_line_of_text() -> None:
    data = {"yes": True, "none": None, "list": [1, 2], "text": "two\n lines", "map": {"a": 1}}
    cells = {name: JSONPath(f"{{.{name}}}").cell(data) for name in (*data, "missing")}
    assert cells == {
        "yes": "true",
        "none": "",
        "list": "[1,2]",
        "text": "two lines",
        "map": '{"a":1}',
        "missing": "",
    }
    assert JSONPath("{.list[:]}").cell(data) == "1 2"


def test_filters_work() -> None:
    data = {"items": [{"name": "a", "up": True}, {"name": "b", "up": False}]}
    assert JSONPath('{.items[?(@.name=="b")].up}').find(data) == [False]


def test_what_is_no_expression_says_so() -> None:
    with pytest.raises(InvalidResource, match="error parsing jsonpath"):
        JSONPath("{.a[}")
