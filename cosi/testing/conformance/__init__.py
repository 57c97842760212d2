"""What a state and a runtime must do, as tests that anybody's can be run through.

A state in five lines::

    class TestMyState(StateConformance):
        @pytest.fixture
        def state(self) -> State:
            return MyState()

The cases are those of COSI's own suites, by the same names in snake case, and what fixing its known
defects adds. They are async tests for anyio's pytest plugin (``anyio_mode = "auto"``).
"""

import pytest

# Before the modules are imported: their plain asserts then explain themselves.
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
