"""What can go wrong with a resource, a watch or a controller.

::

    CosiError
     ├─ NotFound                 there is no such resource
     ├─ Conflict                 the stored resource does not allow it
     │   ├─ AlreadyExists
     │   ├─ VersionConflict      somebody was faster
     │   ├─ OwnerConflict        somebody else's resource
     │   ├─ PhaseConflict        it is being torn down (or is not yet)
     │   └─ FinalizerConflict    somebody still holds it
     ├─ InvalidResource          a name, a payload or a document that cannot be one
 │   └─ LimitExceeded        it, or what it asks for, is more than a server does for one request
     ├─ AccessDenied             an access rule said no
     ├─ Unsupported              this state cannot do that
     ├─ Unavailable              the state is remote, and cannot be asked just now
     ├─ StoreError               a durable store could not read what it has, or keep a change
     ├─ WatchError
     │   ├─ InvalidBookmark      of another process, too old, or not a bookmark
     │   └─ Overrun              the watcher was slower than the history is long
     └─ RegistrationError        a controller that this runtime cannot take

Every one carries the ``pointer`` of the resource it is about where there is one. The originals
recognise errors by capability, and some of theirs have no pointer (COSI: ``IsConflictError`` with a
type filter crashes on a version conflict); here it is one tree and the pointer is always there.
"""

from __future__ import annotations

from cosi.resource._pointer import Pointer


class CosiError(Exception):
    """The root of every error that this package raises on purpose."""

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
    """A resource of this address is already there."""


class VersionConflict(Conflict):
    """The resource was changed since the caller read it."""


class OwnerConflict(Conflict):
    """The resource is owned by somebody else."""


class PhaseConflict(Conflict):
    """The resource is not in the phase that the operation expects."""


class FinalizerConflict(Conflict):
    """The resource still has finalizers, or may not get a new one."""


class InvalidResource(CosiError):
    """A name, a payload, a document or a query that cannot be accepted as it is."""


class LimitExceeded(InvalidResource):
    """A request that is too large, or takes too long: a server has others to answer."""


class AccessDenied(CosiError):
    """An access rule refused the operation."""


class Unsupported(CosiError):
    """This state does not offer the operation or the option."""


class Unavailable(CosiError):
    """The state is remote and could not be reached, or broke off: nothing is known."""


class StoreError(CosiError):
    """A durable store could not read what it has, or could not keep a change: nothing changed."""


class WatchError(CosiError):
    """A watch has ended before its reader asked for it."""


class InvalidBookmark(WatchError):
    """The bookmark is malformed, of another process, too old, or in the future."""


class Overrun(WatchError):
    """The watcher fell further behind than the history remembers; relist and watch again."""


class RegistrationError(CosiError):
    """A controller, an input or an output that this runtime cannot accept."""
