"""Running one agent on a workspace, and the public files sorted into one."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from pea import Agent, Runtime
from pea.config import load
from tests.absent import DATA

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "workspace"
PUBLIC = DATA / "files"
MAIL = {".eml", ".mbox"}


def ask(workspace: Path, state: Path, agent: type[Agent], capability: str, **arguments: Any) -> Any:
    """One answer of one agent; the sample's own configuration when the workspace has one."""
    config = workspace / "pea.yaml"
    overrides = {"workspace": str(workspace), "state": str(state)}
    if not config.exists():
        overrides |= {"today": "2026-05-12T07:30", "user.timezone": "Europe/Berlin"}
    settings = load(config if config.exists() else None, environ={}, overrides=overrides)

    async def once() -> Any:
        async with Runtime(settings, agents=[agent()]) as runtime:
            return await runtime.call(capability, **arguments)

    return asyncio.run(once())


def public_workspace(folder: Path) -> Path:
    """Every public mail and document in the folder of its kind."""
    for name in ("calendars", "mail", "documents", "ledgers"):
        (folder / name).mkdir()
    for path in PUBLIC.glob("erp/*.txt"):
        shutil.copy(path, folder / "mail" / f"{path.stem}.eml")
    for path in PUBLIC.glob("tika/*"):
        shutil.copy(path, folder / ("mail" if path.suffix in MAIL else "documents"))
        # What is no statement may still be called one.
        shutil.copy(path, folder / "ledgers" / f"{path.name}.{'ofx' if path.suffix == '.eml' else 'csv'}")
    return folder
