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
"""

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
from cosi.transform import transform

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
