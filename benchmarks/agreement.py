"""`python -m benchmarks.agreement A.json B.json`: do two runs say the same?

Prints every ratio of the two that differs by more than a fifth, and how many do not. Ends with 1 if
one does, or if there is nothing to compare.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

AGREED = 0.20
"""Of the smaller one."""


def main(first: Path, second: Path) -> int:
    one, other = ratios(first), ratios(second)
    both = one.keys() & other.keys()
    differing = list(differences(one, other))
    for name, ratio, again in differing:
        print(f"{name}: {ratio:.3g}x and {again:.3g}x, {apart(ratio, again):.0%} apart")
    for name in sorted(one.keys() ^ other.keys()):
        print(f"{name}: in one of them only")
    print(f"{len(both) - len(differing)} of {len(both)} ratios agree within {AGREED:.0%}")
    return int(bool(differing) or not both)


def ratios(file: Path) -> dict[str, float]:
    """By name and comparison."""
    try:
        results: list[dict[str, Any]] = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        sys.exit(f"{file} is not what `python -m benchmarks --json {file}` writes: {error}")
    return {
        f"{result['name']}, against {result['against']}": result["ratio"]
        for result in results
        if result["ratio"] is not None
    }


def differences(
    one: dict[str, float], other: dict[str, float]
) -> Iterator[tuple[str, float, float]]:
    """The names of both, with what each says, where that is too far apart."""
    for name, ratio in one.items():
        if name in other and apart(ratio, other[name]) > AGREED:
            yield name, ratio, other[name]


def apart(one: float, other: float) -> float:
    return max(one, other) / min(one, other) - 1


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
