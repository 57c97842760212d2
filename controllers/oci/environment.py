"""The environment of a container's process, put together from what everybody wants in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def merge(base: Iterable[str], step: Iterable[str]) -> list[str]:
    """Apply one step of `KEY=VALUE` items to `base` (containerd 2.3: `oci.WithEnv`).

    An item without `=` removes that key, one whose key is in `base` takes its place, any other is
    appended. Only what `base` had counts: an item of the step does not see those before it.
    """
    merged: list[str | None] = list(base)
    # Of a key that is there twice, containerd finds the last one.
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
    """Keep one item for each key: the last, in its own place, as runc would.

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
    """What the process gets, each key once: `wanted` over `file` over the machine's `base`.

    Talos 1.14: the file's variables and `wanted` (the definition's, then the config's) are one
    step, so that an item without `=` removes a key of the machine's, but never one of the file's.
    There is no default PATH: containerd adds one for images only, and there is none.
    """
    from_file = (f"{key}={value}" for key, value in file.items())
    return last_of_each(merge(last_of_each(base), [*from_file, *wanted]))


def _key(item: str) -> str:
    return item.partition("=")[0]
