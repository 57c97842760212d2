"""The gRPC service ``cosi.resource.State`` (COSI 1.16, "gRPC State service"): its methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from grpc import StatusCode

from cosi.api._limits import REQUEST_BYTES, check_names
from cosi.api._search import Searches, Turns
from cosi.api._sensitive import Visibility
from cosi.api.codec import decode, encode, parse
from cosi.api.endpoint import MAX_MESSAGE_BYTES
from cosi.api.proto import sealed_pb2, state_pb2
from cosi.api.query import query_from
from cosi.api.roles import READERS
from cosi.api.rpc import Call, Refused, Streaming, Unary
from cosi.api.watching import WatchStream
from cosi.errors import InvalidResource
from cosi.resource._envelope import Kind, Resource, check_name
from cosi.resource._metadata import parse_phase
from cosi.resource._payload import AnySpec, Spec
from cosi.resource._types import EVERY_TYPE, TypeRegistry
from cosi.state._query import EVERYTHING, Query
from cosi.state._state import State
from cosi.state._watch import Start

API_VERSION = 1
"""From this version on a client gets BOOTSTRAPPED and ERRORED events."""


class _ReadRequest(Protocol):
    """The common fields of all requests without a resource."""

    namespace: str
    type: str


class StateService:
    """Serves ``state``.

    ``types`` maps types to payload classes: if controllers in this process read a type, resources
    that clients write must have its payload class. Other payloads are passed on unchanged.
    """

    name = "cosi.resource.State"

    def __init__(self, state: State, types: TypeRegistry = EVERY_TYPE) -> None:
        self._state = state
        self._payload_of = types.payload
        self._visibility = Visibility(state, types)
        self._searches = Searches(state)
        self._reading = Turns()

    @property
    def methods(self) -> Mapping[str, Unary | Streaming]:
        """The eight methods; ``READERS`` may read, administrators may write.

        COSI 1.16, "gRPC State service"; the roles are those of Talos 1.14 ("Roles").
        """
        return {
            "Get": Unary(self.get, READERS),
            "List": Streaming(self.list, READERS),
            "Watch": Streaming(self.watch, READERS),
            "Create": Unary(self.create, request_bytes=MAX_MESSAGE_BYTES),
            "Update": Unary(self.update, request_bytes=MAX_MESSAGE_BYTES),
            "Destroy": Unary(self.destroy),
            "Teardown": Unary(self.teardown),
            "TeardownAndDestroy": Unary(self.teardown_and_destroy),
        }

    # -- reading ------------------------------------------------------------------------------

    async def get(self, data: bytes, call: Call) -> bytes:
        """``Get``: one resource. Raises as :meth:`State.get <cosi.State.get>`.

        Like the other two reading methods, it raises :class:`~cosi.errors.AccessDenied` for a type
        or a namespace that the caller may not read; like all methods,
        :class:`~cosi.errors.InvalidResource` for bytes that are not a valid request.
        """
        request = parse(state_pb2.GetRequest, data)
        await self._visibility.check(call.caller, request.namespace, request.type)
        return _answer(await self._state.get(self._kind(request), request.id))

    async def list(self, data: bytes, call: Call) -> None:
        """``List``: a message for each resource that matches both queries, sorted by id.

        Raises :class:`~cosi.errors.InvalidResource` for an id pattern that cannot be compiled,
        :class:`~cosi.api.query.UnknownOperator` for a label term of a newer protocol, and
        :class:`~cosi.errors.LimitExceeded` for a query that is too large or takes too long.
        """
        request = parse(state_pb2.ListRequest, data)
        await self._visibility.check(call.caller, request.namespace, request.type)
        where = await self._query(request.options)
        for resource in await self._searches.list(self._kind(request), where):
            await call.send(_answer(resource))

    async def watch(self, data: bytes, call: Call) -> None:
        """``Watch``: an empty message once the watch is open, then events, until the call ends.

        With an ``id``, even ``""``, it follows one resource; else a kind. A message has one event,
        or a batch if ``aggregated``. Clients below ``API_VERSION`` get no ``BOOTSTRAPPED`` and
        ``ERRORED``. Raises :class:`~cosi.api.rpc.Refused` (UNIMPLEMENTED) for contents or labels of
        one resource; :class:`~cosi.errors.LimitExceeded` for a query that is too large or takes too
        long, or if the open watches reach their limit; and the errors of entering the watch.
        """
        request = parse(state_pb2.WatchRequest, data)
        await self._visibility.check(call.caller, request.namespace, request.type)
        options = request.options
        one = request.HasField("id")
        if one and (options.bootstrap_contents or options.label_query):
            text = "a watch of one resource has no bootstrap_contents and no label_query"
            raise Refused(StatusCode.UNIMPLEMENTED, text)
        where = EVERYTHING if one else await self._query(options)
        kind, start = self._kind(request), _start(options, one=one)
        stream = WatchStream(
            call, aggregated=options.aggregated, everything=request.api_version >= API_VERSION
        )
        with self._searches.watching(where):
            if start.contents:
                await self._searches.check_contents(kind, where)
            id = request.id if one else None
            await stream.follow(self._state.watch(kind, id, where=where, start=start))

    # -- writing ------------------------------------------------------------------------------

    async def create(self, data: bytes, call: Call) -> bytes:
        """``Create``: the resource as stored.

        Raises as :meth:`State.create <cosi.State.create>`;
        :class:`~cosi.errors.InvalidResource` for a resource without metadata or spec, a payload
        that its class refuses, or an address with a control character; and
        :class:`~cosi.errors.LimitExceeded` for metadata or a payload that is too large.
        """
        request = parse(sealed_pb2.CreateRequest, data)
        check_names(owner=request.options.owner)
        resource = await self._sent(request.resource)
        return _answer(await self._state.create(resource, owner=request.options.owner))

    async def update(self, data: bytes, call: Call) -> bytes:
        """``Update``: the resource as stored; any phase is accepted unless the request names one.

        Raises as :meth:`State.update <cosi.State.update>`, and as :meth:`create` for a resource
        that it cannot read.
        """
        request = parse(sealed_pb2.UpdateRequest, data)
        options = request.options
        expected = options.HasField("expected_phase")
        updated = await self._state.update(
            await self._sent(request.new_resource),
            owner=options.owner,
            expected_phase=parse_phase(options.expected_phase) if expected else None,
        )
        return _answer(updated)

    async def destroy(self, data: bytes, call: Call) -> bytes:
        """``Destroy``: remove the resource at once.

        Raises as :meth:`State.destroy <cosi.State.destroy>`.
        """
        request = parse(state_pb2.DestroyRequest, data)
        await self._state.destroy(self._kind(request), request.id, owner=request.options.owner)
        return state_pb2.DestroyResponse().SerializeToString()

    async def teardown(self, data: bytes, call: Call) -> bytes:
        """``Teardown``: returns whether the resource has no finalizers (``destroy_ready``).

        Raises as :meth:`State.teardown <cosi.State.teardown>`.
        """
        request = parse(state_pb2.TeardownRequest, data)
        owner = request.options.owner
        ready = await self._state.teardown(self._kind(request), request.id, owner=owner)
        return state_pb2.TeardownResponse(destroy_ready=ready).SerializeToString()

    async def teardown_and_destroy(self, data: bytes, call: Call) -> bytes:
        """``TeardownAndDestroy``: returns once the resource is destroyed, without a time limit.

        Raises as :meth:`State.teardown_and_destroy <cosi.State.teardown_and_destroy>`.
        """
        request = parse(state_pb2.TeardownAndDestroyRequest, data)
        owner = request.options.owner
        await self._state.teardown_and_destroy(self._kind(request), request.id, owner=owner)
        return state_pb2.TeardownAndDestroyResponse().SerializeToString()

    # -- both ---------------------------------------------------------------------------------

    def _kind(self, request: _ReadRequest) -> Kind[Spec | AnySpec]:
        id = str(getattr(request, "id", ""))
        check_names(namespace=request.namespace, type=request.type, id=id)
        return Kind(request.namespace, request.type, self._payload_of(request.type))

    async def _query(self, options: state_pb2.ListOptions | state_pb2.WatchOptions) -> Query:
        async with self._reading.turn(dear=bool(options.id_query.regexp)):
            return query_from(options.label_query, options.id_query)

    async def _sent(self, data: bytes) -> Resource[Any]:
        async with self._reading.turn(dear=len(data) > REQUEST_BYTES):
            resource = decode(data, self._payload_of, limited=True)
        metadata = resource.metadata
        check_name(metadata)
        check_names(
            namespace=metadata.namespace,
            type=metadata.type,
            id=metadata.id,
            owner=metadata.owner,
        )
        return resource


def _answer(resource: Resource[Any]) -> bytes:
    return sealed_pb2.Answer(resource=encode(resource)).SerializeToString()


def _start(options: state_pb2.WatchOptions, *, one: bool) -> Start:
    if options.tail_events < 0:
        raise InvalidResource(f"tail_events cannot be {options.tail_events}")
    bookmarked = options.HasField("start_from_bookmark")
    return Start(
        contents=options.bootstrap_contents,
        bookmarked=options.bootstrap_bookmark and not one,
        tail=options.tail_events,
        bookmark=options.start_from_bookmark if bookmarked else None,
        progress=options.progress,
    )
