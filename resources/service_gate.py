"""The gate of a service: whether it may start, and its unmet conditions."""

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
    """The start conditions of a service. The gate is open if none is unmet; a closed gate delays a
    start, but never stops a running service.

    The texts and their order are Talos's (1.14: ``service "cri" to be "up"``, ``network``, ...).
    """

    conditions: tuple[str, ...] = ()
    """All conditions of the service, met or not, with the texts of the first event."""
    waiting_for: tuple[str, ...] = ()
    """Conditions not met now."""
    impossible: tuple[str, ...] = ()
    """Unmet conditions that cannot be met here: dependency cycles, unsupported facts."""

    services: tuple[str, ...] = ()
    """The ids of the services on which it depends; it stops before they do."""
    config_version: str = ""
    """The version of the ExtensionServiceConfig whose files are written; a container made from
    another version waits for its own."""
    depends_digest: str = ""
    """The digest of the service's dependencies (``ExtensionServiceSpec.depends_digest``), which
    distinguishes a gate of the current definition from one of an earlier definition."""

    @property
    def open(self) -> bool:
        """Whether the service may start."""
        return not self.waiting_for

    @property
    def description(self) -> str:
        """The unmet conditions as shown in the event (Talos: joined by a comma)."""
        return ", ".join(self.waiting_for)
