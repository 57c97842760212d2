"""Claims: decides which file defines which service, from the content of the files alone.

The first file in name order wins (Talos 1.14). A file that becomes invalid keeps its claim with its
previous content, but after every valid file: a typing error stops no running service, and a service
is never without a definition while a file offers one. A file that was invalid from the beginning
claims nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, KeysView
from dataclasses import dataclass

from controllers.definitions.service import Fault, Reading
from resources.extension_service import ExtensionServiceSpec
from resources.go_format import (
    quote,
)
from resources.problem import (
    Problem,
    Severity,
)
from resources.service_file_status import (
    ServiceFileStatus,
)


@dataclass(frozen=True, slots=True)
class _Claim:
    reading: Reading
    last_good: ExtensionServiceSpec | None
    """The last valid content of a file, for when it becomes invalid."""

    @property
    def spec(self) -> ExtensionServiceSpec | None:
        return self.reading.spec or self.last_good

    @property
    def stale(self) -> bool:
        return self.reading.spec is None


class Claims:
    """All files of one directory, and the services that they define."""

    def __init__(self) -> None:
        self._files: dict[str, _Claim] = {}
        self._claimants: dict[str, set[str]] = {}

    @property
    def files(self) -> KeysView[str]:
        """The names of all files, valid or not."""
        return self._files.keys()

    @property
    def services(self) -> KeysView[str]:
        """The names of all services that a file defines."""
        return self._claimants.keys()

    def take(self, file: str, reading: Reading) -> set[str]:
        """Take in the current reading of a file; return the services that it may affect."""
        before = self._files.get(file)
        concerned = self.drop(file)
        claim = self._files[file] = _Claim(reading, before.spec if before else None)
        if claim.spec is not None:
            self._claimants.setdefault(claim.spec.name, set()).add(file)
            concerned.add(claim.spec.name)
        return concerned

    def drop(self, file: str) -> set[str]:
        """Remove a file; return the services that this may affect."""
        claim = self._files.pop(file, None)
        if claim is None or claim.spec is None:
            return set()
        service = claim.spec.name
        self._claimants[service].discard(file)
        if not self._claimants[service]:
            del self._claimants[service]
        return {service}

    def claimants(self, service: str) -> Iterator[str]:
        """The files that claim the service."""
        return iter(self._claimants.get(service, ()))

    def winner(self, service: str) -> str | None:
        """The file whose definition of the service is used; ``None`` without claimants."""
        claimants = self._claimants.get(service, ())
        return min(claimants, key=lambda file: (self._files[file].stale, file), default=None)

    def definition(self, service: str) -> ExtensionServiceSpec | None:
        """The used definition of the service; ``None`` without claimants."""
        file = self.winner(service)
        return None if file is None else self._files[file].spec

    def fault(self, file: str) -> Fault | None:
        """Why a file is rejected; ``None`` if it is accepted."""
        claim = self._files[file]
        if claim.reading.fault or claim.spec is None:
            return claim.reading.fault
        return None if self.winner(claim.spec.name) == file else Fault.DUPLICATE

    def status(self, file: str) -> ServiceFileStatus:
        """The status to publish for a file."""
        claim, fault = self._files[file], self.fault(file)
        service = claim.spec.name if claim.spec else claim.reading.name
        winner = self.winner(service)
        problems, message = claim.reading.problems, claim.reading.message
        if fault is Fault.DUPLICATE:
            message = f"{Fault.DUPLICATE}: {quote(service)} is defined by {winner}"
            line, column = claim.reading.name_at
            error = Problem(line=line, column=column, severity=Severity.ERROR, text=message)
            problems = (error, *problems)
        return ServiceFileStatus(
            service=service,
            accepted=fault is None,
            in_force=claim.spec is not None and winner == file,
            message=message,
            problems=problems,
        )
