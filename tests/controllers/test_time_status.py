"""TimeStatus: the clock is right, nobody is asked, or it took too long."""

import logging

import pytest
from trio.testing import MockClock

from controllers.host.clock import ClockFacts
from controllers.time_status import TimePolicy, TimeStatusController, time_status
from cosi.testing import Harness
from resources.time_status import TimeStatus
from tests.controllers.host.fakes import FakeReader

WRONG, RIGHT = ClockFacts(synchronised=False), ClockFacts(synchronised=True)


@pytest.fixture
def anyio_backend() -> object:
    return ("trio", {"clock": MockClock(autojump_threshold=0)})


@pytest.mark.parametrize(
    ("clock", "failed", "policy", "seconds", "said"),
    [
        (None, False, TimePolicy(), 9.0, None),
        (None, True, TimePolicy(), 9.0, TimeStatus()),
        (WRONG, False, TimePolicy(), 9.0, TimeStatus()),
        (RIGHT, False, TimePolicy(), 0.0, TimeStatus(synced=True)),
        (
            None,
            False,
            TimePolicy(disabled=True),
            0.0,
            TimeStatus(synced=True, sync_disabled=True),
        ),
        (
            ClockFacts(synchronised=False, jumps=2),
            False,
            TimePolicy(disabled=True),
            0.0,
            TimeStatus(synced=True, epoch=2, sync_disabled=True),
        ),
        (
            ClockFacts(synchronised=True, jumps=3),
            False,
            TimePolicy(),
            0.0,
            TimeStatus(synced=True, epoch=3),
        ),
        (WRONG, False, TimePolicy(boot_timeout_seconds=5), 4.9, TimeStatus()),
        (WRONG, False, TimePolicy(boot_timeout_seconds=5), 5.0, TimeStatus(synced=True)),
        (None, False, TimePolicy(boot_timeout_seconds=5), 5.0, TimeStatus(synced=True)),
    ],
)
def test_what_is_said_of_the_clock(
    clock: ClockFacts | None,
    failed: bool,
    policy: TimePolicy,
    seconds: float,
    said: TimeStatus | None,
) -> None:
    assert time_status(clock, failed, policy, seconds) == said


async def status(cosi: Harness) -> TimeStatus:
    return await cosi.get(TimeStatus, "node")


async def test_the_status_follows_the_clock(cosi: Harness) -> None:
    clock = FakeReader(WRONG)
    cosi.start(TimeStatusController(clock=clock))
    assert await status(cosi) == TimeStatus()
    clock.tell(RIGHT)
    assert await status(cosi) == TimeStatus(synced=True)
    clock.tell(ClockFacts(synchronised=False, jumps=1))
    assert await status(cosi) == TimeStatus(epoch=1)


async def test_where_nobody_sets_the_clock_it_counts_as_right_and_jumps_are_counted(
    cosi: Harness,
) -> None:
    clock = FakeReader(WRONG)
    cosi.start(TimeStatusController(TimePolicy(disabled=True), clock))
    assert await status(cosi) == TimeStatus(synced=True, sync_disabled=True)
    clock.tell(ClockFacts(synchronised=False, jumps=1))
    assert await status(cosi) == TimeStatus(synced=True, epoch=1, sync_disabled=True)


async def test_after_the_boot_timeout_a_wrong_clock_counts_as_right(cosi: Harness) -> None:
    cosi.start(TimeStatusController(TimePolicy(boot_timeout_seconds=5), FakeReader(WRONG)))
    assert await status(cosi) == TimeStatus()
    await cosi.advance(4.9)
    assert await status(cosi) == TimeStatus()
    await cosi.advance(0.2)
    assert await status(cosi) == TimeStatus(synced=True)


async def test_a_clock_that_is_right_does_not_wait_for_the_boot_timeout(cosi: Harness) -> None:
    cosi.start(TimeStatusController(TimePolicy(boot_timeout_seconds=5), FakeReader(RIGHT)))
    assert await status(cosi) == TimeStatus(synced=True)


async def test_a_clock_that_cannot_be_asked_is_not_right_and_the_reason_is_said(
    cosi: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "controllers"):
        cosi.start(TimeStatusController(clock=FakeReader(RIGHT, failure="not permitted")))
        found = await cosi.resource(TimeStatus, "node")
    assert found.spec == TimeStatus()
    assert found.metadata.annotations == {"host/clock": "not permitted"}


async def test_a_reader_that_recovers_is_followed_again(cosi: Harness) -> None:
    clock = FakeReader(RIGHT, failure="not yet")
    cosi.start(TimeStatusController(clock=clock))
    assert await status(cosi) == TimeStatus()
    clock.failure = ""
    await cosi.advance(1.1)
    found = await cosi.resource(TimeStatus, "node")
    assert found.spec == TimeStatus(synced=True)
    assert not found.metadata.annotations


async def test_a_status_that_is_given_is_left_alone_until_it_goes(cosi: Harness) -> None:
    await cosi.given("node", TimeStatus(synced=True))
    cosi.start(TimeStatusController(clock=FakeReader(WRONG)))
    assert await status(cosi) == TimeStatus(synced=True)
    await cosi.gone(TimeStatus, "node")
    assert await status(cosi) == TimeStatus()
