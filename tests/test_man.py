"""Manual pages say what ``--help`` says; `make man` makes them again."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from cosi.cli.man import main, pages
from cosi.cli.program import program

MAN = Path(__file__).parent.parent / "man"
PAGES = sorted(MAN.glob("*.1"))


def shown(page: Path) -> str:
    """A page as it is read, in one long line for each paragraph."""
    command = ["groff", "-man", "-Tutf8", "-ww", "-rLL=1000n", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return re.sub(r"\x1b\[\d*m|.\x08", "", done.stdout)


with_groff = pytest.mark.skipif(shutil.which("groff") is None, reason="apt install groff")


def test_the_pages_are_those_of_the_commands(tmp_path: Path) -> None:
    main(tmp_path)
    made = {page.name: page.read_text() for page in tmp_path.glob("*.1")}
    assert made == {page.name: page.read_text() for page in PAGES}, "run make man"


def test_every_command_has_a_page(tmp_path: Path) -> None:
    with click.Context(program) as ctx:
        wanted = {f"cosi-{name}.1" for name in program.list_commands(ctx)}
    assert wanted | {"cosi.1", "cosi-gen-config.1"} <= {page.name for page in PAGES}


def test_the_page_of_a_command_that_is_gone_goes(tmp_path: Path) -> None:
    (tmp_path / "cosi-gone.1").write_text("")
    main(tmp_path)
    assert not (tmp_path / "cosi-gone.1").exists()


@with_groff
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_every_option_of_help_and_troff_takes_it_without_a_word(page: Path) -> None:
    command: click.Command = program
    with click.Context(program, info_name="cosi", **program.context_settings) as top:
        ctx = top
        for name in page.stem.split("-")[1:]:
            assert isinstance(command, click.Group)
            found = command.get_command(ctx, name)
            assert found is not None
            command = found
            ctx = click.Context(command, info_name=name, parent=ctx)
        told, text = command.get_help(ctx), " ".join(shown(page).split())
        records = [
            record
            for each in command.get_params(ctx)
            if isinstance(each, click.Option) and (record := each.get_help_record(ctx))
        ]
    assert len(records) > 0
    for option, meaning in records:
        assert option.split(",")[0].split()[0] in told
        assert " ".join(f"{option} {meaning}".split()) in text


def test_lines_that_would_be_requests_are_text() -> None:
    """No line begins with a dot that is not one of ours, nor with an apostrophe."""
    ours = {".TH", ".SH", ".B", ".PP", ".TP", ".nf", ".fi"}
    for _, text in pages():
        begins = {line.split()[0] for line in text.splitlines() if line[:1] in {".", "'"}}
        assert begins <= ours


@pytest.mark.skipif(shutil.which("man") is None, reason="apt install man-db")
def test_man_shows_a_page() -> None:
    command = ["man", "--warnings", "-E", "UTF-8", "-l", str(MAN / "cosi-run.1")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "--fixtures" in re.sub(".\x08", "", done.stdout)
