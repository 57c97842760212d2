"""Which file defines which service: decided from what the files say, without touching one.

The first file in name order wins (Talos 1.14). A file whose text went bad keeps its claim with the
text that it had before, behind every file that is good: a slip of the pen stops nothing that runs,
and a service is never without a definition that somebody offers. A file that was bad when it was
first seen claims nothing.
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
    """What the file said when it was good, before it went bad."""

    @property
    def spec(self) -> ExtensionServiceSpec | None:
        return self.reading.spec or self.last_good

    @property
    def stale(self) -> bool:
        return self.reading.spec is None


class Claims:
    """All files of one directory, and who of them defines what."""

    def __init__(self) -> None:
        self._files: dict[str, _Claim] = {}
        self._claimants: dict[str, set[str]] = {}

    @property
    def files(self) -> KeysView[str]:
        """Every file there is, good or bad."""
        return self._files.keys()

    @property
    def services(self) -> KeysView[str]:
        """Every service that some file defines."""
        return self._claimants.keys()

    def take(self, file: str, reading: Reading) -> set[str]:
        """Take in what a file says now; return the services that this may concern."""
        before = self._files.get(file)
        concerned = self.drop(file)
        claim = self._files[file] = _Claim(reading, before.spec if before else None)
        if claim.spec is not None:
            self._claimants.setdefault(claim.spec.name, set()).add(file)
            concerned.add(claim.spec.name)
        return concerned

    def drop(self, file: str) -> set[str]:
        """Forget a file; return the services that this may concern."""
        claim = self._files.pop(file, None)
        if claim is None or claim.spec is None:
            return set()
        service = claim.spec.name
        self._claimants[service].discard(file)
        if not self._claimants[service]:
            del self._claimants[service]
        return {service}

    def claimants(self, service: str) -> Iterator[str]:
        """The files that define the service, or would if they were the first."""
        return iter(self._claimants.get(service, ()))

    def winner(self, service: str) -> str | None:
        """The file whose definition is used."""
        claimants = self._claimants.get(service, ())
        return min(claimants, key=lambda file: (self._files[file].stale, file), default=None)

    def definition(self, service: str) -> ExtensionServiceSpec | None:
        """The definition that is used; ``None`` if no file has one."""
        file = self.winner(service)
        return None if file is None else self._files[file].spec

    def fault(self, file: str) -> Fault | None:
        """Why a file is rejected, if it is."""
        claim = self._files[file]
        if claim.reading.fault or claim.spec is None:
            return claim.reading.fault
        return None if self.winner(claim.spec.name) == file else Fault.DUPLICATE

    def status(self, file: str) -> ServiceFileStatus:
        """What is to be said about a file."""
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
