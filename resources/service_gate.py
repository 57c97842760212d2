"""Whether a service may start, and what it waits for if not."""

from cosi import Spec


class ServiceGate(
    Spec,
    type="ServiceGates.runtime.talos.dev",
    columns={"Waiting For": "{.waitingFor}"},
    proto={
        "conditions": 1,
        "waitingFor": 2,
        "impossible": 3,
        "services": 4,
        "configVersion": 5,
        "dependsDigest": 6,
    },
):
    """Open when nothing is waited for any more; it holds back a start and never stops what runs.

    The texts and their order are Talos's (1.14: ``service "cri" to be "up"``, ``network``, ...).
    """

    conditions: tuple[str, ...] = ()
    """All that the service depends on, met or not, as it is said before anything was looked at."""
    waiting_for: tuple[str, ...] = ()
    """What of it does not hold *now*."""
    impossible: tuple[str, ...] = ()
    """What of ``waiting_for`` no amount of waiting brings: a cycle, a kind nobody provides here."""

    services: tuple[str, ...] = ()
    """The ids of the services it depends on: it stops before they do."""
    config_version: str = ""
    """Of the ExtensionServiceConfig whose files are written; a container that was made from
    another one waits for its own."""
    depends_digest: str = ""
    """Of what the service depends on (``ExtensionServiceSpec.depends_digest``): it tells a gate of
    this definition from one of the definition before it."""

    @property
    def open(self) -> bool:
        """Whether the service may start."""
        return not self.waiting_for

    @property
    def description(self) -> str:
        """What is waited for, as the event says it (Talos: joined by a comma)."""
        return ", ".join(self.waiting_for)
