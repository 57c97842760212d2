"""The runtime suite: all requirements for a :class:`~cosi.Runtime`, over any state."""

from __future__ import annotations

from cosi.testing.conformance.runtime_deferring import DeferringCases
from cosi.testing.conformance.runtime_live_inputs import LiveInputCases
from cosi.testing.conformance.runtime_loops import LoopCases
from cosi.testing.conformance.runtime_queues import QueueCases
from cosi.testing.conformance.runtime_registration import RegistrationCases


class RuntimeConformance(LoopCases, QueueCases, RegistrationCases, DeferringCases, LiveInputCases):
    """Subclass it in a test module, and give it a ``runtime`` fixture::

    class TestMyRuntime(RuntimeConformance):
        @pytest.fixture
        def runtime(self) -> Runtime:
            return Runtime(MyState())
    """
