"""Resources about resources: the registered namespaces and types, for users and tools.

The state never consults them: any namespace and type may be used unregistered (COSI: "Meta
resources"). A command line reads from them which aliases a type has, which columns its table shows,
and whether it is sensitive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pydantic import SerializerFunctionWrapHandler, model_serializer

from cosi.errors import AlreadyExists, InvalidResource
from cosi.resource._envelope import Resource, S
from cosi.resource._payload import Spec, Value
from cosi.resource._pointer import Pointer
from cosi.state._operations import kind_of_resource
from cosi.state._state import State

if TYPE_CHECKING:
    from pluralizer import Pluralizer

META_NAMESPACE: Final = "meta"
META_OWNER: Final = "meta"

_NAME: Final = re.compile(r"^[A-Z][A-Za-z0-9-]+$")
_SUFFIX: Final = re.compile(r"^[a-z][a-z0-9-]+(\.[a-z][a-z0-9-]+)*$")


class Namespace(Spec, type="Namespaces.meta.cosi.dev", aliases=("ns",), proto={"description": 1}):
    """A namespace; its id is the name."""

    description: str = ""


class PrintColumn(Value, proto={"name": 1, "jsonPath": 2}):
    """A column of a table: a JSONPath template, in which ``@`` is the payload."""

    name: str
    json_path: str


class ResourceDefinition(
    Spec,
    type="ResourceDefinitions.meta.cosi.dev",
    aliases=("api-resources",),
    columns={"Aliases": "{.aliases[:]}"},
    proto={
        "type": 1,
        "displayType": 2,
        "defaultNamespace": 3,
        "aliases": 4,
        "allAliases": 5,
        "printColumns": 6,
        "sensitivity": (7, ("", "sensitive")),
    },
):
    """A type of resource; its id is the type name in lower case.

    Commands show ``aliases`` and accept ``all_aliases``, which also has the name without its suffix
    or with a part of it. ``sensitivity`` is ``""`` or ``"sensitive"``.
    """

    type: str
    display_type: str
    default_namespace: str
    aliases: tuple[str, ...] = ()
    all_aliases: tuple[str, ...] = ()
    skip_automatic_aliases: bool = False
    print_columns: tuple[PrintColumn, ...] = ()
    sensitivity: str = ""

    @model_serializer(mode="wrap")
    def _without_unset(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        optional = {"skipAutomaticAliases", "skip_automatic_aliases", "sensitivity"}
        return {name: value for name, value in fields.items() if value or name not in optional}


def resource_definition(payload: type[Spec]) -> Resource[ResourceDefinition]:
    """Return the definition of a payload class's type, as a resource.

    Raises :class:`~cosi.errors.InvalidResource` if the type name breaks COSI's rules.
    """
    info = payload.__cosi__
    spec = define(
        info.type,
        info.default_namespace,
        aliases=info.aliases,
        columns=info.columns,
        sensitivity="sensitive" if info.sensitive else "",
        automatic_aliases=info.automatic_aliases,
        singular=info.singular,
    )
    return Resource.new(info.type.lower(), spec)


def define(
    type: str,
    default_namespace: str,
    *,
    aliases: Iterable[str] = (),
    columns: Mapping[str, str] | None = None,
    sensitivity: str = "",
    automatic_aliases: bool = True,
    singular: str | None = None,
) -> ResourceDefinition:
    """Check a type and derive its names (COSI: ``ResourceDefinitionSpec.Fill``).

    ``singular`` is for names whose singular English rules do not find. Raises
    :class:`~cosi.errors.InvalidResource`.
    """
    name, dot, suffix = type.partition(".")
    problem = _problem_with(name, dot, suffix, singular)
    if not problem and sensitivity not in {"", "sensitive"}:
        problem = f'unknown sensitivity "{sensitivity}"'
    if problem:
        raise InvalidResource(
            f'error validating resource definition "{type}": {problem}',
            Pointer(META_NAMESPACE, ResourceDefinition.__cosi__.type, type.lower()),
        )
    display = singular or english().singular(name)
    for_people = tuple(aliases)
    if automatic_aliases:
        for_people += (display.lower(), *_initials(name))
    shortened = _shortened(name.lower(), suffix) if automatic_aliases else ()
    return ResourceDefinition(
        type=type,
        display_type=display,
        default_namespace=default_namespace,
        aliases=for_people,
        all_aliases=(*shortened, *for_people),
        skip_automatic_aliases=not automatic_aliases,
        print_columns=tuple(
            PrintColumn(name=title, json_path=path) for title, path in (columns or {}).items()
        ),
        sensitivity=sensitivity,
    )


def _problem_with(name: str, dot: str, suffix: str, singular: str | None) -> str:
    """The first rule that the type breaks, in COSI's order and words; empty if none."""
    rules = (
        (bool(dot), "missing suffix"),
        (bool(name), "name is empty"),
        (bool(suffix), "suffix is empty"),
        (name != name.lower(), "name should be in CamelCase"),
        (_NAME.fullmatch(name), f'name doesn\'t match "{_NAME.pattern}"'),
        (_SUFFIX.fullmatch(suffix), f'suffix doesn\'t match "{_quoted(_SUFFIX.pattern)}"'),
        (singular or english().is_plural(name), "name should be plural"),
    )
    return next((problem for holds, problem in rules if not holds), "")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\")


def _initials(name: str) -> tuple[str, ...]:
    """``rd`` and ``rds`` for ``ResourceDefinitions``; nothing for one word."""
    letters = "".join(re.findall(r"[A-Z]", name))
    if len(letters) < 2:
        return ()
    if letters.endswith("S"):
        return (letters.lower(),)
    return (letters.lower(), letters.lower() + "s")


def _shortened(name: str, suffix: str) -> Iterable[str]:
    """``name``, ``name.a``, ``name.a.b`` for the suffix ``a.b.c``: never the full one."""
    parts = suffix.split(".")
    return (".".join([name, *parts[:count]]) for count in range(len(parts)))


@cache
def english() -> Pluralizer:
    """The rules of pluralize.js, with the changes of its port to Go."""
    from pluralizer import Pluralizer  # compiles 70 patterns, so only when needed

    rules = Pluralizer()  # type: ignore[no-untyped-call]  # its __init__ has no annotation
    rules.add_irregular_rule("sms", "sms")  # the only word that Go's port has in addition
    return rules


# -- registering ------------------------------------------------------------------------------


async def register_namespace(state: State, name: str, description: str) -> None:
    """Register a namespace.

    The same description again changes nothing; another one raises
    :class:`~cosi.errors.AlreadyExists`.
    """
    await _register(state, Resource.new(name, Namespace(description=description)))


async def register_types(state: State, *payloads: type[Spec]) -> None:
    """Register types.

    An equal definition that is already registered is left alone, so that the call can be repeated
    on a state with a backing store; a different one raises :class:`~cosi.errors.AlreadyExists`.
    Raises :class:`~cosi.errors.InvalidResource` for a type name that breaks COSI's rules.
    """
    for definition in [resource_definition(payload) for payload in payloads]:
        await _register(state, definition)


async def register_defaults(state: State) -> None:
    """Register the types and the namespace of this module; raises as :func:`register_types`."""
    await register_namespace(
        state,
        META_NAMESPACE,
        "Metadata namespace which contains resource and namespace definitions.",
    )
    await register_types(state, ResourceDefinition, Namespace)


async def _register(state: State, resource: Resource[S]) -> None:
    try:
        await state.create(resource, owner=META_OWNER)
    except AlreadyExists:
        stored = await state.find(kind_of_resource(resource), resource.id)
        if stored is None or stored.spec != resource.spec:
            raise
