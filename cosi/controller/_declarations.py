"""Declarations: the inputs and outputs of a controller, written as class attributes.

The declaration is the capability: on an instance it becomes a bound handle, which is the only way
to read or write. So undeclared access cannot be expressed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, Self, cast, overload

from typing_extensions import override

from cosi.controller._reader import Reader, StrongReader
from cosi.controller._writer import Writer
from cosi.errors import RegistrationError
from cosi.resource._envelope import KindLike, Resource, S, kind_of

Targets = str | Iterable[str] | None


class _Declaration(ABC, Generic[S]):
    """One declared dependency on a kind."""

    def __init__(self, kind: KindLike[S], id: str | None, namespace: str | None) -> None:
        self.kind = kind_of(kind, namespace)
        self.ids = None if id is None else frozenset({id})
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def handle(self, instance: Any) -> Reader[S]:
        """The handle of one controller; made once, then kept in the instance's own dictionary.

        Raises :class:`~cosi.errors.RegistrationError` if the instance has another attribute of that
        name.
        """
        name = f"{type(instance).__name__}.{self.name}"
        handle: object = instance.__dict__.get(self.name)
        if handle is None:
            handle = instance.__dict__[self.name] = self._new(name)
        if not isinstance(handle, Reader):
            raise RegistrationError(
                f"{name} is declared as {type(self).__name__}, but the instance sets it to a "
                f"{type(handle).__name__}; rename the instance attribute"
            )
        return cast("Reader[S]", handle)

    @abstractmethod
    def _new(self, name: str) -> Reader[S]:
        """The handle of this declaration, not bound yet."""


class Input(_Declaration[S]):
    """A kind that the controller reads; its changes wake the controller.

    ``id`` binds the input to one resource, which then can be read without an id. The default
    ``namespace`` is that of the type. To follow other targets at run time, call
    :meth:`Reader.retarget`.

    ``live_only`` hides resources that are being torn down: ``find`` returns ``None``, ``get``
    raises :class:`~cosi.errors.NotFound`, ``list`` leaves them out. The start of the teardown wakes
    the controller with :attr:`Reason.DESTROYED`, as otherwise the destruction does; later changes
    (finalizers removed, the destruction itself) no longer wake it.
    """

    def __init__(
        self,
        kind: KindLike[S],
        *,
        id: str | None = None,
        namespace: str | None = None,
        live_only: bool = False,
    ) -> None:
        super().__init__(kind, id, namespace)
        self.live_only = live_only

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Reader[S]: ...
    def __get__(self, instance: object | None, owner: type) -> Self | Reader[S]:
        return self if instance is None else self.handle(instance)

    def _new(self, name: str) -> Reader[S]:
        return Reader(name, self.kind, self.ids, live_only=self.live_only)


class StrongInput(Input[S]):
    """An input whose resources the controller may also hold, to clean up before they are destroyed.

    It shows resources in every phase: a holder must see that its resource is being torn down.
    """

    def __init__(
        self, kind: KindLike[S], *, id: str | None = None, namespace: str | None = None
    ) -> None:
        super().__init__(kind, id=id, namespace=namespace)

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> StrongReader[S]: ...
    def __get__(self, instance: object | None, owner: type) -> Self | StrongReader[S]:
        return self if instance is None else self.handle(instance)

    @override
    def handle(self, instance: Any) -> StrongReader[S]:
        handle = super().handle(instance)
        assert isinstance(handle, StrongReader)  # noqa: S101  # made by _new below
        return handle

    def _new(self, name: str) -> StrongReader[S]:
        return StrongReader(name, self.kind, self.ids, live_only=self.live_only)


class Everything:
    """The type of :data:`EVERY`."""

    def __repr__(self) -> str:
        return "EVERY"


EVERY: Final = Everything()
"""``Mapped(X, to=EVERY)``: each change of an X queues every primary."""


def same_id(resource: Resource[Any]) -> str:
    """The default mapping of a :class:`Mapped` input."""
    return resource.id


class Mapped(StrongInput[S]):
    """A secondary input of a keyed controller: a change of it queues some of the keys.

    ``to`` selects them: a function from the resource to the id, or the ids, of the primaries, or
    :data:`EVERY`; by default the same id. The function gets the last state of a destroyed resource,
    labels and payload included, and both the old and the new state of an updated one, so that a
    label that moves from one key to another wakes both. It must be fast: it is called while the
    change is committed. If it raises, the failure is reported, and every key is queued, so that no
    change is lost.

    ``by`` instead of ``to`` is a method, written above the declaration, for a mapping that the
    controller maintains itself (say, an index of dependents, updated at the start of each
    ``reconcile``)::

        def _dependents(self, state: Resource[ServiceState]) -> Iterable[str]: ...

        states = Mapped(ServiceState, by=_dependents)

    ``live_only`` as for :class:`Input`; its resources cannot be held (``TypeError``).
    """

    def __init__(
        self,
        kind: KindLike[S],
        *,
        to: Callable[[Resource[S]], Targets] | Everything = same_id,
        by: Callable[[Any, Resource[S]], Targets] | None = None,
        id: str | None = None,
        namespace: str | None = None,
        live_only: bool = False,
    ) -> None:
        super().__init__(kind, id=id, namespace=namespace)
        self.live_only = live_only
        self.to = to
        self.by = by


class Output(_Declaration[S]):
    """A kind that the controller writes, and owns.

    One controller owns a type, unless all of its owners declare it ``shared``.

    ``defer`` lets the resources of other owners (a fixture, a user, the embedding program) prevail
    over those of this controller. It leaves them alone, and logs that once for each (``<resource>
    is owned by <owner>; left alone``): ``apply`` and ``modify`` return the resource unchanged, and
    its ``owner`` is not the controller's name; ``remove`` and ``prune`` treat it as missing. When a
    resource that ``apply`` or ``modify`` left alone is gone, the controller is woken, to write its
    own: a keyed controller for the keys whose passes left it alone, and for the key of the same id.
    That needs no input of the type, and the controller's own writes do not wake it. Without
    ``defer`` such a write raises :class:`~cosi.errors.OwnerConflict`.
    """

    def __init__(
        self,
        kind: KindLike[S],
        *,
        shared: bool = False,
        defer: bool = False,
        namespace: str | None = None,
    ) -> None:
        super().__init__(kind, None, namespace)
        self.shared = shared
        self.defer = defer

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Writer[S]: ...
    def __get__(self, instance: object | None, owner: type) -> Self | Writer[S]:
        return self if instance is None else self.handle(instance)

    @override
    def handle(self, instance: Any) -> Writer[S]:
        handle = super().handle(instance)
        assert isinstance(handle, Writer)  # noqa: S101  # made by _new below
        return handle

    def _new(self, name: str) -> Writer[S]:
        return Writer(name, self.kind, None, defers=self.defer)


def declarations(controller: type) -> dict[str, Input[Any] | Output[Any]]:
    """The declared inputs and outputs of a class, bases first, in the order of the source.

    Raises :class:`~cosi.errors.RegistrationError` if one declaration object has two names: a handle
    has one name.
    """
    found: dict[str, Input[Any] | Output[Any]] = {}
    for base in reversed(controller.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Input | Output):
                found[name] = value
            else:
                found.pop(name, None)
    for name, declaration in found.items():
        if declaration.name != name:
            raise RegistrationError(
                f"{controller.__name__}.{name} and .{declaration.name} are the same declaration; "
                "declare each separately"
            )
    return found


def handles_of(controller: object) -> dict[str, Reader[Any]]:
    """The handles of one controller, by the names of their declarations.

    Raises :class:`~cosi.errors.RegistrationError` as :func:`declarations` does, and for a
    declaration that was made in ``__init__``: the runtime would not see it.
    """
    for name, value in vars(controller).items():
        if isinstance(value, Input | Output):
            where = type(controller).__name__
            raise RegistrationError(
                f"{where}.{name} is declared on the instance; declare it in the body of {where}"
            )
    declared = declarations(type(controller))
    return {name: declaration.handle(controller) for name, declaration in declared.items()}
