"""Shell completion: ids of services and of their logs."""

from __future__ import annotations

import click

from cosi.cli.connection import Connection
from cosi.cli.suggestions import answers, matching


def service_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of all services."""

    async def ids(connection: Connection) -> list[str]:
        from controllers.commands.client import Machine

        return [service.id for _, service in await Machine(connection).services()]

    return matching(answers(ctx, ids), incomplete)


def log_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the services that have a log."""

    async def ids(connection: Connection) -> list[str]:
        from controllers.commands.client import Machine

        return await Machine(connection).log_ids()

    return matching(answers(ctx, ids), incomplete)
