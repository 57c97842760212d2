"""A hook that is a plain function is refused when its class is made, not at its first pass."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

import pytest

from cosi import Controller, QController, Spec, StrongInput


class Bench(Spec, type="Benches.plain.example.org"):
    on: bool = False


def test_a_synchronous_reconcile() -> None:
    with pytest.raises(
        TypeError, match=r"Lights.reconcile is not async: write `async def reconcile"
    ):

        class Lights(Controller):
            def reconcile(self) -> None:  # type: ignore[override]  # the mistake
                pass


@pytest.mark.parametrize("hook", ["reconcile", "finalize", "background", "shutdown"])
def test_every_hook_of_a_keyed_controller(hook: str) -> None:
    with pytest.raises(TypeError, match=f"Lights.{hook} is not async"):
        type("Lights", (QController,), {"primary": StrongInput(Bench), hook: lambda *_: None})


def test_what_a_decorator_made_is_left_alone() -> None:
    def logged(function: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        @functools.wraps(function)
        def call(*arguments: object) -> Awaitable[None]:
            return function(*arguments)

        return call

    class Lights(Controller):
        @logged
        async def reconcile(self) -> None:
            pass

    assert Lights.name == "Lights"
