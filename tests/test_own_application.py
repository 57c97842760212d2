"""An application of a user's own, outside the tree: each command works for it, or says why not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# As the installed `cosi`: the current directory is not on its path by itself.
COSI = (sys.executable, "-P", "-c", "from cosi.cli import main; main()")
MINE = '''\
"""Kettles that boil."""

from cosi import Resource, Spec, transform


class Kettle(Spec, type="Kettles.kitchen.example.dev"):
    """A kettle, as it was filled."""

    litres: float
    """How much water is in it."""
    hot: bool = False


class Steam(Spec, type="Steams.kitchen.example.dev", columns={"From": "{.source}"}):
    """What comes out."""

    source: str


@transform(Kettle, to=Steam)
def boil(kettle: Resource[Kettle]) -> Steam:
    return Steam(source=kettle.id)


def application():
    return [boil]


def another():
    return []
'''
KETTLE = "metadata: {type: Kettles.kitchen.example.dev, id: blue}\nspec: {litres: 1.5}\n"

pytestmark = [pytest.mark.lengthy, pytest.mark.timeout(180)]


@dataclass
class Project:
    """A directory outside of the tree, and the program run in it."""

    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PYTHONPATH": str(ROOT),
            "COSI_SOCKET": str(self.directory / "run/cosi/cosi.sock"),
        }

    def cosi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COSI, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def says(self, *arguments: str) -> str:
        done = self.cosi(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refuses(self, *arguments: str, code: int = 1) -> str:
        """The one line of the error."""
        done = self.cosi(*arguments)
        assert done.returncode == code, done.stdout + done.stderr
        (line,) = done.stderr.splitlines()
        return line


def _project(directory: Path) -> Project:
    (directory / "mine.py").write_text(MINE)
    (directory / "kettle.yaml").write_text(KETTLE)
    return Project(directory)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return _project(tmp_path)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = _project(tmp_path_factory.mktemp("project"))
    command = (*COSI, "run", "mine:application", "--root", ".", "--fixtures", "kettle.yaml")
    with subprocess.Popen(
        command, cwd=project.directory, env=project.environment, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        assert any("serving on" in line for line in running.stderr)
        yield project
        running.send_signal(signal.SIGTERM)
        running.communicate()
    assert running.returncode == 0


def test_its_resources_are_shown(served: Project) -> None:
    assert served.says("get", "steam").splitlines()[1].split()[-4:] == [
        "Steam",
        "blue",
        "1",
        "blue",
    ]


def test_a_file_that_leaves_out_a_default_changes_nothing_again(served: Project) -> None:
    metadata = "metadata: {namespace: kitchen, type: Kettles.kitchen.example.dev, id: cup}"
    (served.directory / "cup.yaml").write_text(f"{metadata}\nspec: {{litres: 0.3}}\n")
    words = [served.says("apply", "-f", "cup.yaml").split()[-1] for _ in range(2)]
    assert words == ["created", "unchanged"]
    (served.directory / "cup.yaml").write_text(f"{metadata}\nspec: {{litres: 0.4}}\n")
    assert served.says("apply", "-f", "cup.yaml").split()[-1] == "updated"


def test_its_types_are_explained_by_the_server(served: Project) -> None:
    """They need no entry point: there is none."""
    told = served.says("explain", "kettle")
    assert "TYPE        Kettles.kitchen.example.dev" in told
    assert "A kettle, as it was filled." in told
    assert "litres <number> (required)\n      How much water is in it." in told
    assert "FIELD       litres <number> (required)" in served.says("explain", "Kettles.litres")
    assert "has no field" in served.refuses("explain", "kettle.colour")
    assert "did you mean kettle?" in served.refuses("explain", "kettl")


def test_its_schemas_come_from_the_server(served: Project) -> None:
    schema = json.loads(served.says("schema", "kettle"))
    assert schema["title"] == "Kettles.kitchen.example.dev"
    assert schema["properties"]["spec"]["properties"]["litres"]["type"] == "number"
    assert "is a field" in served.refuses("schema", "kettle.litres")


def test_who_reads_and_writes_what_is_drawn(served: Project) -> None:
    drawn = served.says("inspect", "dependencies", "-o", "mermaid", "--with-resources")
    assert "boil" in drawn
    assert "Kettles" in drawn


def test_the_version_is_that_of_the_program(served: Project) -> None:
    own, _, other = served.says("version").partition("Server:\n")
    tag = next(line for line in own.splitlines() if "Tag:" in line)
    assert tag in other
    assert "NODE:" in other


@pytest.mark.parametrize(
    ("method", "command"),
    [
        ("Events", ("events",)),
        ("Events", ("events", "-f")),
        ("ServiceList", ("services",)),
        ("Logs", ("logs", "kettle")),
    ],
)
def test_what_only_a_machine_has_is_said_to_be_missing(
    served: Project, method: str, command: tuple[str, ...]
) -> None:
    assert served.refuses(*command) == (
        f"cosi: the server does not offer {method} of machine.MachineService; "
        "only `cosi run extension-services` has services, logs and events; `cosi get TYPE -w` "
        "follows the resources of any server"
    )


def test_its_types_are_explained_without_a_server_too(project: Project, tmp_path: Path) -> None:
    told = project.refuses("explain", "kettle")
    assert 'resource "kettle" is not registered' in told
    assert "--application MODULE:NAME" in told
    assert "no server at" in told
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    asked = ("explain", "kettle.litres", "--application", "mine:application")
    assert "How much water" in project.says(*asked)
    assert "How much water" in Project(elsewhere).says(*asked, "--app-dir", "..")


def test_a_module_is_found_in_the_directory_that_is_named(project: Project) -> None:
    (project.directory / "elsewhere").mkdir()
    (project.directory / "elsewhere/theirs.py").write_text(MINE)
    run = ("run", "--once", "--root", ".", "--fixtures", "kettle.yaml")
    assert project.cosi(*run, "mine:application").returncode == 0
    for option in (("--app-dir", "elsewhere"), ("--app-dir=elsewhere",)):
        assert project.cosi(*run, *option, "theirs:application").returncode == 0


def test_a_module_that_is_not_there_is_named_with_where_it_was_looked_for(
    project: Project,
) -> None:
    assert project.refuses("run", "yours:application", code=2) == (
        "cosi: cannot load application 'yours:application': there is no module 'yours' in "
        f"{project.directory}, and none is installed; say where it lies with --app-dir DIR"
    )
    nowhere = project.cosi("run", "mine:application", "--app-dir", "nowhere")
    assert nowhere.returncode == 2
    assert "'--app-dir': Directory 'nowhere' does not exist." in nowhere.stderr


def test_a_name_that_is_not_in_the_module_is_answered_with_those_that_are(
    project: Project,
) -> None:
    told = project.refuses("run", "mine:aplication", code=2)
    assert told.endswith("/mine.py has no 'aplication'; did you mean \"application\"?")


def test_a_module_that_lacks_what_it_imports_says_so_with_the_line(project: Project) -> None:
    (project.directory / "broken.py").write_text("import os\nimport kitchen_of_others\n")
    assert project.refuses("run", "broken:application", code=2).endswith(
        f"'broken:application': {project.directory}/broken.py:2: "
        "No module named 'kitchen_of_others'"
    )
