"""A workspace of files that nobody wrote for PEA is briefed on like any other, whatever is broken in it."""

from __future__ import annotations

import asyncio
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pea import Runtime
from pea.agents._briefing import Briefing
from pea.config import load
from tests.absent import DATA, needs

PUBLIC = DATA / "files"
pytestmark = needs(PUBLIC)
MAIL = {".eml", ".mbox"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All calendars, mails and documents of the three collections, sorted into their folders."""
    folder = tmp_path_factory.mktemp("public")
    for name in ("calendars", "mail", "documents"):
        (folder / name).mkdir()
    for path in PUBLIC.glob("icalendar/*.ics"):
        shutil.copy(path, folder / "calendars")
    for path in PUBLIC.glob("erp/*.txt"):
        shutil.copy(path, folder / "mail" / f"{path.stem}.eml")
    for path in PUBLIC.glob("tika/*"):
        shutil.copy(path, folder / ("mail" if path.suffix in MAIL else "documents"))
    return folder


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


def brief(workspace: Path, state: Path, today: str) -> Briefing:
    overrides = {"workspace": str(workspace), "state": str(state), "today": today, "user.timezone": "Europe/Vienna"}
    settings = load(environ={}, overrides=overrides)

    async def once() -> Any:
        async with Runtime(settings) as runtime:
            return await runtime.call("briefing.morning")

    return asyncio.run(once())


@pytest.mark.parametrize(
    ("today", "line"),
    [
        ("2008-11-20", "No appointments, no conflicts"),
        ("2021-11-01", "14:00-14:30    Daily Sync"),
        ("2025-01-15", "16:00-17:00    Test Event 1 · 10:00 in New York"),
    ],
)
def test_strangers_files_are_briefed_on(workspace: Path, state: Path, today: str, line: str) -> None:
    """Every part comes, every file is read or refused with a reason, and the text stays readable."""
    briefing = brief(workspace, state, today)
    assert briefing.missing == ()
    assert briefing.date == date.fromisoformat(today)
    files = sum(path.is_file() for path in workspace.rglob("*"))
    assert briefing.sources.read + briefing.sources.refused_count + briefing.sources.ignored == files
    assert all(refused.path and refused.reason for refused in briefing.sources.refused)
    assert all(len(row) <= 88 for row in briefing.text.splitlines())
    assert line in briefing.text.replace("\N{EN DASH}", "-")
