"""What `--help` shows."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from pea.cli import _pea as main


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command and group, by the words that lead to it."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, *path, name)


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_every_help_reads_well(path: tuple[str, ...]) -> None:
    """It is there, says something, and shows no mark that was meant for click; examples keep their lines."""
    told = CliRunner().invoke(main, [*path, "--help"])
    assert told.exit_code == 0
    assert "\\" not in told.output
    assert all(line.lstrip().startswith("pea ") for line in told.output.splitlines() if "  pea " in line)
    assert len(told.output.partition("\n\n")[2].split("\n")[0]) > 10
