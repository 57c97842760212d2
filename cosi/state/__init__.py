"""States and stores: where resources live, how they are queried and watched, and state wrappers.

Import this to choose, wrap or write a state; controllers need only :mod:`cosi`. As there, a name is
imported when it is first used, so that only the needed stores are loaded.
"""

from typing import TYPE_CHECKING, Any, Final

from cosi._face import names_of, resolve

if TYPE_CHECKING:
    from cosi.resource._envelope import Kind, KindLike, Resource, Tombstone, kind_of
    from cosi.resource._pointer import Pointer
    from cosi.resource._types import EVERY_TYPE, TypeRegistry
    from cosi.resource._yaml_form import resources_from_yaml, to_yaml
    from cosi.state._filtered import Access, FilteredState, Rule, Verb
    from cosi.state._meta import (
        Namespace,
        PrintColumn,
        ResourceDefinition,
        register_defaults,
        register_namespace,
        register_types,
    )
    from cosi.state._metered import MeteredState
    from cosi.state._metrics import Measured, Sample
    from cosi.state._namespaced import NamespacedState
    from cosi.state._owned import OwnedState
    from cosi.state._query import EVERYTHING, LabelOp, LabelTerm, Query
    from cosi.state._selector import parse_selector
    from cosi.state._state import State
    from cosi.state._watch import NOW, Event, EventType, Start, Watch
    from cosi.state._wrapped import WrappedState
    from cosi.store._backing import BackingStore
    from cosi.store._compression import Compression
    from cosi.store._encryption import Encryption, KeyRing
    from cosi.store._history import HistorySize
    from cosi.store._marshal import Marshaler, YamlMarshaler
    from cosi.store._memory import InMemoryState
    from cosi.store._sqlite import Durability, SQLiteStore

__all__ = [
    "EVERYTHING",
    "EVERY_TYPE",
    "NOW",
    "Access",
    "BackingStore",
    "Compression",
    "Durability",
    "Encryption",
    "Event",
    "EventType",
    "FilteredState",
    "HistorySize",
    "InMemoryState",
    "KeyRing",
    "Kind",
    "KindLike",
    "LabelOp",
    "LabelTerm",
    "Marshaler",
    "Measured",
    "MeteredState",
    "Namespace",
    "NamespacedState",
    "OwnedState",
    "Pointer",
    "PrintColumn",
    "Query",
    "Resource",
    "ResourceDefinition",
    "Rule",
    "SQLiteStore",
    "Sample",
    "Start",
    "State",
    "Tombstone",
    "TypeRegistry",
    "Verb",
    "Watch",
    "WrappedState",
    "YamlMarshaler",
    "kind_of",
    "parse_selector",
    "register_defaults",
    "register_namespace",
    "register_types",
    "resources_from_yaml",
    "to_yaml",
]

_HOMES: Final = {
    "cosi.resource._envelope": "Kind KindLike Resource Tombstone kind_of",
    "cosi.resource._pointer": "Pointer",
    "cosi.resource._types": "EVERY_TYPE TypeRegistry",
    "cosi.resource._yaml_form": "resources_from_yaml to_yaml",
    "cosi.state._filtered": "Access FilteredState Rule Verb",
    "cosi.state._meta": (
        "Namespace PrintColumn ResourceDefinition "
        "register_defaults register_namespace register_types"
    ),
    "cosi.state._metered": "MeteredState",
    "cosi.state._metrics": "Measured Sample",
    "cosi.state._namespaced": "NamespacedState",
    "cosi.state._owned": "OwnedState",
    "cosi.state._query": "EVERYTHING LabelOp LabelTerm Query",
    "cosi.state._selector": "parse_selector",
    "cosi.state._state": "State",
    "cosi.state._watch": "Event EventType NOW Start Watch",
    "cosi.state._wrapped": "WrappedState",
    "cosi.store._backing": "BackingStore",
    "cosi.store._compression": "Compression",
    "cosi.store._encryption": "Encryption KeyRing",
    "cosi.store._history": "HistorySize",
    "cosi.store._marshal": "Marshaler YamlMarshaler",
    "cosi.store._memory": "InMemoryState",
    "cosi.store._sqlite": "Durability SQLiteStore",
}


def __getattr__(name: str) -> Any:
    return resolve(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *names_of(_HOMES)})
