"""The errors of resources, states, watches and controllers.

::

    CosiError
     ├─ NotFound                 the resource does not exist
     ├─ Conflict                 the stored resource does not allow the operation
     │   ├─ AlreadyExists
     │   ├─ VersionConflict      another writer was faster
     │   ├─ OwnerConflict        the resource has another owner
     │   ├─ PhaseConflict        it is being torn down (or not yet)
     │   └─ FinalizerConflict    it still has finalizers
     ├─ InvalidResource          an invalid name, payload, document or query
 │   └─ LimitExceeded        a request larger or slower than a server allows
     ├─ AccessDenied             an access rule refused the operation
     ├─ Unsupported              this state does not have the operation
     ├─ Unavailable              the state is remote, and cannot be reached now
     ├─ StoreError               a durable store could not read its contents, or store a change
     ├─ WatchError
     │   ├─ InvalidBookmark      of another process, too old, or not a bookmark
     │   └─ Overrun              the watcher fell further behind than the history is long
     └─ RegistrationError        a controller that this runtime does not accept

Every error has the ``pointer`` of its resource, if there is one. COSI recognises errors by
capability, and some of its errors have no pointer (``IsConflictError`` with a type filter crashes
on a version conflict); here there is one tree, and a conflict always has a pointer.
"""

from __future__ import annotations

from cosi.resource._pointer import Pointer


class CosiError(Exception):
    """The base class of all errors that this package raises on purpose."""

    def __init__(self, message: str, pointer: Pointer | None = None) -> None:
        super().__init__(message)
        self.pointer = pointer

    def __reduce__(self) -> tuple[type[CosiError], tuple[str, Pointer | None]]:
        return (type(self), (str(self), self.pointer))


class NotFound(CosiError):
    """The resource does not exist."""


class Conflict(CosiError):
    """The stored resource does not allow the operation; ``pointer`` is always set."""

    pointer: Pointer

    def __init__(self, message: str, pointer: Pointer) -> None:
        super().__init__(message, pointer)


class AlreadyExists(Conflict):
    """A resource with this address already exists."""


class VersionConflict(Conflict):
    """The resource was changed since the caller read it."""


class OwnerConflict(Conflict):
    """The resource has another owner."""


class PhaseConflict(Conflict):
    """The resource is not in the phase that the operation expects."""


class FinalizerConflict(Conflict):
    """The resource still has finalizers, or may not get a new one."""


class InvalidResource(CosiError):
    """A name, a payload, a document or a query is not valid."""


class LimitExceeded(InvalidResource):
    """A request is too large, or takes too long for a server with other clients."""


class AccessDenied(CosiError):
    """An access rule refused the operation."""


class Unsupported(CosiError):
    """This state does not offer the operation or the option."""


class Unavailable(CosiError):
    """The remote state cannot be reached, or the call broke off; its outcome is unknown."""


class StoreError(CosiError):
    """A durable store could not read its contents, or store a change; nothing has changed."""


class WatchError(CosiError):
    """A watch ended before its reader left it."""


class InvalidBookmark(WatchError):
    """The bookmark is malformed, from another process, too old, or in the future."""


class Overrun(WatchError):
    """The watcher fell further behind than the history is long; list again and watch again."""


class RegistrationError(CosiError):
    """The runtime does not accept a controller, an input or an output."""
