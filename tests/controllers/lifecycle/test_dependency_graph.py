"""The reverse index of dependencies, and cycles."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.lifecycle.dependency_graph import DependencyGraph


def graph(**needs: str) -> DependencyGraph:
    made = DependencyGraph()
    for id, ids in needs.items():
        made.set(id, ids.split())
    return made


def test_dependents_are_found_directly_and_through_others() -> None:
    made = graph(a="", b="a", c="b", d="a x")
    assert made.dependents("a") == ("b", "d")
    assert made.all_dependents(["a"]) == {"b", "c", "d"}
    assert made.all_dependents(["x"]) == {"d"}
    assert made.all_dependents(["nobody"]) == set()


def test_a_dependency_that_is_dropped_is_forgotten() -> None:
    made = graph(b="a")
    made.set("b", [])
    assert made.dependents("a") == ()


def test_each_member_sees_the_cycle_beginning_with_itself() -> None:
    made = DependencyGraph()
    assert made.set("a", ["b"]) == set()
    assert made.set("b", ["c"]) == set()
    assert made.set("c", ["a"]) == {"a", "b", "c"}
    assert made.cycle("a") == ("a", "b", "c", "a")
    assert made.cycle("b") == ("b", "c", "a", "b")
    assert made.cycle("c") == ("c", "a", "b", "c")


def test_who_only_waits_for_a_cycle_is_not_in_it() -> None:
    made = graph(a="b", b="a", c="a")
    assert made.cycle("c") == ()


def test_a_service_that_depends_on_itself_is_a_cycle() -> None:
    assert graph(a="a").cycle("a") == ("a", "a")


def test_a_broken_cycle_is_forgotten_and_its_members_named() -> None:
    made = graph(a="b", b="c", c="a")
    assert made.set("b", []) == {"a", "b", "c"}
    assert [made.cycle(id) for id in "abc"] == [(), (), ()]


def test_a_second_way_round_is_found_when_the_first_is_broken() -> None:
    made = graph(a="b c", b="a", c="a")
    made.set(made.cycle("a")[1], [])
    assert len(made.cycle("a")) == 3


def reaches(needs: dict[int, tuple[int, ...]], start: int) -> bool:
    open_, seen = list(needs.get(start, ())), set[int]()
    while open_:
        at = open_.pop()
        if at == start:
            return True
        if at not in seen:
            seen.add(at)
            open_.extend(needs.get(at, ()))
    return False


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(st.integers(0, 6), st.lists(st.integers(0, 6), max_size=3)), max_size=30))
def test_a_cycle_is_known_exactly_when_there_is_a_way_back(
    changes: list[tuple[int, list[int]]],
) -> None:
    made, needs = DependencyGraph(), dict[int, tuple[int, ...]]()
    for id, ids in changes:
        made.set(str(id), map(str, ids))
        needs[id] = tuple(ids)
        for other in range(7):
            cycle = made.cycle(str(other))
            assert bool(cycle) is reaches(needs, other)
            for at, need in pairwise(cycle):
                assert int(need) in needs[int(at)]


def test_ten_thousand_services_in_chains_in_any_order_are_no_cycle() -> None:
    chains = [(f"s{i}", [f"s{i - 1}"] if i % 10 else []) for i in range(10_000)]
    random.Random(4).shuffle(chains)
    made = DependencyGraph()
    for id, needs in chains:
        assert not made.set(id, needs)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(0, 5), max_size=3)), max_size=20),
    st.randoms(use_true_random=False),
)
def test_which_cycle_is_found_depends_on_what_is_there_and_on_no_order(
    changes: list[tuple[int, list[int]]], fate: random.Random
) -> None:
    """The first one found was kept: two machines with the same services said different things."""
    made, last = DependencyGraph(), dict[str, tuple[str, ...]]()
    for id, ids in changes:
        last[str(id)] = tuple(map(str, ids))
        made.set(str(id), last[str(id)])
    order = list(last.items())
    fate.shuffle(order)
    other = DependencyGraph()
    for changed, needs in order:
        other.set(changed, needs)
    assert [made.cycle(str(id)) for id in range(6)] == [other.cycle(str(id)) for id in range(6)]
