"""The state suite: all requirements for a :class:`~cosi.State`."""

from __future__ import annotations

from cosi.testing.conformance.state_holding import HoldingCases
from cosi.testing.conformance.state_queries import QueryCases
from cosi.testing.conformance.state_resuming import ResumingCases
from cosi.testing.conformance.state_watching import WatchingCases
from cosi.testing.conformance.state_writing import WritingCases


class StateConformance(WritingCases, HoldingCases, QueryCases, WatchingCases, ResumingCases):
    """Subclass it in a test module, and give it a ``state`` fixture.

    ``default_owner``, ``remembered``, ``bounded`` and ``knows_incarnations`` declare how the tested
    state differs; see :class:`~cosi.testing.conformance.state_cases.StateCases`.
    """
