"""Methods and calls: a typed layer over grpc.aio.

Requests and answers are bytes here. An exception of a method becomes a status code, and is logged
if it is a refusal or a bug; no request of a client can end the server.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import grpc
from grpc import StatusCode
from grpc.aio import ServicerContext
from typing_extensions import override

from cosi.api._limits import NODES, REQUEST_BYTES, check_size
from cosi.api._rarely import Rarely
from cosi.api.failure import TEXT_LIMIT, status_code, trailer
from cosi.api.roles import ADMINS, READERS, Caller, Role
from cosi.errors import AccessDenied, CosiError

Context = ServicerContext[bytes, bytes]
Identify = Callable[[Context], Caller]
"""Returns the caller of a call; each listener has its own way."""

_UNKNOWN = Caller("an unknown caller", frozenset())
_log = logging.getLogger(__name__)


class Refused(Exception):
    """A call is refused with this status code and text."""

    def __init__(self, code: StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its caller, and the nodes behind a proxy to which it is addressed."""

    path: str
    caller: Caller
    nodes: tuple[str, ...]
    context: Context

    @property
    def method(self) -> str:
        """The method's own name: ``Create``."""
        return self.path.rpartition("/")[2]

    async def send(self, message: bytes) -> None:
        """Send one message of a stream; waits while the client does not read (flow control)."""
        await self.context.write(message)


@dataclass(frozen=True, slots=True)
class Unary:
    """A method with one answer."""

    handle: Callable[[bytes, Call], Awaitable[bytes]]
    roles: frozenset[Role] = ADMINS
    many_nodes: bool = False
    """Whether one call may address several nodes; each answer then names its node."""
    request_bytes: int = REQUEST_BYTES
    """The largest request; a larger one is refused undecoded."""


@dataclass(frozen=True, slots=True)
class Streaming:
    """A method with a stream of answers; it sends them itself."""

    handle: Callable[[bytes, Call], Awaitable[None]]
    roles: frozenset[Role] = ADMINS
    many_nodes: bool = False
    request_bytes: int = REQUEST_BYTES


class Service(Protocol):
    """A gRPC service that a server serves."""

    @property
    def name(self) -> str:
        """The name with its package: ``cosi.resource.State``."""
        ...

    @property
    def methods(self) -> Mapping[str, Unary | Streaming]:
        """The methods by their own names (``Create``), with the roles that may call them."""
        ...


def handlers(
    service: Service, identify: Identify
) -> dict[str, grpc.RpcMethodHandler[bytes, bytes]]:
    """The methods of ``service`` as grpc handlers."""
    report = Rarely(_log)
    return {
        name: _handler(f"/{service.name}/{name}", method, identify, report)
        for name, method in service.methods.items()
    }


class Unserved(grpc.GenericRpcHandler):
    """Refuses every method that no service has, with the message of Go's gRPC."""

    def __init__(self, services: Collection[Service], identify: Identify) -> None:
        self._services = frozenset(service.name for service in services)
        self._identify = identify
        self._report = Rarely(_log)

    @override
    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes]:
        path = handler_call_details.method
        service, _, method = path.removeprefix("/").rpartition("/")
        text = f"unknown service {service}"
        if service in self._services:
            text = f"unknown method {method} for service {service}"

        async def refuse(data: bytes, call: Call) -> bytes:
            raise Refused(StatusCode.UNIMPLEMENTED, text)

        return _handler(path, Unary(refuse, READERS, many_nodes=True), self._identify, self._report)


def _handler(
    path: str, method: Unary | Streaming, identify: Identify, report: Rarely
) -> grpc.RpcMethodHandler[bytes, bytes]:
    async def answer(request: bytes, context: Context) -> Any:
        caller = _UNKNOWN
        try:
            caller = identify(context)
            call = _admit(path, method, caller, context)
            check_size("the request", len(request), method.request_bytes)
            return await method.handle(request, call)
        except CosiError as error:
            failed: Exception = error
        except Exception as error:
            failed = error
        # Not inside the handlers above: grpc's abort raises an exception itself.
        _report(report, path, failed, caller)
        return await _refuse(path, failed, context)

    # grpc's stubs have only the handlers of synchronous servers.
    behaviour: Any = answer
    if isinstance(method, Unary):
        return grpc.unary_unary_rpc_method_handler(behaviour)
    return grpc.unary_stream_rpc_method_handler(behaviour)


def _admit(path: str, method: Unary | Streaming, caller: Caller, context: Context) -> Call:
    """Check the caller's role, and the nodes in its metadata (Talos 1.14: ``node``, ``nodes``)."""
    caller.check(method.roles)
    metadata = list(context.invocation_metadata() or ())
    if len([value for key, value in metadata if key == "node"]) > 1:
        raise Refused(StatusCode.INVALID_ARGUMENT, "node metadata must be single-valued")
    nodes = tuple(str(value) for key, value in metadata if key == "nodes")
    if len(nodes) > 1 and not method.many_nodes:
        text = f"one-2-many proxying is not supported for method {path}"
        raise Refused(StatusCode.UNIMPLEMENTED, text)
    check_size("the call's metadata", len(nodes), NODES, "nodes")
    return Call(path, caller, nodes, context)


def _report(report: Rarely, path: str, error: Exception, caller: Caller) -> None:
    """Log refusals and bugs, each at most once a second: a client can cause any number."""
    if isinstance(error, AccessDenied):
        report.warning(("refused", caller.name), "refused %s to %s: %s", path, caller, error)
    elif not isinstance(error, CosiError | Refused):
        report.error((path, type(error)), "%s failed", path, exc_info=error)


async def _refuse(path: str, error: Exception, context: Context) -> NoReturn:
    if isinstance(error, Refused):
        await context.abort(error.code, str(error)[:TEXT_LIMIT])
    if isinstance(error, CosiError):
        code = status_code(error, path.rpartition("/")[2])
        await context.abort(code, str(error)[:TEXT_LIMIT], trailer(error))
    await context.abort(StatusCode.INTERNAL, f"{type(error).__name__} in the server; see its log")
