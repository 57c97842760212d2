"""Applications: what `cosi run` runs, found by name, with options of their own.

An application is a function that returns controllers. Its keyword parameters are the options that
``cosi run`` takes for it::

    def application(
        *,
        root: Annotated[Path, "Everything lies below this directory."] = Path("/"),
        config: Annotated[tuple[Path, ...], "Machine configuration; may be repeated."] = (),
        runtime: Annotated[Literal["auto", "runc"], "What runs containers."] = "auto",
    ) -> Application: ...

A parameter without a default must be given. Two applications with an option of the same name share
it.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
import typing
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import click

from cosi.cli._entry_points import entries
from cosi.errors import CosiError
from cosi.resource._spelling import name_hint

if TYPE_CHECKING:
    from cosi.api.rpc import Service
    from cosi.runtime._runtime import Runtime
    from cosi.state._state import State


class CannotStart(CosiError):
    """The machine or the options do not allow the application to run; `cosi run` exits with 2."""


@dataclass(frozen=True)
class Application:
    """Controllers, and how to tell people what became of them.

    ``prepare`` is awaited before the first controller runs: it may put into the state what an
    previous run of the program has left outside of it; fixtures are there by then.
    ``report`` is printed by ``cosi run --once`` when everything has settled. ``background`` runs
    beside the runtime until it ends (a server, say); it must return soon when it is cancelled.
    ``services`` makes gRPC services (:class:`cosi.api.rpc.Service`) that are served beside the
    state; it is called once, in the event loop, before the runtime runs. ``finish`` is called when
    the runtime was stopped, however far it had come: it stops what is still there, and returns a
    line for each thing that it could not stop. ``leave`` is called before it when the program is
    about to end only to start again at once (`cosi run --reload`): what runs outside of it is then
    to go on running, for the next run to take over. The lines of ``status`` are logged when SIGUSR1
    asks how the program is.
    """

    controllers: Sequence[Any]
    report: Callable[[State], Awaitable[str]] | None = None
    background: Sequence[Callable[[State], Coroutine[Any, Any, None]]] = field(default=())
    services: Callable[[Runtime], Iterable[Service]] | None = None
    prepare: Callable[[State], Awaitable[None]] | None = None
    finish: Callable[[], Awaitable[Sequence[str]]] | None = None
    status: Callable[[State], Awaitable[Iterable[str]]] | None = None
    leave: Callable[[], None] | None = None


Factory = Callable[..., "Application | Iterable[Any]"]

application_option = click.option(
    "--application",
    metavar="MODULE:NAME",
    help="Import this application first, for its types.",
)
app_dir_option = click.option(
    "--app-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    show_default="the current directory",
    help="Where the modules of MODULE:NAME are looked for first.",
)


def find(name: str, directory: Path = Path()) -> Factory:
    """Load ``MODULE:NAME``, or the installed application of that name.

    A module is looked for in ``directory`` first, as gunicorn, uvicorn and celery do; the directory
    stays on ``sys.path``, for what the module imports later. Raises :class:`CannotStart`, which
    names the applications that are installed, or what is not an application.
    """
    if ":" in name:
        return _import(name, directory)
    installed = {entry.name: entry for entry in entries("cosi.applications")}
    if name not in installed:
        known = ", ".join(sorted(installed)) or "none"
        raise CannotStart(f"no application {name!r} (installed: {known}); or say MODULE:NAME")
    factory: Factory = installed[name].load()
    return factory


def installed_names() -> list[str]:
    """The names of all installed applications, sorted."""
    return sorted(entry.name for entry in entries("cosi.applications"))


def _import(name: str, directory: Path) -> Factory:
    module_name, _, attribute = name.partition(":")
    where = str(directory.absolute())
    if where not in sys.path:
        sys.path.insert(0, where)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        problem = _why_not(module_name, where, error)
        raise CannotStart(f"cannot load application {name!r}: {problem}") from error
    if not hasattr(module, attribute):
        found = [each for each, value in vars(module).items() if inspect.isfunction(value)]
        hint = name_hint(attribute, found)
        raise CannotStart(
            f"cannot load application {name!r}: {_place(module)} has no {attribute!r}{hint}"
        )
    factory: Factory = getattr(module, attribute)
    if not callable(factory):
        raise CannotStart(f"cannot load application {name!r}: {factory!r} is not a function")
    return factory


def _why_not(module: str, where: str, error: ImportError) -> str:
    """A module that is not there, or one that cannot import what it needs, and at which line."""
    if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
        return (
            f"there is no module {error.name!r} in {where}, and none is installed; "
            "say where it lies with --app-dir DIR"
        )
    places = [
        f"{frame.filename}:{frame.lineno}: "
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and frame.filename != importlib.__file__
    ]
    return f"{places[-1] if len(places) > 1 else ''}{error}"


def _place(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or module.__name__


def build(factory: Factory, options: dict[str, Any]) -> Application:
    """Call ``factory`` with those of ``options`` that it takes.

    Raises :class:`CannotStart` if it returns no controllers, or a lone one.
    """
    wanted = inspect.signature(factory).parameters
    made = factory(**{name: value for name, value in options.items() if name in wanted})
    if isinstance(made, Application):
        return made
    if not isinstance(made, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # not everybody runs a type checker
        raise CannotStart(
            f"application {_name(factory)} returned {made!r}; return a list of controllers"
        )
    return Application(tuple(made))


def options_of(factory: Factory) -> list[click.Option]:
    """The command-line options that the keyword parameters of ``factory`` stand for.

    Raises :class:`CannotStart` for a parameter without a type that is known.
    """
    parameters = inspect.signature(factory).parameters
    try:
        hints = typing.get_type_hints(factory, include_extras=True)
        return [_option(parameter, hints[name]) for name, parameter in parameters.items()]
    except NameError as error:
        raise CannotStart(f"application {_name(factory)}: {error}") from error
    except KeyError as error:
        raise CannotStart(
            f"application {_name(factory)}: its parameter {error} is an option of `cosi run` and "
            "needs an annotation"
        ) from error


def _name(factory: Factory) -> str:
    return getattr(factory, "__qualname__", repr(factory))


def _option(parameter: inspect.Parameter, hint: Any) -> click.Option:
    help_text = None
    if typing.get_origin(hint) is Annotated:
        hint, help_text, *_ = typing.get_args(hint)
    multiple = typing.get_origin(hint) is tuple
    if multiple:
        hint = typing.get_args(hint)[0]
    default = parameter.default
    required = default is parameter.empty
    # For click, a default of None is one.
    given: dict[str, Any] = {"required": True} if required else {"default": default}
    return click.Option(
        [f"--{parameter.name.replace('_', '-')}"],
        type=_click_type(hint),
        is_flag=hint is bool,
        multiple=multiple,
        show_default=not multiple and not required and default not in (None, False),
        help=help_text,
        **given,
    )


def _click_type(hint: Any) -> Any:
    if typing.get_origin(hint) is Literal:
        return click.Choice(typing.get_args(hint))
    optional = [part for part in typing.get_args(hint) if part is not type(None)]
    if optional:
        hint = optional[0]
    return click.Path(path_type=Path) if hint is Path else hint
