"""Groups of commands that answer a mistyped name with the nearest one."""

from __future__ import annotations

import difflib

import click


class NearestGroup(click.Group):
    """A group that suggests: `No such command 'rnu'. Did you mean 'run'?`."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name.

        Raises:
            click.UsageError: There is none; the message names the nearest.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1) if args else []
            if near and "Did you mean" not in error.format_message():  # later versions of click suggest by themselves
                raise click.UsageError(f"{error.format_message()} Did you mean {near[0]!r}?", ctx=ctx) from None
            raise
