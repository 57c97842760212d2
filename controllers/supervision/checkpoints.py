"""Checkpoints of all services: in memory, and in files for the next run of the same boot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from controllers.files.beneath import (
    Beneath,
)
from controllers.lifecycle.checkpoint import (
    Checkpoint,
)
from controllers.processes.processes import boot_id
from controllers.supervision.boot_files import BootFiles
from resources.go_format import (
    os_error_text,
)
from resources.service_state import ServicePhase

_log: Final = logging.getLogger(__name__)


class Checkpoints:
    """Checkpoints by service id, kept in memory only."""

    def __init__(self) -> None:
        self._known: dict[str, Checkpoint] = {}

    def restore(self) -> None:
        """Load the checkpoints of previous runs; from now on no other process may write them."""

    def find(self, id: str) -> Checkpoint | None:
        """The checkpoint of one service, or ``None``."""
        return self._known.get(id)

    @property
    def held(self) -> frozenset[str]:
        """The ids of the services that a user has stopped."""
        return frozenset(id for id, checkpoint in self._known.items() if checkpoint.held)

    def save(self, id: str, checkpoint: Checkpoint | None) -> bool:
        """Replace the checkpoint of one service; ``None`` removes it.

        Returns false if it could not be written to disk; then call :meth:`write` later. Without
        files always true.
        """
        if checkpoint is None:
            self._known.pop(id, None)
        else:
            self._known[id] = checkpoint
        return True

    def write(self, id: str) -> None:
        """Write the current checkpoint of one service to disk; raises ``OSError``."""

    def save_only(self, ids: Collection[str]) -> None:
        """Remove the checkpoints of all services but these."""
        for id in sorted(set(self._known).difference(ids)):
            self.save(id, None)


class CheckpointFiles(Checkpoints):
    """One file for each service, in a directory that is created when it is needed.

    The files are valid until the next boot, as all that Talos knows of a service. A checkpoint that
    cannot be written is logged, stays in memory, and may be written later.
    """

    def __init__(
        self, directory: Path, beneath: Beneath, boot: Callable[[], str] = boot_id
    ) -> None:
        super().__init__()
        self._files = BootFiles(directory, beneath, boot)

    @override
    def restore(self) -> None:
        with self._complaining("services"):
            self._known = dict(self._read())

    @override
    def save(self, id: str, checkpoint: Checkpoint | None) -> bool:
        super().save(id, checkpoint)
        with self._complaining(id):
            self.write(id)
            return True
        return False

    @override
    def write(self, id: str) -> None:
        if checkpoint := self._known.get(id):
            at = checkpoint.at.isoformat() if checkpoint.at else None
            self._files.write(id, asdict(checkpoint) | {"at": at})
        else:
            self._files.remove(id)

    @override
    def save_only(self, ids: Collection[str]) -> None:
        super().save_only(ids)
        # An empty directory would only be left over for others to clean up.
        with self._complaining("services"):
            self._files.remove_directory()

    def _read(self) -> Iterator[tuple[str, Checkpoint]]:
        for id, fields in self._files.read():
            if checkpoint := _parse(fields):
                yield id, checkpoint
            else:
                with self._complaining(id):
                    self._files.remove(id)

    @contextmanager
    def _complaining(self, what: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            text = "%s: cannot read or write the checkpoint, so the next run may not know it: %s"
            _log.warning(text, what, os_error_text(error))


def _parse(fields: dict[str, Any]) -> Checkpoint | None:
    """The checkpoint in a file; ``None`` if another version of this program wrote it."""
    try:
        fields["phase"] = ServicePhase(fields["phase"])
        fields["at"] = datetime.fromisoformat(fields["at"]) if fields["at"] else None
        return Checkpoint(**fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
