"""Declarative controllers over typed resources: the face for those who write controllers.

General layout:

* a *resource* is a value: a payload (:class:`Spec`) in an envelope (:class:`Resource`);
* the *state* (:class:`State`, :class:`InMemoryState`) is where resources live;
* a *controller* declares what it reads and writes (:class:`Input`, :class:`StrongInput`,
  :class:`Mapped`, :class:`Output`) and makes the one follow the other: a function
  (:func:`transform`), a loop over everything (:class:`Controller`) or one key at a time
  (:class:`QController`);
* the *runtime* (:class:`Runtime`) wakes them, restarts them, and knows when all have settled.

Four modules are public: this one, :mod:`cosi.state` (states, stores, queries, watches),
:mod:`cosi.errors`, and :mod:`cosi.testing`. Modules with an underscore are private; those of
``cosi.api`` and ``cosi.cli`` without one are for packages that add services or commands.

A name is imported when it is first used: ``import cosi`` loads none of the rooms below it.
"""

from typing import TYPE_CHECKING, Any, Final

from cosi._face import names_of, resolve

if TYPE_CHECKING:
    __version__: str
    from cosi.controller._backoff import Backoff, exponential
    from cosi.controller._cleanup import cleanup, removing, without
    from cosi.controller._controller import Controller, Wakeups
    from cosi.controller._declarations import EVERY, Input, Mapped, Output, StrongInput
    from cosi.controller._destroy import destroyer
    from cosi.controller._in_flight import idle
    from cosi.controller._inbox import Inbox
    from cosi.controller._qcontroller import QController
    from cosi.controller._reader import Reader, StrongReader
    from cosi.controller._requeue import Requeue, Skip
    from cosi.controller._task_set import TaskSet
    from cosi.controller._transforms import transform
    from cosi.controller._wakeup import Cause, Reason
    from cosi.controller._writer import Writer
    from cosi.errors import Conflict, CosiError, NotFound, OwnerConflict
    from cosi.resource._envelope import Kind, KindLike, Resource
    from cosi.resource._frozen import FrozenMap
    from cosi.resource._metadata import Metadata, Version, format_version
    from cosi.resource._payload import AnySpec, Spec, Value
    from cosi.resource._phase import Phase
    from cosi.resource._pointer import Pointer
    from cosi.runtime._edges import (
        Edge,
        EdgeType,
    )
    from cosi.runtime._failure import Failure
    from cosi.runtime._graph import (
        Graph,
    )
    from cosi.runtime._rate_limit import RateLimit
    from cosi.runtime._runtime import Runtime
    from cosi.state._query import Query
    from cosi.state._selector import parse_selector
    from cosi.state._state import State
    from cosi.store._memory import InMemoryState

__all__ = [
    "EVERY",
    "AnySpec",
    "Backoff",
    "Cause",
    "Conflict",
    "Controller",
    "CosiError",
    "Edge",
    "EdgeType",
    "Failure",
    "FrozenMap",
    "Graph",
    "InMemoryState",
    "Inbox",
    "Input",
    "Kind",
    "KindLike",
    "Mapped",
    "Metadata",
    "NotFound",
    "Output",
    "OwnerConflict",
    "Phase",
    "Pointer",
    "QController",
    "Query",
    "RateLimit",
    "Reader",
    "Reason",
    "Requeue",
    "Resource",
    "Runtime",
    "Skip",
    "Spec",
    "State",
    "StrongInput",
    "StrongReader",
    "TaskSet",
    "Value",
    "Version",
    "Wakeups",
    "Writer",
    "cleanup",
    "destroyer",
    "exponential",
    "format_version",
    "idle",
    "parse_selector",
    "removing",
    "transform",
    "without",
]

_HOMES: Final = {
    "cosi.controller._backoff": "Backoff exponential",
    "cosi.controller._cleanup": "cleanup removing without",
    "cosi.controller._controller": "Controller Wakeups",
    "cosi.controller._declarations": "EVERY Input Mapped Output StrongInput",
    "cosi.controller._destroy": "destroyer",
    "cosi.controller._reader": "Reader StrongReader",
    "cosi.controller._writer": "Writer",
    "cosi.controller._in_flight": "idle",
    "cosi.controller._inbox": "Inbox",
    "cosi.controller._qcontroller": "QController",
    "cosi.controller._requeue": "Requeue Skip",
    "cosi.controller._task_set": "TaskSet",
    "cosi.controller._transforms": "transform",
    "cosi.controller._wakeup": "Cause Reason",
    "cosi.errors": "Conflict CosiError NotFound OwnerConflict",
    "cosi.resource._envelope": "Kind KindLike Resource",
    "cosi.resource._frozen": "FrozenMap",
    "cosi.resource._metadata": "Metadata Version format_version",
    "cosi.resource._payload": "AnySpec Spec Value",
    "cosi.resource._phase": "Phase",
    "cosi.resource._pointer": "Pointer",
    "cosi.runtime._failure": "Failure",
    "cosi.runtime._edges": "Edge EdgeType",
    "cosi.runtime._graph": "Graph",
    "cosi.runtime._rate_limit": "RateLimit",
    "cosi.runtime._runtime": "Runtime",
    "cosi.state._query": "Query",
    "cosi.state._selector": "parse_selector",
    "cosi.state._state": "State",
    "cosi.store._memory": "InMemoryState",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # 20 ms that few need

        return version("cosi")
    return resolve(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *names_of(_HOMES)})
