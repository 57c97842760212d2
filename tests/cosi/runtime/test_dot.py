"""Dependencies as talosctl draws them."""

from cosi import Edge, EdgeType, Resource
from cosi.runtime._dot import dependencies, dependencies_with_resources
from tests.cosi.cli.things import Lamp, lamp

LAMPS = ("house", "Lamps.house.example.dev")
SWITCHES = ("house", "Switches.house.example.dev")
EDGES = (
    Edge("Wiring", EdgeType.OUTPUT_EXCLUSIVE, *LAMPS),
    Edge("Wiring", EdgeType.INPUT_WEAK, *SWITCHES, "main"),
    Edge("Alarm", EdgeType.OUTPUT_SHARED, *SWITCHES),
    Edge("Alarm", EdgeType.INPUT_STRONG, *LAMPS),
    Edge("Wiring", EdgeType.INPUT_DESTROY_READY, *LAMPS),
)


def test_types_are_notes_and_the_sort_of_an_edge_is_its_style() -> None:
    assert (
        dependencies(EDGES)
        == """\
digraph  {
\tn4[label="Alarm",shape="box"];
\tn2[fillcolor="azure2",label="Lamps.house.example.dev",shape="note",style="filled"];
\tn3[fillcolor="azure2",label="Switches.house.example.dev",shape="note",style="filled"];
\tn1[label="Wiring",shape="box"];
\tn4->n3[style="solid"];
\tn2->n4[style="solid"];
\tn3->n1[label="main",style="dotted"];
\tn1->n2[style="bold"];
}"""
    )


def test_live_resources_are_drawn_in_clusters_from_who_owns_them() -> None:
    def owned(id: str, owner: str) -> Resource[Lamp]:
        return lamp(id).evolve(owner=owner)

    live = {LAMPS: (owned("desk", "Wiring"), owned("hall", "me"))}

    assert (
        dependencies_with_resources(EDGES, live)
        == """\
digraph  {
\tsubgraph cluster_s1 {
\t\tlabel="Lamps.house.example.dev";
\t\tn2[fillcolor="azure2",label="house/Lamps.house.example.dev/desk",shape="note",style="filled"];
\t\tn4[fillcolor="azure2",label="house/Lamps.house.example.dev/hall",shape="note",style="filled"];
\t}
\tn3[label="Alarm",shape="box"];
\tn1[label="Wiring",shape="box"];
\tn1->n2[style="solid"];
\tn2->n3[style="solid"];
\tn4->n3[style="solid"];
}"""
    )


def test_weak_inputs_are_dotted_with_resources_too() -> None:
    weak = Edge("Alarm", EdgeType.INPUT_WEAK, *LAMPS)
    mapped = Edge("Queue", EdgeType.INPUT_Q_MAPPED, *LAMPS)
    drawn = dependencies_with_resources((weak, mapped), {LAMPS: (lamp("desk"),)})

    assert [line for line in drawn.splitlines() if "->" in line] == [
        '\tn2->n1[style="dotted"];',
        '\tn2->n3[style="dotted"];',
    ]


def test_ends_of_edges_that_are_not_drawn_are() -> None:
    """As talosctl does: it draws all controllers and types, and no destroy-ready input."""
    ready = Edge("Sweeper", EdgeType.INPUT_DESTROY_READY, *LAMPS)

    for drawn in dependencies([ready]), dependencies_with_resources([ready], {}):
        assert 'label="Sweeper",shape="box"' in drawn
        assert "->" not in drawn
