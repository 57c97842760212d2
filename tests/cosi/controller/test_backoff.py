"""Backoff is an iterator of delays."""

from __future__ import annotations

from itertools import islice

import pytest

from cosi import exponential
from cosi.controller._backoff import Delays


def test_delays_grow_by_half_to_a_minute() -> None:
    delays = list(islice(exponential(jitter=0), 20))
    assert delays[:4] == pytest.approx([0.5, 0.75, 1.125, 1.6875])
    assert delays[-1] == 60


def test_each_delay_varies_by_half_around_its_value() -> None:
    first = [next(exponential()) for _ in range(500)]
    assert 0.25 <= min(first) < 0.35
    assert 0.65 < max(first) <= 0.75


def test_a_success_begins_anew() -> None:
    delays = Delays(lambda: iter([1.0, 2.0, 3.0]))
    assert [delays.next(), delays.next()] == [1, 2]
    delays.reset()
    assert delays.next() == 1


def test_a_backoff_that_ends_keeps_its_last_delay() -> None:
    delays = Delays(lambda: iter([1.0, 2.0]))
    assert [delays.next() for _ in range(4)] == [1, 2, 2, 2]
