"""The dependency graph: two owners are refused, everything else is drawn."""

from __future__ import annotations

import pytest

from cosi import Edge, EdgeType, Graph, Resource
from cosi.errors import RegistrationError
from cosi.runtime._dependencies import Dependencies
from tests.cosi.runtime.things import Number

A, B = "As.test.dev", "Bs.test.dev"


def edge(controller: str, type: EdgeType, resource_type: str = A, id: str = "") -> Edge:
    return Edge(controller, type, "test", resource_type, id)


EXCLUSIVE, SHARED = EdgeType.OUTPUT_EXCLUSIVE, EdgeType.OUTPUT_SHARED
WEAK, STRONG = EdgeType.INPUT_WEAK, EdgeType.INPUT_STRONG


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            EXCLUSIVE,
            EXCLUSIVE,
            'resource "As.test.dev" is already managed in exclusive mode by "one"',
        ),
        (EXCLUSIVE, SHARED, 'resource "As.test.dev" is already managed in exclusive mode by "one"'),
        (SHARED, EXCLUSIVE, 'resource "As.test.dev" is already managed in shared mode by "one"'),
    ],
)
def test_a_second_owner_is_refused(first: EdgeType, second: EdgeType, message: str) -> None:
    dependencies = Dependencies()
    dependencies.add("one", [edge("one", first)])
    with pytest.raises(RegistrationError, match=message) as refused:
        dependencies.add("two", [edge("two", second)])
    assert '"two"' in str(refused.value)
    assert "two" not in dependencies


def test_shared_owners_are_many() -> None:
    dependencies = Dependencies()
    for name in ("one", "two"):
        dependencies.add(name, [edge(name, SHARED)])
    assert {each.controller for each in dependencies.edges()} == {"one", "two"}


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([edge("c", EXCLUSIVE), edge("c", EXCLUSIVE)], "exclusive mode"),
        (
            [edge("c", SHARED), edge("c", SHARED)],
            'duplicate shared controller output: "As.test.dev"',
        ),
        ([edge("c", WEAK), edge("c", STRONG)], r'duplicate controller input: "c" -> .*/\*'),
        ([edge("c", WEAK, id="x"), edge("c", WEAK, id="x")], "duplicate controller input"),
    ],
)
def test_a_controller_says_each_thing_once(edges: list[Edge], message: str) -> None:
    with pytest.raises(RegistrationError, match=message):
        Dependencies().add("c", edges)


def test_what_a_controller_reads_may_be_what_it_writes() -> None:
    edges = [edge("c", WEAK), edge("c", EXCLUSIVE), edge("c", EdgeType.INPUT_DESTROY_READY)]
    Dependencies().add("c", edges)


def test_one_that_is_removed_makes_room() -> None:
    dependencies = Dependencies()
    dependencies.add("one", [edge("one", EXCLUSIVE)])
    dependencies.remove("one")
    dependencies.add("two", [edge("two", EXCLUSIVE)])
    with pytest.raises(RegistrationError, match='"two" already registered'):
        dependencies.add("two", [])


GRAPH = Graph(
    [
        edge("z", WEAK, B),
        edge("reader", EdgeType.INPUT_Q_MAPPED, A, id='a "b"'),
        edge("z", EXCLUSIVE, A),
        edge("z", EdgeType.INPUT_DESTROY_READY, A),
        edge("b", SHARED, B),
    ],
    {("test", A): (Resource.new("x", Number()),)},
)


def test_edges_are_in_the_order_of_cosi() -> None:
    assert [(each.controller, each.type) for each in GRAPH.edges] == [
        ("z", EXCLUSIVE),
        ("b", SHARED),
        ("reader", EdgeType.INPUT_Q_MAPPED),
        ("z", EdgeType.INPUT_DESTROY_READY),
        ("z", WEAK),
    ]


def test_it_is_drawn_as_mermaid() -> None:
    assert GRAPH.mermaid() == (
        "flowchart LR\n"
        '  c0["z"]\n'
        '  c1["b"]\n'
        '  c2["reader"]\n'
        '  r3(["As<br/>x@None"])\n'
        '  r4(["Bs"])\n'
        "  c0 --> r3\n"
        "  c1 --> r4\n"
        "  r3 -.-> c2\n"
        "  r4 -.-> c0\n"
    )
