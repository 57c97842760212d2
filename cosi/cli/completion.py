"""`cosi completion`: what a shell needs to complete commands, options, types and ids."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog="""\b
    bash:  source <(cosi completion bash)
    zsh:   source <(cosi completion zsh)
    fish:  cosi completion fish | source
    """
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell."""
    from click.shell_completion import get_completion_class

    from cosi.errors import CosiError

    found = get_completion_class(shell)
    if found is None:  # click has dropped a shell
        raise CosiError(f"this click has no completion for {shell}")
    click.echo(found(ctx.find_root().command, {}, "cosi", "_COSI_COMPLETE").source())
