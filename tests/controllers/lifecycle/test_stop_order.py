"""Who stops before whom."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controllers.lifecycle.stop_order import StopOrder


def test_dependents_stop_before_what_they_depend_on() -> None:
    order = StopOrder({"cri": (), "networkd": ("cri",), "vland": ("networkd", "machined")})
    assert order.next() == ("vland",)
    assert order.next() == ()
    assert order.holds_back("networkd") == ("vland",)
    order.ended("vland")
    assert order.next() == ("networkd",)
    assert order.waiting == ("cri",)
    order.ended("networkd")
    assert order.next() == ("cri",)


def test_those_without_dependents_stop_together() -> None:
    assert StopOrder({"a": (), "b": ("c",), "c": ()}).next() == ("a", "b")


def test_one_that_ends_by_itself_holds_nobody_back() -> None:
    order = StopOrder({"a": (), "b": ("a",)})
    order.ended("b")
    assert order.next() == ("a",)


def test_what_is_not_here_is_waited_for_by_nobody() -> None:
    order = StopOrder({"a": ("gone",)})
    order.ended("gone")
    assert order.next() == ("a",)


def test_a_cycle_stops_all_at_once() -> None:
    order = StopOrder({"a": ("b",), "b": ("a",), "c": ("a",)})
    assert order.next() == ("c",)
    order.ended("c")
    assert order.next() == ("a", "b")


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdefx")), max_size=6))
def test_everybody_stops_at_last(needs: dict[str, set[str]]) -> None:
    order, stopped = StopOrder(needs), list[str]()
    while stopping := order.next():
        for id in stopping:
            order.ended(id)
        stopped += stopping
    assert sorted(stopped) == sorted(needs)
