"""The ``pea`` command. Each subcommand's module is imported when it is used, so that ``pea --help`` is quick."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from pea.errors import ConfigError, InputError, PeaError, UnknownAgent, UnknownCapability, UnknownTask, nearest

_COMMANDS = {
    "serve": ("pea.cli.serve", "Start the service."),
    "run": ("pea.cli.run", "Run one capability in this process and show its trace."),
    "index": ("pea.cli.index", "Read a workspace once, so that no first question waits for it."),
    "ask": ("pea.cli.ask", "Ask in plain words, and see what was understood."),
    "agents": ("pea.cli.agents", "The agents and what they can do."),
    "mcp": ("pea.cli.mcp", "Serve every capability as a tool to an MCP host."),
    "tasks": ("pea.cli.tasks", "Submit, list, show, approve and cancel tasks of a running service."),
    "sync": ("pea.cli.sync", "Fetch what is new from your calendars and mail on servers."),
    "connect": ("pea.cli.connect", "Your accounts on servers: list, test and add them."),
    "approve": ("pea.cli.approve", "What waits for your yes, and saying it."),
    "schedule": ("pea.cli.schedule", "Have something done at given hours."),
    "cache": ("pea.cli.cache", "What the caches of a running service hold."),
    "activity": ("pea.cli.activity", "What the agents of a running service wrote down."),
    "traces": ("pea.cli.traces", "Search the traces of a running service, or draw one as a waterfall."),
    "top": ("pea.cli.top", "Watch a running service in the terminal."),
    "alerts": ("pea.cli.alerts", "What is wrong in a running service, and why."),
    "sla": ("pea.cli.sla", "How the objectives stand, and what is left of their budgets."),
    "rules": ("pea.cli.rules", "Check, try, replay and export alert rules."),
    "tokens": ("pea.cli.tokens", "Who may use the service: add, list, rotate and revoke access tokens."),
    "audit": ("pea.cli.audit", "Who changed what, and whether the log of it is intact."),
    "export": ("pea.cli.export", "Export tasks and spans to Parquet or JSON lines; make backups."),
    "bench": ("pea.cli.bench", "Measure PEA beside its peers."),
    "doctor": ("pea.cli.doctor", "Check that everything PEA needs is there, and say what is not."),
}

_WRONG_USE = (ConfigError, InputError, UnknownCapability, UnknownAgent, UnknownTask)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(_COMMANDS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = nearest(args[0], _COMMANDS) if args and args[0] not in _COMMANDS else None
        if near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pea", message="%(prog)s %(version)s")
def _pea() -> None:
    """PEA, a Personal Executive Assistant: a fleet of agents in which nothing happens unobserved.

    Exit codes: 0 done, 1 failed, 2 wrong use.
    """


def main() -> None:
    """Entry point: PEA's own errors are told in words, with the exit code that fits."""
    try:
        _pea(prog_name="pea")
    except PeaError as error:
        click.secho("error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(str(error), err=True)
        sys.exit(2 if isinstance(error, _WRONG_USE) else 1)
