"""Probes: when they try, what they tell, and when they stop."""

from datetime import timedelta
from pathlib import Path

import pytest
from trio.testing import MockClock

from controllers.config_documents import ConfigDocumentsController
from controllers.probes import ProbeController, next_tick, verdict
from cosi.testing import Harness
from resources.config_source_status import ConfigSourceStatus
from resources.network_status import NetworkStatus
from resources.probe_spec import ProbeSpec, TCPProbe
from resources.probe_status import ProbeStatus
from tests.controllers.definitions.files import ToldFiles
from tests.controllers.host.fakes import FakeProber
from tests.controllers.test_network_status import Host

SUCCESS = ProbeStatus(success=True)
FAILURE = ProbeStatus(success=False, last_error="refused")


@pytest.fixture
def anyio_backend() -> object:
    return ("trio", {"clock": MockClock(autojump_threshold=0)})


@pytest.fixture
def prober() -> FakeProber:
    return FakeProber()


def probe(interval: float = 1.0, threshold: int = 0, endpoint: str = "a:1") -> ProbeSpec:
    return ProbeSpec(
        interval=timedelta(seconds=interval),
        failure_threshold=threshold,
        tcp=TCPProbe(endpoint=endpoint),
    )


@pytest.mark.parametrize(
    ("failures", "threshold", "told"),
    [
        (0, 0, SUCCESS),
        (0, 3, SUCCESS),
        (1, 0, FAILURE),
        (1, 1, FAILURE),
        (1, 2, None),
        (2, 3, None),
        (3, 3, FAILURE),
        (4, 3, FAILURE),
    ],
)
def test_a_failure_is_told_once_there_were_enough(
    failures: int, threshold: int, told: ProbeStatus | None
) -> None:
    assert verdict(failures, threshold, "refused") == told


@pytest.mark.parametrize(
    ("now", "tick"), [(10.0, 11.0), (10.5, 11.0), (11.0, 12.0), (14.9, 15.0), (15.0, 16.0)]
)
def test_ticks_that_were_missed_are_skipped(now: float, tick: float) -> None:
    assert next_tick(10.0, 1.0, now) == tick


async def test_the_first_attempt_is_at_once_and_then_one_at_each_tick(
    cosi: Harness, prober: FakeProber
) -> None:
    cosi.start(ProbeController(prober))
    await cosi.given("tcp:a:1", probe(interval=2.0))
    assert await cosi.get(ProbeStatus, "tcp:a:1") == SUCCESS
    await cosi.advance(5)
    start = prober.attempts[0][0]
    assert [round(time - start) for time, _ in prober.attempts] == [0, 2, 4]


async def test_an_attempt_that_takes_long_skips_ticks(cosi: Harness, prober: FakeProber) -> None:
    prober.seconds = 2.5
    cosi.start(ProbeController(prober))
    await cosi.given("tcp:a:1", probe(interval=1.0))
    await cosi.advance(6)
    start = prober.attempts[0][0]
    assert [round(time - start) for time, _ in prober.attempts] == [0, 3, 6]


async def test_a_probe_that_has_told_nothing_has_no_status(
    cosi: Harness, prober: FakeProber
) -> None:
    prober.failures["a:1"] = "refused"
    cosi.start(ProbeController(prober))
    await cosi.given("tcp:a:1", probe(threshold=3))
    assert await cosi.find(ProbeStatus, "tcp:a:1") is None
    await cosi.advance(1.5)
    assert await cosi.find(ProbeStatus, "tcp:a:1") is None
    await cosi.advance(1)
    assert await cosi.find(ProbeStatus, "tcp:a:1") == FAILURE


