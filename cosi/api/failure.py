"""Converts errors to status codes and back, without losing the class of the error.

A status code alone does not distinguish a version conflict from a pending finalizer, nor a refused
access from a foreign owner (differences: COSI 8). So the class of the error and the pointer are
sent beside it, in the trailing metadata ``cosi-error-bin`` and in ``ERRORED`` events. Other clients
ignore them; for other servers we map the code alone (COSI: "Client reverse mapping").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc.aio import AioRpcError

from cosi.api.proto.sealed_pb2 import Failure
from cosi.api.query import UnknownOperator
from cosi.errors import (
    AccessDenied,
    AlreadyExists,
    Conflict,
    CosiError,
    FinalizerConflict,
    InvalidBookmark,
    InvalidResource,
    LimitExceeded,
    NotFound,
    Overrun,
    OwnerConflict,
    PhaseConflict,
    Unavailable,
    Unsupported,
    VersionConflict,
    WatchError,
)
from cosi.resource._pointer import Pointer

TRAILER: Final = "cosi-error-bin"
TEXT_LIMIT: Final = 2_048
"""Sent characters of an error's text; HTTP/2 peers refuse headers of more than some KiB."""
_POINTER_LIMIT = 2_048

_BY_NAME: dict[str, type[CosiError]] = {
    error.__name__: error
    for error in (
        NotFound,
        Conflict,
        AlreadyExists,
        VersionConflict,
        OwnerConflict,
        PhaseConflict,
        FinalizerConflict,
        InvalidResource,
        LimitExceeded,
        AccessDenied,
        Unsupported,
        WatchError,
        InvalidBookmark,
        Overrun,
        Unavailable,
    )
}

# The first match counts; COSI 1.16, "Error code mapping".
_CODES: tuple[tuple[type[CosiError], StatusCode], ...] = (
    (NotFound, StatusCode.NOT_FOUND),
    (OwnerConflict, StatusCode.PERMISSION_DENIED),
    (AccessDenied, StatusCode.PERMISSION_DENIED),
    (AlreadyExists, StatusCode.ALREADY_EXISTS),
    (Conflict, StatusCode.FAILED_PRECONDITION),
    (InvalidBookmark, StatusCode.FAILED_PRECONDITION),
    (UnknownOperator, StatusCode.UNIMPLEMENTED),
    (LimitExceeded, StatusCode.RESOURCE_EXHAUSTED),
    (InvalidResource, StatusCode.INVALID_ARGUMENT),
    (Unavailable, StatusCode.UNAVAILABLE),
)

_MEANINGS: dict[StatusCode, type[CosiError]] = {
    StatusCode.NOT_FOUND: NotFound,
    StatusCode.PERMISSION_DENIED: OwnerConflict,
    StatusCode.ALREADY_EXISTS: AlreadyExists,
    StatusCode.FAILED_PRECONDITION: Conflict,
    StatusCode.INVALID_ARGUMENT: InvalidResource,
    StatusCode.UNIMPLEMENTED: Unsupported,
    StatusCode.UNKNOWN: CosiError,
}


def status_code(error: CosiError, method: str) -> StatusCode:
    """The code for ``error`` from ``method`` (``"Create"``)."""
    if isinstance(error, PhaseConflict) and method == "Update":
        return StatusCode.INVALID_ARGUMENT
    if isinstance(error, Conflict) and method == "Create" and not isinstance(error, OwnerConflict):
        return StatusCode.ALREADY_EXISTS
    return next((code for kind, code in _CODES if isinstance(error, kind)), StatusCode.UNKNOWN)


def failure(error: CosiError) -> Failure:
    """The message that is sent beside the code."""
    name = next(c.__name__ for c in type(error).__mro__ if c.__name__ in _BY_NAME or c is CosiError)
    where = error.pointer
    if where is None or len(where.namespace) + len(where.type) + len(where.id) > _POINTER_LIMIT:
        return Failure(error=name)
    return Failure(
        error=name, located=True, namespace=where.namespace, type=where.type, id=where.id
    )


def trailer(error: CosiError) -> tuple[tuple[str, bytes]]:
    """The trailing metadata of a call that ends with ``error``."""
    return ((TRAILER, failure(error).SerializeToString()),)


def error_from(failure: Failure, text: str, pointer: Pointer | None) -> CosiError:
    """Restore the error; ``pointer``, that of the request, is used if the failure has none."""
    if failure.located:
        pointer = Pointer(failure.namespace, failure.type, failure.id)
    return _make(_BY_NAME.get(failure.error, CosiError), text, pointer)


def error_of_call(error: AioRpcError, method: str, pointer: Pointer | None) -> CosiError:
    """The error with which a call of ``method`` ended; ``pointer`` is that of the request."""
    text = error.details() or error.code().name
    for key, value in _trailing(error):
        if key == TRAILER and isinstance(value, bytes):
            try:
                return error_from(Failure.FromString(value), text, pointer)
            except DecodeError:
                break
    return _make(_by_code(error.code(), method), text, pointer)


def _trailing(error: AioRpcError) -> Iterable[tuple[str, str | bytes]]:
    return error.trailing_metadata() or ()


def _by_code(code: StatusCode, method: str) -> type[CosiError]:
    """The error that a code of another server means."""
    if code is StatusCode.INVALID_ARGUMENT and method == "Update":
        return PhaseConflict
    if code is StatusCode.PERMISSION_DENIED and method in {"Get", "List", "Watch"}:
        return AccessDenied
    if code is StatusCode.FAILED_PRECONDITION and method == "Watch":
        return InvalidBookmark
    return _MEANINGS.get(code, Unavailable)


def _make(kind: type[CosiError], text: str, pointer: Pointer | None) -> CosiError:
    if issubclass(kind, Conflict):
        # A conflict always has a pointer; without one the call failed before it reached a resource.
        return kind(text, pointer) if pointer is not None else CosiError(text)
    return kind(text, pointer)
