"""The README shows what is so: its examples are files that run, its diagram comes from the runtime.

``pytest tests/test_readme.py --rewrite-readme`` brings it up to date.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controllers.application import extension_services
from controllers.drivers.fake import FakeDriver
from controllers.paths import Paths
from cosi import InMemoryState, Runtime

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def section(begin: str, end: str, content: str, text: str) -> str:
    """``text`` with what stands between two comments replaced."""
    pattern = re.compile(rf"(<!-- {re.escape(begin)} -->\n).*?(<!-- /{end} -->)", re.DOTALL)
    assert pattern.search(text), f"the README has no section {begin!r}"
    return pattern.sub(lambda found: found[1] + content + found[2], text)


def test_the_readme_shows_what_is_so(request: pytest.FixtureRequest) -> None:
    said = README.read_text()
    runtime = Runtime(InMemoryState())
    runtime.register(*extension_services(Paths(ROOT), FakeDriver()))
    expected = section("flow", "flow", f"```mermaid\n{runtime.mermaid().strip()}\n```\n", said)
    for name in re.findall(r"<!-- example: (\S+) -->", said):
        language = {".py": "python"}.get(Path(name).suffix, Path(name).suffix[1:])
        code = f"```{language}\n{(ROOT / name).read_text().strip()}\n```\n"
        expected = section(f"example: {name}", "example", code, expected)
    if request.config.getoption("--rewrite-readme"):
        README.write_text(expected)
    else:
        assert said == expected, "say pytest tests/test_readme.py --rewrite-readme"