async def test_a_single_failure_among_successes_is_not_told(
    cosi: Harness, prober: FakeProber
) -> None:
    cosi.start(ProbeController(prober))
    await cosi.given("tcp:a:1", probe(threshold=2))
    for _ in range(3):
        prober.failures["a:1"] = "refused"
        await cosi.advance(1)
        assert await cosi.get(ProbeStatus, "tcp:a:1") == SUCCESS
        prober.failures.clear()
        await cosi.advance(1)
    assert (await cosi.resource(ProbeStatus, "tcp:a:1")).version == 1


async def test_a_success_is_told_at_once(cosi: Harness, prober: FakeProber) -> None:
    prober.failures["a:1"] = "refused"
    cosi.start(ProbeController(prober))
    await cosi.given("tcp:a:1", probe())
    assert await cosi.get(ProbeStatus, "tcp:a:1") == FAILURE
    prober.failures.clear()
    await cosi.advance(1.5)
    assert await cosi.get(ProbeStatus, "tcp:a:1") == SUCCESS


async def test_a_probe_that_goes_takes_its_status_along(cosi: Harness, prober: FakeProber) -> None:
    cosi.start(ProbeController(prober))
    await cosi.given("tcp:a:1", probe())
    await cosi.given("tcp:b:1", probe(endpoint="b:1"))
    await cosi.gone(ProbeSpec, "tcp:a:1")
    assert await cosi.list(ProbeStatus) == {"tcp:b:1": SUCCESS}
    tried = len(prober.attempts)
    await cosi.advance(1.5)
    assert {target for _, target in prober.attempts[tried:]} == {"b:1"}


async def test_a_probe_that_changes_begins_anew(cosi: Harness, prober: FakeProber) -> None:
    cosi.start(ProbeController(prober))
    await cosi.given("tcp:a:1", probe(interval=60))
    await cosi.given("tcp:a:1", probe(interval=30))
    assert len(prober.attempts) == 2


async def test_a_status_that_is_given_is_left_alone(cosi: Harness, prober: FakeProber) -> None:
    await cosi.given("tcp:a:1", FAILURE)
    cosi.start(ProbeController(prober))
    await cosi.given("tcp:a:1", probe())
    await cosi.advance(3)
    assert await cosi.get(ProbeStatus, "tcp:a:1") == FAILURE


async def test_a_probe_opens_and_closes_connectivity(cosi: Harness, prober: FakeProber) -> None:
    cosi.start(ProbeController(prober), Host().controller())
    await cosi.given("tcp:a:1", probe())
    assert (await cosi.get(NetworkStatus, "status")).connectivity_ready
    prober.failures["a:1"] = "refused"
    await cosi.advance(1.5)
    assert not (await cosi.get(NetworkStatus, "status")).connectivity_ready


async def test_a_document_asks_for_a_probe_and_takes_it_away_again(
    cosi: Harness, prober: FakeProber, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(DOCUMENT)
    second.write_text(DOCUMENT.replace("1m0s", "5s"))
    watcher = ToldFiles()
    cosi.start(ConfigDocumentsController([first, second], watcher), ProbeController(prober))
    assert await cosi.list(ProbeSpec) == {"tcp:a:1": probe(interval=60)}
    assert await cosi.list(ProbeStatus) == {"tcp:a:1": SUCCESS}

    await cosi.given("unrelated", NetworkStatus())
    assert (await cosi.resource(ProbeSpec, "tcp:a:1")).version == 1

    first.unlink()
    watcher.changed(first)
    assert await cosi.list(ProbeSpec) == {"tcp:a:1": probe(interval=5)}

    second.write_text(DOCUMENT.replace("endpoint", "endpiont"))
    watcher.changed(second)
    assert await cosi.list(ProbeSpec) == {"tcp:a:1": probe(interval=5)}
    assert not (await cosi.get(ConfigSourceStatus, str(second))).accepted

    second.write_text("")
    watcher.changed(second)
    assert await cosi.list(ProbeStatus) == {}


DOCUMENT = """\
apiVersion: v1alpha1
kind: TCPProbeConfig
name: proxy
endpoint: a:1
interval: 1m0s
"""
