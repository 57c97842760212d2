"""Conformance suites: tests that every implementation of a state or a runtime must pass.

A state in five lines::

    class TestMyState(StateConformance):
        @pytest.fixture
        def state(self) -> State:
            return MyState()

The cases are those of COSI's own suites, by the same names in snake case, and more for the defects
of COSI that are fixed here. They are async tests for anyio's pytest plugin
(``anyio_mode = "auto"``).
"""

import pytest

# Must run before the modules are imported, so that pytest explains their plain asserts.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.state_{part}"
        for part in ("cases", "writing", "holding", "queries", "watching", "resuming")
    ),
    *(
        f"{__name__}.runtime_{part}"
        for part in ("cases", "loops", "queues", "registration", "deferring", "live_inputs")
    ),
)
