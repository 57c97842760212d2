"""Readers that fail: said once, tried again ever more rarely, never a crash."""

import logging
from collections.abc import Callable

import anyio
import pytest
from trio.testing import MockClock

from controllers.host.reader import (
    Followed,
    HostReader,
    HostReadError,
    failures,
    first_words,
    keep_following,
)


@pytest.fixture
def anyio_backend() -> object:
    return ("trio", {"clock": MockClock(autojump_threshold=0)})


class Moody:
    """Fails as often as it was told to, each time in its way, then works."""

    def __init__(self, *moods: Exception) -> None:
        self.moods = list(moods)
        self.tries: list[float] = []

    async def follow(self, report: Callable[[int], None]) -> None:
        self.tries.append(anyio.current_time())
        if self.moods:
            raise self.moods.pop(0)
        report(42)
        await anyio.sleep_forever()


def refused(text: str = "no") -> OSError:
    return PermissionError(1, text)


async def follow(reader: HostReader[int], seconds: float) -> tuple[list[int], list[str]]:
    facts: list[int] = []
    reasons: list[str] = []
    with anyio.move_on_after(seconds):
        await keep_following("moody", reader, facts.append, reasons.append)
    return facts, reasons


async def test_a_reader_that_fails_is_tried_again_ever_more_rarely() -> None:
    reader = Moody(*(refused() for _ in range(9)))
    start = anyio.current_time()
    facts, reasons = await follow(reader, 1000)
    assert [time - start for time in reader.tries] == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    assert (facts, len(reasons)) == ([42], 9)


async def test_one_reason_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await follow(Moody(refused(), refused(), HostReadError("other"), refused()), 1000)
    said = [(record.message, record.reader, record.reason) for record in caplog.records]  # type: ignore[attr-defined]
    refusal = ("host reader failed", "moody", "[Errno 1] no")
    assert said == [refusal, ("host reader failed", "moody", "other"), refusal]


async def test_a_failure_in_a_task_of_the_reader_is_one_too() -> None:
    reader = Moody(ExceptionGroup("tasks", [ExceptionGroup("inner", [refused("deep")])]))
    assert await follow(reader, 10) == ([42], ["[Errno 1] deep"])


async def test_a_bug_in_a_reader_is_no_failure() -> None:
    with pytest.raises(ZeroDivisionError):
        await follow(Moody(ZeroDivisionError()), 10)
    with pytest.raises(ExceptionGroup):
        await follow(Moody(ExceptionGroup("tasks", [refused(), ZeroDivisionError()])), 10)


async def test_a_reader_that_ends_is_followed_again() -> None:
    class Short(Moody):
        async def follow(self, report: Callable[[int], None]) -> None:
            report(1)

    facts, reasons = await follow(Short(), 2.5)
    assert (facts, set(reasons)) == ([1, 1, 1], {"has ended"})


async def test_the_last_fact_outlives_a_failure_which_is_said() -> None:
    class Mortal(Moody):
        async def follow(self, report: Callable[[int], None]) -> None:
            if not self.moods:
                report(42)
            raise refused()

    changes: list[str] = []
    followed = Followed("mortal", Mortal())
    with anyio.move_on_after(2):
        await followed.follow(lambda: changes.append(followed.failure))
    assert (followed.fact, changes[:2]) == (42, ["", "[Errno 1] no"])
    assert failures(followed) == {"host/mortal": "[Errno 1] no"}


async def test_the_first_words_are_waited_for_but_not_for_ever() -> None:
    class Silent(Moody):
        async def follow(self, report: Callable[[int], None]) -> None:
            await anyio.sleep_forever()

    start = anyio.current_time()
    await first_words(Followed("silent", Silent()))
    assert anyio.current_time() - start == pytest.approx(5)

    async with anyio.create_task_group() as tasks:
        heard = Followed("heard", Moody())
        tasks.start_soon(heard.follow, lambda: None)
        start = anyio.current_time()
        await first_words(heard)
        assert anyio.current_time() == start
        tasks.cancel_scope.cancel()
