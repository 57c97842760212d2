"""The environment of the whole machine, which every service begins with."""

from cosi import Spec

ENVIRONMENT_ID = "machined"
"""There is one, and this is its id (Talos 1.14: ``runtime.EnvironmentController``)."""


class Environment(
    Spec,
    type="Environments.runtime.talos.dev",
    aliases=("env",),
    sensitive=True,  # proxies with passwords are what it is used for most; not so in Talos
    proto={"variables": 1},
):
    """The variables that the machine's configuration says, under all that a service says itself.

    It is there once the configuration was read, empty or not; services that start before could be
    started with half of it.
    """

    variables: tuple[str, ...] = ()
    """``KEY=VALUE``, sorted, each key once."""
