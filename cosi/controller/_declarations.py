"""What a controller declares as class attributes: its inputs and outputs.

The declaration is the capability: the bound handle that it becomes on an instance is the only way
to read or write, so that an undeclared access cannot be written down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, Self, cast, overload

from typing_extensions import override

from cosi.controller._reader import Reader, StrongReader
from cosi.controller._writer import Writer
from cosi.errors import RegistrationError
from cosi.resource._envelope import KindLike, Resource, S, kind_of

Targets = str | Iterable[str] | None


class _Declaration(Generic[S]):
    """One declared dependency on a kind."""

    def __init__(self, kind: KindLike[S], id: str | None, namespace: str | None) -> None:
        self.kind = kind_of(kind, namespace)
        self.ids = None if id is None else frozenset({id})
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def handle(self, instance: Any) -> Reader[S]:
        """The handle of one controller; made once, then found in the instance's own dictionary.

        Raises :class:`~cosi.errors.RegistrationError` if there is something else of that name.
        """
        name = f"{type(instance).__name__}.{self.name}"
        handle: object = instance.__dict__.get(self.name)
        if handle is None:
            handle = instance.__dict__[self.name] = self._new(name)
        if not isinstance(handle, Reader):
            raise RegistrationError(
                f"{name} is declared as {type(self).__name__}, and set to a "
                f"{type(handle).__name__} on the instance; give that another name"
            )
        return cast("Reader[S]", handle)

    def _new(self, name: str) -> Reader[S]:
        raise NotImplementedError


class Input(_Declaration[S]):
    """Something that the controller reads and is woken by.

    ``id`` binds it to one resource, which may then be read without naming it. ``namespace`` is the
    type's default one if not given. To follow other targets at run time, :meth:`Reader.aim`.

    ``live_only`` hides what is being torn down: ``find`` returns ``None``, ``get`` raises
    :class:`~cosi.errors.NotFound`, ``list`` leaves it out, and the beginning of the teardown wakes
    the controller as the end of the resource does otherwise (:attr:`Reason.DESTROYED`). What comes
    after it (finalizers that are lifted, the end itself) wakes the controller no more.
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
    """An input whose resources the controller may also hold: it cleans up before they go.

    It sees them in every phase: who holds a resource has to see that it is torn down.
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
"""``Mapped(X, to=EVERY)``: each change of X concerns every primary."""


def same_id(resource: Resource[Any]) -> str:
    """The default mapping of a :class:`Mapped` input."""
    return resource.id


class Mapped(StrongInput[S]):
    """A secondary input of a keyed controller: a change of it is work for some of the keys.

    ``to`` says which: a function from the resource to the id, or the ids, of the primary, or
    :data:`EVERY`; the same id if not given. It gets the last state of a resource that was
    destroyed, labels and payload included, and both the old and the new state of one that was
    updated, so that moving a label from one key to another wakes both. It must be quick: it is
    called while the change is committed. If it raises, that is reported, and every key is looked
    at again, so that nothing is lost.

    ``by`` instead of ``to`` is a method, written above the declaration, for a mapping that the
    controller keeps itself (say, an index of who depends on whom, brought up to date at the start
    of each ``reconcile``)::

        def _dependents(self, state: Resource[ServiceState]) -> Iterable[str]: ...

        states = Mapped(ServiceState, by=_dependents)

    ``live_only`` as for :class:`Input`; what is read so cannot be held (``TypeError``).
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
    """Something that the controller writes, and owns.

    One controller owns a type, unless all of its owners say ``shared``.

    ``defer`` lets the resources of other owners (of a fixture, of a person, of the program around)
    prevail over what this controller would write. It leaves them alone, which is logged once for
    each (``<resource> is owned by <owner>; left alone``): ``apply`` and ``modify`` return the
    resource as it is, whose ``owner`` is not the controller's name; for ``remove`` and ``prune`` it
    is not there. When a resource that ``apply`` or ``modify`` has left alone is gone, the
    controller is woken, to write its own: a keyed one for the keys whose passes have left it alone,
    and for the key of the same id. No input of the type is needed for that, and what the controller
    writes itself does not wake it. Without ``defer`` such a write is an
    :class:`~cosi.errors.OwnerConflict`.
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
    belongs to one.
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
                f"{controller.__name__}.{name} and .{declaration.name} are one declaration; "
                "write it twice"
            )
    return found


def handles_of(controller: object) -> dict[str, Reader[Any]]:
    """The handles of one controller, by the names of their declarations.

    Raises :class:`~cosi.errors.RegistrationError` as :func:`declarations` does, and for a
    declaration that was made in ``__init__``: it would be nobody's input.
    """
    for name, value in vars(controller).items():
        if isinstance(value, Input | Output):
            where = type(controller).__name__
            raise RegistrationError(
                f"{where}.{name} is declared on the instance; write it in the body of {where}"
            )
    declared = declarations(type(controller))
    return {name: declaration.handle(controller) for name, declaration in declared.items()}
