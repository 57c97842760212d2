"""Merges the environment of a container's process from all its sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def merge(base: Iterable[str], step: Iterable[str]) -> list[str]:
    """Apply one step of ``KEY=VALUE`` items to ``base`` (containerd 2.3: ``oci.WithEnv``).

    An item without ``=`` removes that key; an item whose key is in ``base`` replaces it there; any
    other item is appended. Only ``base`` counts: an item does not see earlier items of the step.
    """
    merged: list[str | None] = list(base)
    # If a key occurs twice, containerd finds the last one.
    places = {_key(item): place for place, item in enumerate(merged) if item is not None}
    for item in step:
        place = places.get(_key(item))
        if "=" not in item:
            if place is not None:
                merged[place] = None
        elif place is None:
            merged.append(item)
        else:
            merged[place] = item
    return [item for item in merged if item is not None]


def last_of_each(items: Iterable[str]) -> list[str]:
    """Keep only the last item of each key, at its place, as runc does.

    Talos leaves duplicates in the specification, and their meaning to the runtime (differences:
    Talos 16); runtimes differ.
    """
    last: dict[str, str] = {}
    for item in items:
        last.pop(_key(item), None)
        last[_key(item)] = item
    return list(last.values())


def process_environment(
    base: Iterable[str], file: Mapping[str, str], wanted: Iterable[str]
) -> list[str]:
    """The environment of the process, each key once: ``wanted`` over ``file`` over the machine's
    ``base``.

    Talos 1.14: the file's variables and ``wanted`` (the definition's, then the config's) are one
    step, so an item without ``=`` removes a key of the machine's, but never one of the file's.
    There is no default PATH: containerd adds one only for images, and services have no image.
    """
    from_file = (f"{key}={value}" for key, value in file.items())
    return last_of_each(merge(last_of_each(base), [*from_file, *wanted]))


def _key(item: str) -> str:
    return item.partition("=")[0]
