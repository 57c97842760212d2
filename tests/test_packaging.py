"""What an index would get: a wheel that lives beside a user's own packages, and a complete
sdist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = [pytest.mark.lengthy, pytest.mark.timeout(300)]

BESIDE = """
import controllers, resources
from cosi_services.controllers.application import application, extension_services
from cosi_services.resources.service_gate import ServiceGate
from cosi import Runtime
from cosi.cli.program import program

assert controllers.MINE and resources.MINE
assert ServiceGate.__module__ == "cosi_services.resources.service_gate"
broken = [name for name in program.list_commands(None)
          if (program.get_command(None, name).short_help or "").startswith("(cannot be loaded")]
assert not broken, broken
print("both")
"""


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git has: a build writes metadata beside the sources, which others read."""
    copy = tmp_path_factory.mktemp("tree")
    for name in run("git", "ls-files").splitlines():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    offline = ("--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, tree)
    return next(folder.glob("*.whl"))


def test_a_wheel_has_no_general_names(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    packages = {top for top in tops if not top.endswith((".dist-info", ".data"))}
    assert packages == {"cosi", "cosi_services"}


def test_a_wheel_has_the_manual_pages_where_man_looks(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    pages = {name.rpartition("/")[2] for name in names if ".data/data/share/man/man1/" in name}
    assert pages == {page.name for page in (ROOT / "man").glob("*.1")} != set()


def test_it_lives_beside_a_users_own_controllers_and_resources(wheel: Path, tmp_path: Path) -> None:
    installed, project = tmp_path / "site", tmp_path / "project"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--target", installed, wheel)
    for name in ("controllers", "resources"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("MINE = True\n")
    path = f"{project}{os.pathsep}{installed}"
    assert run(sys.executable, "-c", BESIDE, cwd=project, PYTHONPATH=path) == "both\n"
    shown = run(sys.executable, "-m", "cosi", "validate", "--help", cwd=project, PYTHONPATH=path)
    assert "Usage: " in shown


def test_a_source_distribution_is_complete(tree: Path, tmp_path: Path) -> None:
    """Everything that git has, so that its tests and its make targets run."""
    code = f"import build_backend; print(build_backend.build_sdist({str(tmp_path)!r}))"
    run(sys.executable, "-c", code, cwd=tree)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        there = {name.partition("/")[2] for name in archive.getnames()}
    tracked = set(run("git", "ls-files").splitlines())
    assert sorted(tracked - there) == []


def test_the_readme_explains_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    explained = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert explained == list(extras["optional-dependencies"])


def test_what_the_readme_says_of_testing_passes_where_only_the_package_is(
    wheel: Path, tmp_path: Path
) -> None:
    """Both files as they are printed, in an empty directory; on asyncio and on trio."""
    venv, project = tmp_path / "venv", tmp_path / "project"
    python = venv / "bin/python"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    # What it depends on is borrowed; the .pth file of this tree's own installation is not read.
    (borrowed,) = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    site = next(venv.glob("lib/python*/site-packages"))
    (site / "borrowed.pth").write_text(f"{borrowed}\n")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    run(*pip, "--no-deps", "--ignore-installed", "--disable-pip-version-check", wheel)
    printed = r"<!-- example: examples/(\w*free_space\.\w+) -->\n```\w+\n(.*?)```"
    found = dict(re.findall(printed, (ROOT / "README.md").read_text(), re.DOTALL))
    assert set(found) == {"free_space.py", "free_space.yaml", "test_free_space.py"}
    project.mkdir()
    for name, text in found.items():
        (project / name).write_text(text)
    where = run(python, "-c", "import cosi, os; print(os.path.dirname(cosi.__file__))", cwd=project)
    assert Path(where.strip()) == site / "cosi"
    said = run(python, "-m", "pytest", "-v", "-p", "no:cacheprovider", cwd=project)
    assert "4 passed" in said
    assert {"[asyncio]", "[trio]"} <= set(re.findall(r"\[\w+\]", said))
