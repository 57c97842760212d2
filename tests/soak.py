"""How much of what is a matter of quantity: a part in the suite, all of it in ``make soak``.

A campaign is a test that loops over cases, each of them good without the others. It asks the
fixture ``campaign`` for the numbers of its cases, and how many it does is then not its concern::

    def test_a_supervisor_killed_at_random_moments_harms_no_service(campaign: Campaign) -> None:
        for number in campaign("kills", of=200, suite=5):
            ...

- ``make test``: the first 5.
- ``make soak``: all 200.
- ``make soak MINUTES=10``: at least the first 5, then as many of the 200 as its share of the ten
  minutes allows. All campaigns of the session, spread over the workers, have equal shares; so the
  session takes ten minutes, longer only by what every campaign does at least and by one case each.

``make soak`` shows how far a campaign is every 20 s, and how much each one did in pytest's summary
(``soak: 143 of 200 kills``). A campaign needs no timeout of its own: it gets one by its share.

What is no loop takes its quantity from :func:`quantity` (examples for Hypothesis, containers at
once, megabytes); a budget does not change that.
"""

import os
import sys
import time
from collections.abc import Iterator
from math import ceil, inf
from typing import Any

import pytest

from tests.switches import on

SOAK = on("COSI_SOAK")

PROGRESS_SECONDS = 20.0
SLOWEST_SECONDS = 600.0
"""For what a campaign does at least, and for its slowest case; added to its share."""
WHOLE_SECONDS = 2 * 3600.0
"""A campaign without a budget is taken to hang after this."""


def quantity(suite: int, soak: int) -> int:
    """``soak`` where ``COSI_SOAK=1`` is set, as in ``make soak``, and ``suite`` otherwise."""
    return soak if SOAK else suite


class Budget:
    """The time that all campaigns of a session have together; of each worker, its own copy."""

    def __init__(self, minutes: str, began: float) -> None:
        """``minutes`` as it was given, empty for no limit; ``began`` by the monotonic clock."""
        try:
            self.seconds = 60 * float(minutes) if minutes else inf
        except ValueError:
            raise pytest.UsageError(f"MINUTES={minutes}: not a number of minutes") from None
        if not self.seconds > 0:
            raise pytest.UsageError(f"MINUTES={minutes}: a budget is more than 0 minutes")
        self.began = began
        self.share = inf

    def divide(self, campaigns: int, workers: int) -> None:
        """Each worker runs one campaign after the other: so many turns, and equal ones."""
        self.share = self.seconds / max(1, ceil(campaigns / workers))

    @property
    def deadline(self) -> float:
        """Of a campaign that begins now, by the monotonic clock."""
        return min(time.monotonic() + self.share, self.began + self.seconds)

    @property
    def timeout(self) -> float:
        """When a campaign is taken to hang, in seconds."""
        return WHOLE_SECONDS if self.share == inf else self.share + SLOWEST_SECONDS


class Campaign:
    """What the fixture ``campaign`` gives; see the module."""

    def __init__(self, request: pytest.FixtureRequest, deadline: float) -> None:
        self._name = request.node.name
        self._capture = request.config.pluginmanager.getplugin("capturemanager")
        self._deadline = deadline
        self._shown = time.monotonic()
        self.did: dict[str, tuple[int, int]] = {}
        """What it did, and of how many."""

    def __call__(self, what: str, *, of: int, suite: int) -> Iterator[int]:
        """The numbers from 0 of the cases to do: ``suite`` of them in the suite, at most ``of``."""
        least = min(suite, of)
        for number in range(of if SOAK else least):
            if number >= least and time.monotonic() > self._deadline:
                return
            self.did.setdefault(what, (0, of))
            yield number
            # Only now: a case that fails is not done.
            self.did[what] = (number + 1, of)
            self._show(f"{number + 1} of {of} {what}")

    def _show(self, text: str) -> None:
        now = time.monotonic()
        if not SOAK or now - self._shown < PROGRESS_SECONDS:
            return
        self._shown = now
        left = "" if self._deadline == inf else f", {max(0, round(self._deadline - now))} s left"
        with self._capture.global_and_fixture_disabled():
            print(f"\nsoak: {text} so far ({self._name}{left})", file=sys.stderr, flush=True)

    @property
    def summary(self) -> str:
        """How much it did, in words."""
        return ", ".join(f"{done} of {of} {what}" for what, (done, of) in self.did.items())


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> Iterator[Campaign]:
    """The cases of a campaign; see the module."""
    made = Campaign(request, request.config.stash[_BUDGET].deadline)
    yield made
    request.node.user_properties.append((_PROPERTY, made.summary))


_BUDGET = pytest.StashKey[Budget]()
_PROPERTY = "soak"


def pytest_configure(config: pytest.Config) -> None:
    """The budget begins; with workers, it began when they were started."""
    began = getattr(config, "workerinput", {}).get(_PROPERTY, time.monotonic())
    minutes = os.environ.get("COSI_SOAK_MINUTES", "") if SOAK else ""
    config.stash[_BUDGET] = Budget(minutes, began)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Send a worker the moment from which the budget counts."""
    node.workerinput[_PROPERTY] = node.config.stash[_BUDGET].began


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Count the campaigns that are left, and give each its share and its timeout."""
    campaigns = [item for item in items if "campaign" in getattr(item, "fixturenames", ())]
    budget = config.stash[_BUDGET]
    budget.divide(len(campaigns), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    for item in campaigns if SOAK else ():
        item.add_marker(pytest.mark.timeout(budget.timeout), append=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what the summary is to contain."""
    if SOAK and report.when == "teardown":
        _summaries.extend(
            f"soak: {text} ({report.nodeid.rpartition('/')[2]})"
            for name, text in report.user_properties
            if name == _PROPERTY and text
        )


_summaries: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much each campaign did."""
    for line in sorted(_summaries):
        terminalreporter.write_line(line)
