"""The four rules of the keyed queue, without a clock and without a task."""

from __future__ import annotations

import random

from cosi.runtime._keyed_queue import KeyedQueue

Queue = KeyedQueue[str, int]


def test_keys_come_out_in_the_order_in_which_they_went_in() -> None:
    queue = Queue()
    for number, key in enumerate("cab"):
        queue.put(key, number, now=1.0)
    assert [queue.take(1.0) for _ in range(4)] == [("c", 0), ("a", 1), ("b", 2), None]


def test_a_queued_key_keeps_its_place_and_takes_the_last_value() -> None:
    """Race 1.4 cosi-project/runtime PR#636: coalesced by key alone, whatever else differs."""
    queue = Queue()
    queue.put("a", 1, 0)
    queue.put("b", 1, 0)
    queue.put("a", 2, 0)
    assert len(queue) == 2
    assert queue.waiting_value("a") == 2
    assert [queue.take(0), queue.take(0)] == [("a", 2), ("b", 1)]


def test_a_key_in_work_is_on_hold() -> None:
    queue = Queue()
    queue.put("a", 1, 0)
    queue.take(0)
    queue.put("a", 2, 0)
    queue.put("a", 3, 0)
    assert queue.waiting_value("a") == 3
    assert queue.take(0) is None
    assert (len(queue), queue.working, len(queue.due)) == (1, 1, 0)
    queue.done("a", 1, 0)
    assert queue.take(0) == ("a", 3)


def test_a_requeued_key_waits_for_its_time() -> None:
    queue = Queue()
    queue.put("a", 1, 0)
    queue.take(0)
    queue.done("a", 1, 0, again_at=5)
    assert "a" in queue
    assert queue.next_release() == 5
    assert queue.take(4.9) is None
    assert queue.take(5) == ("a", 1)
    assert queue.next_release() is None


def test_a_fresh_change_pre_empts_a_delay() -> None:
    queue = Queue()
    queue.put("a", 1, 0)
    queue.take(0)
    queue.done("a", 1, 0, again_at=3600)
    assert queue.waiting_value("a") == 1
    queue.put("a", 2, 1)
    assert queue.take(1) == ("a", 2)
    queue.done("a", 2, 1)
    assert queue.take(4000) is None


def test_a_change_during_work_comes_before_the_requeue_and_keeps_its_value() -> None:
    queue = Queue()
    queue.put("a", 1, 0)
    queue.take(0)
    queue.put("a", 2, 0)
    queue.done("a", 1, 0, again_at=3600)
    assert queue.take(0) == ("a", 2)
    assert queue.next_release() is None


def test_what_was_due_earlier_comes_out_earlier() -> None:
    queue = Queue()
    for key, again_at in (("late", 3.0), ("early", 2.0)):
        queue.put(key, 0, 0)
        queue.take(0)
        queue.done(key, 0, 0, again_at)
    queue.put("new", 0, 2.5)
    assert [queue.take(9), queue.take(9), queue.take(9)] == [("early", 0), ("new", 0), ("late", 0)]


def test_a_forgotten_key_is_nowhere() -> None:
    queue = Queue()
    for key in ("queued", "delayed", "parked"):
        queue.put(key, 0, 0)
    for key in ("queued", "delayed", "parked"):
        assert queue.take(0) == (key, 0)
    queue.done("queued", 0, 0)
    queue.put("queued", 1, 0)
    queue.done("delayed", 0, 0, again_at=1)
    queue.put("parked", 1, 0)
    for key in ("queued", "delayed", "parked"):
        queue.forget(key)
    queue.done("parked", 0, 0)
    assert len(queue) == 0
    assert queue.take(2) is None


def test_pre_empted_delays_do_not_pile_up() -> None:
    queue = Queue()
    for number in range(10_000):
        queue.put("busy", number, 0)
        queue.take(0)
        queue.done("busy", number, 0, again_at=3600)
    assert len(queue._heap) < 200
    assert queue.next_release() == 3600


def test_nobody_works_twice_on_one_key_and_nothing_is_lost() -> None:
    """COSI's queue test: workers, keys and rounds, in a random order."""
    chance = random.Random(1)  # a repeatable shuffle
    queue = Queue()
    in_work: dict[str, int] = {}
    seen: dict[str, int] = {}
    for round in range(20_000):
        key = str(chance.randrange(100))
        queue.put(key, round, float(round))
        seen[key] = max(seen.get(key, -1), -1)
        if len(in_work) < 5 and (taken := queue.take(float(round))):
            assert taken[0] not in in_work
            in_work[taken[0]] = taken[1]
        if in_work and chance.random() < 0.6:
            done, value = in_work.popitem()
            seen[done] = value
            again = round + 10.0 if chance.random() < 0.2 else None
            queue.done(done, value, float(round), again)
    for done, value in in_work.items():
        queue.done(done, value, 1e9)
    last = {}
    while taken := queue.take(1e9):
        last[taken[0]] = taken[1]
        queue.done(*taken, 1e9)
    assert len(queue) == queue.working == 0
    assert all(value >= seen[key] for key, value in last.items())


def test_ten_thousand_keys_cost_as_much_each_as_ten() -> None:
    """Counted, not timed: no operation looks at any key but its own."""
    queue = Queue()
    for number in range(10_000):
        queue.put(str(number), number, 0)
    queue.put("5000", -1, 0)
    assert len(queue._ready) == 10_000
    assert queue.take(0) == ("0", 0)
    assert len(queue._ready) == 9_999
