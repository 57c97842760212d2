"""The ``@transform`` decorator: a controller from a function, one resource in, one out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from cosi.controller._declarations import Output, StrongInput
from cosi.controller._qcontroller import QController
from cosi.controller._requeue import Requeue
from cosi.resource._envelope import KindLike, Resource
from cosi.resource._payload import Spec

A = TypeVar("A", bound=Spec)
B = TypeVar("B", bound=Spec)


@dataclass(frozen=True)
class Transform(Generic[A, B]):
    """The result of ``@transform``: still a function, and a *description* of a controller.

    The runtime makes a new controller from it at each registration. (A live controller at module
    level would carry the first runtime's state into the second.)
    """

    function: Callable[[Resource[A]], B | None]
    source: KindLike[A]
    target: KindLike[B]
    shared: bool = False
    name: str = field(default="")

    def __call__(self, resource: Resource[A], /) -> B | None:
        """Call the function."""
        return self.function(resource)

    def controller(self) -> QController[Any]:
        """A new controller, which writes one output for each input that yields a payload."""
        return _controller(self)


def _controller(description: Transform[Any, Any]) -> QController[Any]:
    class TransformController(QController[Any]):
        name = description.name
        primary = StrongInput(description.source)
        output = Output(description.target, shared=description.shared)

        async def reconcile(self, resource: Resource[Any], /) -> Requeue | None:
            payload = description.function(resource)
            if payload is None:
                await self.output.remove(resource.id)
            else:
                await self.output.apply(resource.id, payload)
            return None

        async def finalize(self, resource: Resource[Any], /) -> Requeue | None:
            await self.output.remove(resource.id)
            return None

    # The name in messages: ``render_container.output``.
    TransformController.__name__ = TransformController.__qualname__ = description.name
    return TransformController()


def transform(
    source: KindLike[A], *, to: KindLike[B], shared: bool = False
) -> Callable[[Callable[[Resource[A]], B | None]], Transform[A, B]]:
    """Make a controller from a function that maps a resource to the payload of another.

    ::

        @transform(ExtensionServiceSpec, to=ContainerSpec)
        def render_container(service: Resource[ExtensionServiceSpec]) -> ContainerSpec: ...

    The output has the id of the input; its owner is the function's name. ``None`` means no output.
    An input is not destroyed before its output is: the framework handles ownership, teardown and
    finalizers. An input for which the function raises is retried with a growing delay and does not
    delay the others; ``raise Skip(reason)`` leaves the output as it is.

    Features of COSI's *transform* and *qtransform* left out: extra inputs and outputs, an output id
    other than the input's, labels on the output, hooks. A ``QController`` of ten lines has them.
    Raises ``TypeError`` for an ``async`` function.
    """

    def decorate(function: Callable[[Resource[A]], B | None]) -> Transform[A, B]:
        if inspect.iscoroutinefunction(function):
            raise TypeError(
                f"{function.__name__} is async, but a transform is a plain function; "
                "write a QController to await something"
            )
        return Transform(function, source, to, shared, function.__name__)

    return decorate


def as_controller(controller: Any) -> Any:
    """The controller to run: ``controller`` itself, or a new one from a :class:`Transform`."""
    if isinstance(controller, Transform):
        description = cast("Transform[Any, Any]", controller)  # type: ignore[redundant-cast]  # not to pyright
        return description.controller()
    return controller
