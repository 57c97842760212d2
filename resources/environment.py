"""The environment of the machine, from which every service's environment starts."""

from cosi import Spec

ENVIRONMENT_ID = "machined"
"""The id of the only one (Talos 1.14: ``runtime.EnvironmentController``)."""


class Environment(
    Spec,
    type="Environments.runtime.talos.dev",
    aliases=("env",),
    sensitive=True,  # it is used mostly for proxies with passwords; Talos does not mark it
    proto={"variables": 1},
):
    """The variables of the machine's configuration; a service's own variables override them.

    It exists, even if empty, once the configuration was read. A service that started before that
    could get only a part of it.
    """

    variables: tuple[str, ...] = ()
    """``KEY=VALUE`` items, sorted, each key once."""
