"""Every citation leads somewhere: what the code says of Talos and COSI is in
docs/differences.md."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
CITED = re.compile(r"differences:\s+((?:Talos|COSI) \d+|race \S+?)(?=[\s,.:;)\"]|$)")
ANCHOR = re.compile(r'<a id="([\w@-]+)"></a>')
ELSEWHERE = re.compile(r"\b(?:11\.1|12\.1)/\d|race 1\.4|\(issue \d")
"""Numbers of documents that are not in this tree."""


def sources() -> dict[str, str]:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [name for name in listed.stdout.split() if Path(name).name != Path(__file__).name]
    return {name: (ROOT / name).read_text() for name in names if (ROOT / name).exists()}


def anchor_of(citation: str) -> str:
    return re.sub(r"[ @#]", "-", citation.lower())


def test_every_citation_has_its_entry() -> None:
    there = set(ANCHOR.findall((ROOT / "docs/differences.md").read_text()))
    cited = {
        (name, citation) for name, text in sources().items() for citation in CITED.findall(text)
    }
    assert len(cited) > 40
    assert [(name, c) for name, c in sorted(cited) if anchor_of(c) not in there] == []


def test_nothing_cites_what_is_not_in_the_tree() -> None:
    assert [name for name, text in sources().items() if ELSEWHERE.search(text)] == []


LINK = re.compile(r"\]\((\w[\w./-]*\.\w+)(?:#[\w-]*)?\)")


def test_links_between_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    links = [(path, target) for path in documents for target in LINK.findall(path.read_text())]
    assert len(links) > 10
    assert [
        f"{path.name}: {target}" for path, target in links if not (path.parent / target).exists()
    ] == []
