"""``cosi completion``: prints the script with which a shell completes ``cosi`` commands.

``suggestions.py`` finds the types and ids that the shell then offers.
"""

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
    if found is None:  # a later click may drop a shell
        raise CosiError(f"the installed version of click cannot complete for {shell}")
    click.echo(found(ctx.find_root().command, {}, "cosi", "_COSI_COMPLETE").source())
