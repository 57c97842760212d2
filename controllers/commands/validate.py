"""``cosi validate``: checks definition files, without running anything."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    short_help="Check definition files.",
    epilog="""\b
    $ cosi validate usr/local/etc/containers
    usr/local/etc/containers/hello.yaml:3:3: error: unknown key "entrypiont"
    """,
)
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.pass_context
def validate(ctx: click.Context, paths: tuple[Path, ...], strict: bool) -> None:
    """Check definition files and configuration documents; a directory stands for its *.yaml.

    A directory is one machine: its files, and the configuration files given with it, are checked
    against each other.

    Prints one line for each problem, `file:line:column: error: text`. The exit code is 1 if there
    is an error, or with --strict a warning.
    """
    from controllers.definitions.validation import validate as findings

    failed = False
    for finding in findings(paths):
        click.echo(str(finding))
        failed = failed or strict or finding.is_error
    ctx.exit(1 if failed else 0)
