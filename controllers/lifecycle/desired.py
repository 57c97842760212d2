"""The desired state of one service: its container, its gate, and the user's request."""

from __future__ import annotations

from controllers.lifecycle.conditions import CONFIGURATION_TEXT
from resources.container_spec import ContainerSpec
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest


class DesiredState:
    """The latest desired state; the service's :class:`Lifecycle` carries it out."""

    def __init__(self, request: int) -> None:
        self.container: ContainerSpec | None = None
        """The container that must run; ``None`` if the service must be removed."""
        self.gate: ServiceGate | None = None
        self.request = request
        """The generation of the last executed request."""
        self.start_asked = False
        """Whether a start was requested that has not begun yet."""
        self.held = False
        """Whether a stop was requested, and no start since then."""
        self.restored = False
        """Whether it is held because of the checkpoint of a previous supervisor, until the current
        request is known."""
        self.for_good = False
        self.claiming = False
        """Whether the running container was just taken over, and its config may be read later."""
        self._seen: ServiceRequest | None = None

    @property
    def unwanted(self) -> bool:
        """Whether the service must not run, independent of its gate."""
        return self.container is None or self.held or self.for_good

    @property
    def pending(self) -> str | None:
        """The unmet conditions of a start as text; ``None`` while they are unknown. They are also
        unknown while the gate and the container come from different definitions.
        """
        container, gate = self.container, self.gate
        if container is None or gate is None or container.depends_digest != gate.depends_digest:
            return None
        missing = gate.waiting_for
        named = any(text.startswith(CONFIGURATION_TEXT) for text in missing)
        if not named and not _config_is_written(container, gate):
            missing = (*missing, CONFIGURATION_TEXT)
        return ", ".join(missing)

    def displaces(self, running: ContainerSpec | None) -> bool:
        """Whether the container must now replace ``running``, from which it differs.

        It replaces it if it could start. If its config was withdrawn, it replaces it at once and
        then waits for the next config (Talos 1.14), because ``running`` was made from a config that
        no longer exists.
        """
        wanted = self.container
        if wanted is None or (self.claiming and _lacks_the_config_of(running, wanted)):
            return False
        return wanted.awaits_config or self.pending == ""

    def take(self, request: ServiceRequest | None, *, at_rest: bool) -> None:
        """Process the current request; ``at_rest`` if the service is down or going down."""
        self.restored = False
        if request == self._seen:
            return
        first, self._seen = self._seen is None, request
        if request is None:
            # The request was withdrawn; a service without a stop request runs.
            self.start_asked, self.held, self.request = self.held, False, 0
        elif first and request.generation == self.request:
            # A previous supervisor executed it, and the service may have been held after that.
            self.held = self.held or request.desired is Desired.STOP
        else:
            self.request = request.generation
            self._ask(request.desired, at_rest=at_rest)

    def _ask(self, desired: Desired, *, at_rest: bool) -> None:
        """Talos 1.14, "API operations": a start does not affect a running service, and so on.

        Unlike in Talos, a start during a stop is remembered: the latest request counts.
        """
        self.held = desired is Desired.STOP
        self.start_asked = desired is Desired.RESTART or (desired is Desired.START and at_rest)


def _lacks_the_config_of(running: ContainerSpec | None, wanted: ContainerSpec) -> bool:
    return running is not None and running.config_version != "" and wanted.config_version == ""


def _config_is_written(container: ContainerSpec, gate: ServiceGate) -> bool:
    """Whether the config files from which the container was made are written."""
    return not container.awaits_config and container.config_version in {"", gate.config_version}
