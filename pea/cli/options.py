"""Options that several commands share, and the settings they make."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pea.config import Settings, load
from pea.errors import ConfigError

_OPTIONS = (
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="Configuration file (default: ./pea.yaml, else the workspace's).",
    ),
    click.option("--workspace", type=click.Path(path_type=Path), help="Folder with calendars, mail, documents …"),
    click.option("--state", type=click.Path(path_type=Path), help="Folder for what PEA keeps (default: .pea)."),
    click.option("--today", metavar="DATE", help="A day, or day and time, that stands for the present."),
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that make settings; the command gets them as ``settings``, read and checked.

    ``host``, ``port`` and ``chaos``, where a command has them, become settings too.
    """

    @functools.wraps(command)
    def with_settings(
        config: Path | None, workspace: Path | None, state: Path | None, today: str | None, **rest: Any
    ) -> Any:
        overrides: dict[str, Any] = {
            "workspace": None if workspace is None else str(workspace.resolve()),
            "state": None if state is None else str(state.resolve()),
            "today": today,
        }
        if config is None and workspace is not None and not os.environ.get("PEA_CONFIG"):
            own = workspace / "pea.yaml"  # a workspace may carry its configuration, as the sample does
            config = own if own.is_file() and not Path("pea.yaml").is_file() else None
        for name in ("host", "port"):
            if name in rest:
                overrides[f"service.{name}"] = rest.pop(name)
        if "chaos" in rest:
            overrides["runtime.chaos"] = list(rest.pop("chaos")) or None
        return command(settings=load(config, overrides=overrides), **rest)

    for option in reversed(_OPTIONS):
        with_settings = option(with_settings)
    return with_settings


def needs_workspace(settings: Settings) -> None:
    """Refuse to go on without a usable workspace folder."""
    if not settings.workspace:
        raise click.UsageError("no workspace: give --workspace DIR, or set `workspace` in pea.yaml")
    if not Path(settings.workspace).is_dir():
        raise click.UsageError(f"the workspace {settings.workspace} is not a folder")


def needs_state(settings: Settings) -> Path:
    """The state folder, for its user alone if it is new: it holds mail. Refuse one in which nothing can be written."""
    if not settings.state:
        raise ConfigError("there is no state folder", where="state", fix="give --state DIR")
    state = Path(settings.state)
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=state) as probe:
            probe.write(b"x")
    except OSError as error:
        why = f"the state folder cannot be written: {error.strerror or error}"
        raise ConfigError(why, where=str(state), fix="make room or allow it, or give another --state") from error
    return state
