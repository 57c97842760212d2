"""What others can make happen fills no log."""

import logging

import pytest

from cosi.api._rarely import Rarely

_log = logging.getLogger("tests.rarely")


class Clock:
    """Stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_thing_is_logged_once_a_second_and_then_how_often_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    rarely = Rarely(_log, clock)

    for tenth in range(25):
        clock.now = tenth / 10
        rarely.warning("full", "refused %s", tenth)

    assert [record.getMessage() for record in caplog.records] == [
        "refused 0",
        "refused 10 (9 more since the last such line)",
        "refused 20 (9 more since the last such line)",
    ]


def test_different_things_do_not_wait_for_each_other(caplog: pytest.LogCaptureFixture) -> None:
    rarely = Rarely(_log, Clock())

    rarely.warning("a", "a")
    rarely.error("b", "b", exc_info=ValueError("x"))
    rarely.warning("a", "a")

    assert [(record.getMessage(), record.levelname) for record in caplog.records] == [
        ("a", "WARNING"),
        ("b", "ERROR"),
    ]


def test_it_remembers_no_more_than_it_needs(caplog: pytest.LogCaptureFixture) -> None:
    rarely = Rarely(_log, Clock())

    for number in range(10_000):
        rarely.warning(number, "%s", number)

    assert len(rarely._lines) < 1_000
