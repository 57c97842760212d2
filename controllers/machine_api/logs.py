"""The methods that stream the logs of services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol

from controllers.machine_api.nodes import metadata_of
from controllers.machine_api.proto import common_pb2, machine_pb2
from cosi.api.codec import parse
from cosi.api.rpc import Call

CHUNK: Final = 1024
"""The most bytes in one message (Talos 1.14)."""


class ReadableLog(Protocol):
    """The log of one service."""

    def reader(
        self, *, lines: int = -1, follow: bool = False
    ) -> AbstractContextManager[AsyncIterator[bytes]]:
        """Read from the last ``lines`` lines on, or everything if negative."""
        ...


class LogStore(Protocol):
    """The logs of all services (:class:`controllers.output.logs.ServiceLogs`)."""

    def ids(self) -> Iterator[str]:
        """The services that have a log."""
        ...

    def get(self, id: str) -> ReadableLog:
        """The log of a service; raises :class:`~cosi.errors.NotFound` before its first run."""
        ...


class MachineLogs:
    """Answers ``Logs`` and ``LogsContainers``.

    Pieces are not split at line ends. A missing ``tail_lines`` is 0, which means no earlier output
    (Talos 1.14); a negative number means everything.
    """

    def __init__(self, logs: LogStore) -> None:
        self._logs = logs

    async def read(self, data: bytes, call: Call) -> None:
        """``Logs``: the log in pieces of at most ``CHUNK`` bytes.

        Raises :class:`~cosi.errors.NotFound` before the first run of the service.
        """
        request = parse(machine_pb2.LogsRequest, data)
        log = self._logs.get(request.id)
        answers = metadata_of(call)
        with log.reader(lines=request.tail_lines, follow=request.follow) as reader:
            async for piece in reader:
                for start in range(0, len(piece), CHUNK):
                    chunk = piece[start : start + CHUNK]
                    for metadata in answers:
                        message = common_pb2.Data(metadata=metadata, bytes=chunk)
                        await call.send(message.SerializeToString())

    async def ids(self, data: bytes, call: Call) -> bytes:
        """``LogsContainers``: the services that have a log."""
        ids = list(self._logs.ids())
        messages = [
            machine_pb2.LogsContainer(metadata=metadata, ids=ids) for metadata in metadata_of(call)
        ]
        return machine_pb2.LogsContainersResponse(messages=messages).SerializeToString()
