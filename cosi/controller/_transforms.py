"""One thing in, one thing out: a controller that is a function."""

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
    """What ``@transform`` makes of a function: still a function, and a *description* of a
    controller.

    The runtime makes a fresh controller from it at each registration. (A decorator that returned a
    live controller would carry, as a module's object, the first runtime's state into the second.)
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
        """A new controller that keeps one output for each input for which there should be one."""
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

    # What messages call it: ``spell.output``.
    TransformController.__name__ = TransformController.__qualname__ = description.name
    return TransformController()


def transform(
    source: KindLike[A], *, to: KindLike[B], shared: bool = False
) -> Callable[[Callable[[Resource[A]], B | None]], Transform[A, B]]:
    """Make a controller of a function from a resource to the payload of another.

    ::

        @transform(ExtensionServiceSpec, to=ContainerSpec)
        def render_container(service: Resource[ExtensionServiceSpec]) -> ContainerSpec: ...

    The output has the id of the input, and is owned by the function's name. Returning ``None``
    means that there should be none. An input is not destroyed before its output is: ownership,
    teardown and finalizers are the framework's. One that raises is retried with a growing delay
    and holds up no other; ``raise Skip(reason)`` leaves the output as it is.

    Left out of COSI's *transform* and *qtransform*: extra inputs and outputs, another id out than
    in, labels on the output, hooks. Whoever needs one writes a ``QController``; it is ten lines.
    An ``async`` function is a ``TypeError``.
    """

    def decorate(function: Callable[[Resource[A]], B | None]) -> Transform[A, B]:
        if inspect.iscoroutinefunction(function):
            raise TypeError(
                f"{function.__name__} is async, and a transform is a plain function; "
                "write a QController for what waits"
            )
        return Transform(function, source, to, shared, function.__name__)

    return decorate


def as_controller(controller: Any) -> Any:
    """The controller that a runtime can run: a fresh one for a description."""
    if isinstance(controller, Transform):
        description = cast("Transform[Any, Any]", controller)  # type: ignore[redundant-cast]  # not to pyright
        return description.controller()
    return controller
