"""Declarative controllers over typed resources.

General layout:

* a *resource* is a value: a payload (:class:`Spec`) in an envelope (:class:`Resource`);
* the *state* (:class:`State`, :class:`InMemoryState`) is where resources live;
* a *controller* declares what it reads and writes (:class:`Input`, :class:`StrongInput`,
  :class:`Mapped`, :class:`Output`) and makes the one follow the other: a function
  (:func:`transform`), a loop over everything (:class:`Controller`) or one key at a time
  (:class:`QController`);
* the *runtime* (:class:`Runtime`) wakes them, restarts them, and knows when all have settled.

Further public names are in the modules of this package; ``cosi._engine`` is machinery.

A name is imported when it is first asked for, as pydantic and anyio do it: ``import cosi`` and the
modules below it cost nothing that they do not need (a tenth of a second with everything).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    __version__: str
    from cosi._engine.activity import idle
    from cosi.controller import Controller, Wakeups
    from cosi.declarations import EVERY, Input, Mapped, Output, StrongInput
    from cosi.errors import Conflict, CosiError, NotFound, OwnerConflict
    from cosi.frozen import FrozenMap
    from cosi.inbox import Inbox
    from cosi.metadata import Phase
    from cosi.qcontroller import QController
    from cosi.query import Query
    from cosi.requeue import Requeue, Skip
    from cosi.resource import Kind, Pointer, Resource, Spec, Value
    from cosi.runtime import Runtime
    from cosi.state import State
    from cosi.store.memory import InMemoryState
    from cosi.task_set import TaskSet
    from cosi.transforms import transform

__all__ = [
    "EVERY",
    "Conflict",
    "Controller",
    "CosiError",
    "FrozenMap",
    "InMemoryState",
    "Inbox",
    "Input",
    "Kind",
    "Mapped",
    "NotFound",
    "Output",
    "OwnerConflict",
    "Phase",
    "Pointer",
    "QController",
    "Query",
    "Requeue",
    "Resource",
    "Runtime",
    "Skip",
    "Spec",
    "State",
    "StrongInput",
    "TaskSet",
    "Value",
    "Wakeups",
    "idle",
    "transform",
]

_HOMES: Final = {
    "cosi._engine.activity": "idle",
    "cosi.controller": "Controller Wakeups",
    "cosi.declarations": "EVERY Input Mapped Output StrongInput",
    "cosi.errors": "Conflict CosiError NotFound OwnerConflict",
    "cosi.frozen": "FrozenMap",
    "cosi.inbox": "Inbox",
    "cosi.metadata": "Phase",
    "cosi.qcontroller": "QController",
    "cosi.query": "Query",
    "cosi.requeue": "Requeue Skip",
    "cosi.resource": "Kind Pointer Resource Spec Value",
    "cosi.runtime": "Runtime",
    "cosi.state": "State",
    "cosi.store.memory": "InMemoryState",
    "cosi.task_set": "TaskSet",
    "cosi.transforms": "transform",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # 20 ms that few need

        return version("cosi")
    home = next((home for home, names in _HOMES.items() if name in names.split()), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
