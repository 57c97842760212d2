"""What the world wants of one service: its container, its gate, and what people ask for."""

from __future__ import annotations

from controllers.lifecycle.conditions import CONFIGURATION_TEXT
from resources.container_spec import ContainerSpec
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest


class DesiredState:
    """The latest of everything that is wanted; the service's :class:`Lifecycle` makes it so."""

    def __init__(self, request: int) -> None:
        self.container: ContainerSpec | None = None
        """What shall run; ``None`` if the service shall be gone."""
        self.gate: ServiceGate | None = None
        self.request = request
        """The generation of the last request that was acted upon."""
        self.start_asked = False
        """Whether somebody asked for a start that has not begun yet."""
        self.held = False
        """Whether somebody asked for a stop, and nobody for a start since then."""
        self.restored = False
        """Whether it is held by what an earlier life has remembered, until a first look."""
        self.for_good = False
        self.claiming = False
        """Whether what runs was taken over a moment ago, and its config may be read later."""
        self._seen: ServiceRequest | None = None

    @property
    def unwanted(self) -> bool:
        """Whether the service shall not run, whatever else is wanted."""
        return self.container is None or self.held or self.for_good

    @property
    def pending(self) -> str | None:
        """What a start waits for, in words; ``None`` while that is not known: also while the gate
        and the container are not made from the same definition yet.
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
        """Whether the container takes the place of ``running``, from which it differs, now.

        It does when it could start. One whose config was withdrawn does so at once, and then waits
        for the next config (Talos 1.14): what runs was made from a config that is not there.
        """
        wanted = self.container
        if wanted is None or (self.claiming and _lacks_the_config_of(running, wanted)):
            return False
        return wanted.awaits_config or self.pending == ""

    def take(self, request: ServiceRequest | None, *, at_rest: bool) -> None:
        """Take in the current request; ``at_rest`` if the service is down or going down."""
        self.restored = False
        if request == self._seen:
            return
        first, self._seen = self._seen is None, request
        if request is None:
            # Withdrawn; what nobody has stopped runs.
            self.start_asked, self.held, self.request = self.held, False, 0
        elif first and request.generation == self.request:
            # It was acted upon in an earlier life, and the service may have been held after that.
            self.held = self.held or request.desired is Desired.STOP
        else:
            self.request = request.generation
            self._ask(request.desired, at_rest=at_rest)

    def _ask(self, desired: Desired, *, at_rest: bool) -> None:
        """Talos 1.14, "API operations": start does nothing to what runs, and so on.

        Unlike there, a start during a stop is remembered: the latest wish counts.
        """
        self.held = desired is Desired.STOP
        self.start_asked = desired is Desired.RESTART or (desired is Desired.START and at_rest)


def _lacks_the_config_of(running: ContainerSpec | None, wanted: ContainerSpec) -> bool:
    return running is not None and running.config_version != "" and wanted.config_version == ""


def _config_is_written(container: ContainerSpec, gate: ServiceGate) -> bool:
    """Whether the files are there that the container was made with."""
    return not container.awaits_config and container.config_version in {"", gate.config_version}
