"""The client: a remote state, whose methods are gRPC calls (COSI 1.16, "Client").

::

    async with connect("unix:/run/cosi/cosi.sock") as state:
        gate = await state.get(ServiceGate, "ext-hello")

A ``RemoteState`` is a :class:`~cosi.State`: a ``Runtime`` runs over it unchanged. It needs asyncio,
as does grpc.aio, and a single event loop in the whole process: if a loop is closed, grpc raises the
errors of its calls in the next loop (grpcio 1.85).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import grpc.aio
from google.protobuf.message import Message
from grpc.aio import (
    AioRpcError,
    Channel,
    UnaryStreamCall,
    UnaryStreamMultiCallable,
    UnaryUnaryMultiCallable,
)
from typing_extensions import override

from cosi.api.cancellation import reply
from cosi.api.codec import decode, encode, parse
from cosi.api.failure import error_of_call
from cosi.api.proto import sealed_pb2, state_pb2
from cosi.api.query import id_message, label_messages
from cosi.api.remote_watch import RemoteWatch, Resuming
from cosi.resource._envelope import Kind, KindLike, Resource, S, kind_of
from cosi.resource._phase import Phase
from cosi.resource._pointer import Pointer
from cosi.state._query import EVERYTHING, Query
from cosi.state._state import State
from cosi.state._watch import NOW, Start, Watch

TIMEOUT_SECONDS: Final = 30.0
"""How long one call may take; TeardownAndDestroy, which waits for finalizers, has no limit."""
SERVICE: Final = "/cosi.resource.State/"

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # So that a restarted server is found soon; gRPC's own maximum is two minutes. The minimum stays
    # gRPC's: despite its name it limits one attempt, and a server may be busy.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


@asynccontextmanager
async def connect(
    address: str,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    metadata: Sequence[tuple[str, str]] = (),
) -> AsyncGenerator[RemoteState]:
    """Open the state served at ``unix:PATH``, or at ``HOST:PORT`` with ``credentials``.

    Nothing is sent before the first call. Every call has ``metadata`` (``("node", NAME)``).
    """
    async with open_channel(address, credentials) as channel:
        yield RemoteState(channel, metadata=metadata)


def open_channel(address: str, credentials: grpc.ChannelCredentials | None = None) -> Channel:
    """Open a channel with this project's options; use it as a context manager."""
    if credentials is not None:
        return grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
    return grpc.aio.insecure_channel(address, options=_OPTIONS)


