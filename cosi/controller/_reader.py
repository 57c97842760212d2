"""The handles of inputs: the only way in which a controller reads resources.

A :class:`Reader` reads, a :class:`StrongReader` may also hold what it reads; a
:class:`~cosi.Writer` is in ``_writer.py``. There is no cache between them and the state: every read
is what COSI calls an *uncached* read, so a controller always sees its own writes.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final, Generic

import anyio

from cosi.controller._runtime_side import RuntimeSide
from cosi.errors import AccessDenied, NotFound, RegistrationError
from cosi.resource._envelope import Kind, KindLike, Resource, S, kind_of
from cosi.resource._payload import Spec
from cosi.state._query import EVERYTHING, Query

_WRITES: Final = frozenset({"apply", "modify", "remove", "prune", "track"})
_HOLDS: Final = frozenset({"hold", "release"})


class Reader(Generic[S]):
    """Reads one kind; only the ids of its declaration, if that names any.

    *Errors.* Before its controller is registered, reading and writing raise
    :class:`~cosi.errors.RegistrationError`. A method that takes an ``id`` raises ``TypeError`` if
    neither the caller nor the declaration names one. Errors of the state pass through.
    """

    writes = False

    def __init__(
        self, name: str, kind: Kind[S], ids: frozenset[str] | None, *, live_only: bool = False
    ) -> None:
        self._name = name
        self._side: RuntimeSide | None = None
        self._ids = ids
        self._live_only = live_only
        self._point_at(kind)

    if not TYPE_CHECKING:  # type checkers report an unknown attribute by themselves

        def __getattr__(self, name: str) -> Any:
            remedy = ""
            if name in _WRITES:
                remedy = f": it is an input; declare an Output({self.kind.payload.__name__})"
            elif name in _HOLDS:
                remedy = f": declare it as StrongInput({self.kind.payload.__name__})"
            raise AttributeError(f"{vars(self).get('_name')} has no {name!r}{remedy}")

    def _point_at(self, kind: Kind[S]) -> None:
        self.kind = kind
        payload = kind.payload
        default = issubclass(payload, Spec) and kind_of(payload) == kind
        self.key: KindLike[S] = payload if default else kind
        """The kind as passed to the state, which finds a class faster than it hashes a Kind."""

    @property
    def name(self) -> str:
        """The name in messages: ``<class of the controller>.<attribute>``."""
        return self._name

    @property
    def ids(self) -> frozenset[str] | None:
        """The ids that it may read; ``None`` means all of the kind."""
        return self._ids

    @property
    def live_only(self) -> bool:
        """Whether it hides resources that are being torn down."""
        return self._live_only

    def bind(self, side: RuntimeSide | None) -> None:
        """Bind the handle to a controller in a runtime; the runtime calls this at registration."""
        self._side = side

    def _bound(self) -> RuntimeSide:
        if self._side is None:
            raise RegistrationError(
                f"{self._name} is not bound: register the controller with a runtime first"
            )
        return self._side

    def _one(self, id: str | None) -> str:
        if self._ids is None:
            if id is None:
                raise TypeError(f"{self._name} reads all of {self.kind}: pass an id")
            return id
        if id is None and len(self._ids) == 1:
            return next(iter(self._ids))
        if id is None or id not in self._ids:
            raise AccessDenied(
                f'{self._name} may read only {sorted(self._ids)} of {self.kind}, not "{id}"',
                self.kind.pointer(id or ""),
            )
        return id

    async def get(self, id: str | None = None) -> Resource[S]:
        """Return the resource; ``id`` may be omitted if the input names one.

        Raises :class:`~cosi.errors.NotFound`, and :class:`~cosi.errors.AccessDenied` for an id
        outside of the declaration.
        """
        side = self._bound()
        side.statistics.reads += 1
        found = await side.state.get(self.key, self._one(id))
        if self._is_hidden(found):
            raise NotFound(f"resource {found} is being torn down", found.pointer)
        return found

    async def find(self, id: str | None = None) -> Resource[S] | None:
        """Return the resource, or ``None``; otherwise as :meth:`get`."""
        side = self._bound()
        side.statistics.reads += 1
        found = await side.state.find(self.key, self._one(id))
        return None if found is None or self._is_hidden(found) else found

    async def list(self, where: Query = EVERYTHING) -> tuple[Resource[S], ...]:
        """Return the matching resources, sorted by id; only those bound if the input names ids."""
        side = self._bound()
        side.statistics.reads += 1
        found = await side.state.list(self.key, where)
        if self._live_only:
            found = tuple(each for each in found if not self._is_hidden(each))
        ids = self._ids
        return found if ids is None else tuple(each for each in found if each.id in ids)

    def _is_hidden(self, resource: Resource[S]) -> bool:
        return self._live_only and resource.tearing_down

    def until_teardown(self, id: str) -> AbstractAsyncContextManager[anyio.CancelScope]:
        """A scope that is cancelled as soon as the resource is torn down, destroyed, or missing.

        ::

            async with jobs.until_teardown(id): ...
        """
        return self._bound().state.until_teardown(self.key, self._one(id))

    def retarget(self, *, ids: Collection[str] | None = None, namespace: str | None = None) -> None:
        """Point the input at other ids (``None``: all), at another namespace, or both.

        May be called before registration (in ``__init__``) and at any time later. In the latter
        case the controller is woken once the new target is followed, and the old target wakes it no
        more. This is COSI's ``UpdateInputs``, one input at a time, and atomic; the *types* are
        fixed by the class. Raises :class:`~cosi.errors.RegistrationError` for the primary of a
        registered keyed controller.
        """
        if self._side is not None:
            self._side.check_retarget(self)
        self._ids = None if ids is None else frozenset(ids)
        if namespace is not None:
            self._point_at(kind_of(self.kind, namespace))
        if self._side is not None:
            self._side.retarget(self)


class StrongReader(Reader[S]):
    """Reads one kind, and may keep its resources from being destroyed."""

    async def hold(self, id: str | None = None) -> Resource[S]:
        """Put this controller's finalizer on the resource: it cannot be destroyed until released.

        Raises :class:`~cosi.errors.NotFound`, and :class:`~cosi.errors.PhaseConflict` if the
        resource is being torn down already: the caller of the teardown has already seen its
        holders. Raises ``TypeError`` on a ``live_only`` input.
        """
        if self._live_only:
            raise TypeError(
                f"{self._name} is live_only and would not see the teardown of a held resource; "
                "declare it without live_only"
            )
        side = self._bound()
        await side.before_write()
        return await side.state.add_finalizer(self.key, self._one(id), side.name)

    async def release(self, id: str | None = None) -> None:
        """Remove this controller's finalizer; no error if it, or the resource, is gone."""
        side = self._bound()
        await side.before_write()
        try:
            await side.state.remove_finalizer(self.key, self._one(id), side.name)
        except NotFound:
            return
