"""Tools for tests of controllers: the harness, fixtures from YAML, and the conformance suites.

``cosi.testing.plugin`` has the pytest fixture, ``cosi.testing.conformance`` has the suites.
"""

from cosi.state._fixtures import feed, load_fixtures
from cosi.testing._harness import ControllersFailed, Harness, running

__all__ = ["ControllersFailed", "Harness", "feed", "load_fixtures", "running"]