class RemoteState(State):
    """The state behind ``channel``, which its owner closes.

    ``timeout_seconds`` bounds each call with one answer except ``TeardownAndDestroy``; ``resuming``
    sets how watches resume after a failure; every call has ``metadata``. In addition to the errors
    of every state it raises :class:`~cosi.errors.Unavailable`, and
    :class:`~cosi.errors.AccessDenied` if the caller's roles do not allow the operation.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        timeout_seconds: float | None = TIMEOUT_SECONDS,
        resuming: Resuming | None = None,
        metadata: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._channel = channel
        self._timeout = timeout_seconds
        self._resuming = resuming or Resuming()
        self._metadata = tuple(metadata)
        self._lacking: set[str] = set()  # methods that the server does not have

    # -- reading ------------------------------------------------------------------------------

    @override
    async def get(self, kind: KindLike[S], id: str) -> Resource[S]:
        where = kind_of(kind)
        request = state_pb2.GetRequest(namespace=where.namespace, type=where.type, id=id)
        return _received(where, await self._call("Get", request, where.pointer(id)))

    @override
    async def list(self, kind: KindLike[S], where: Query = EVERYTHING) -> tuple[Resource[S], ...]:
        at = kind_of(kind)
        options = state_pb2.ListOptions(
            label_query=label_messages(where), id_query=id_message(where)
        )
        request = state_pb2.ListRequest(namespace=at.namespace, type=at.type, options=options)
        call = self._streaming("List")(request.SerializeToString(), metadata=self._metadata)
        try:
            return await reply(_all(at, call))
        except AioRpcError as error:
            raise error_of_call(error, "List", None) from None

    @override
    def watch(
        self,
        kind: KindLike[S],
        id: str | None = None,
        *,
        where: Query = EVERYTHING,
        start: Start = NOW,
    ) -> Watch[S]:
        open_stream = self._streaming("Watch")
        return RemoteWatch(
            lambda request: open_stream(request, metadata=self._metadata),
            kind_of(kind),
            id,
            where=where,
            start=start,
            resuming=self._resuming,
        )

    # -- writing ------------------------------------------------------------------------------

    @override
    async def create(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        request = sealed_pb2.CreateRequest(
            resource=encode(resource), options=state_pb2.CreateOptions(owner=owner)
        )
        return _received(_kind(resource), await self._call("Create", request, resource.pointer))

    @override
    async def update(
        self,
        resource: Resource[S],
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        options = state_pb2.UpdateOptions(owner=owner, expected_phase=expected_phase)
        request = sealed_pb2.UpdateRequest(new_resource=encode(resource), options=options)
        return _received(_kind(resource), await self._call("Update", request, resource.pointer))

    @override
    async def destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
        where = kind_of(kind)
        options = state_pb2.DestroyOptions(owner=owner)
        request = state_pb2.DestroyRequest(
            namespace=where.namespace, type=where.type, id=id, options=options
        )
        await self._call("Destroy", request, where.pointer(id))

    # -- operations in one call, if the server has the method -----------------------------------

    @override
    async def teardown(self, kind: KindLike[S], id: str, *, owner: str = "") -> bool:
        where = kind_of(kind)
        request = state_pb2.TeardownRequest(
            namespace=where.namespace,
            type=where.type,
            id=id,
            options=state_pb2.TeardownOptions(owner=owner),
        )
        answer = await self._fast("Teardown", request, where.pointer(id), self._timeout)
        if answer is None:
            return await super().teardown(kind, id, owner=owner)
        return parse(state_pb2.TeardownResponse, answer).destroy_ready

    @override
    async def teardown_and_destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
        where = kind_of(kind)
        request = state_pb2.TeardownAndDestroyRequest(
            namespace=where.namespace,
            type=where.type,
            id=id,
            options=state_pb2.TeardownAndDestroyOptions(owner=owner),
        )
        if await self._fast("TeardownAndDestroy", request, where.pointer(id), None) is None:
            await super().teardown_and_destroy(kind, id, owner=owner)

    async def _fast(
        self, name: str, request: Message, pointer: Pointer, seconds: float | None
    ) -> bytes | None:
        """Call a method that older servers lack; ``None`` if so, which is remembered."""
        if name in self._lacking:
            return None
        try:
            return await self._send(name, request, seconds)
        except AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise error_of_call(error, name, pointer) from None
        self._lacking.add(name)
        return None

    # -- calls --------------------------------------------------------------------------------

    async def _call(self, name: str, request: Message, pointer: Pointer) -> bytes:
        try:
            return await self._send(name, request, self._timeout)
        except AioRpcError as error:
            raise error_of_call(error, name, pointer) from None

    async def _send(self, name: str, request: Message, seconds: float | None) -> bytes:
        method: UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(
            f"{SERVICE}{name}"
        )
        return await reply(
            method(request.SerializeToString(), timeout=seconds, metadata=self._metadata)
        )

    def _streaming(self, name: str) -> UnaryStreamMultiCallable[bytes, bytes]:
        return self._channel.unary_stream(f"{SERVICE}{name}")


async def _all(kind: Kind[S], call: UnaryStreamCall[bytes, bytes]) -> tuple[Resource[S], ...]:
    return tuple([_received(kind, data) async for data in call])


def _received(kind: Kind[S], answer: bytes) -> Resource[S]:
    """The resource in an answer, with a payload of the class of ``kind``."""
    data = parse(sealed_pb2.Answer, answer).resource
    return decode(data, lambda _: kind.payload)  # type: ignore[arg-type,return-value]


def _kind(resource: Resource[S]) -> Kind[S]:
    return Kind(resource.namespace, resource.type, type(resource.spec))
