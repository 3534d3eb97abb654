"""``python -m pea.bench.agents_briefing WORKSPACE STATE``: briefings in a process of their own, timed, as JSON."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec

from pea.bench.agents import Briefings
from pea.bench.agents_office import ME, NOW
from pea.config import load
from pea.runtime import Runtime

WARM, CHANGES = 9, 5


async def _briefings(workspace: Path, state: Path) -> Briefings:
    overrides = {"workspace": str(workspace), "state": str(state)}
    settings = load(workspace / "pea.yaml", environ={}, overrides=overrides)
    async with Runtime(settings) as runtime:

        async def timed() -> tuple[float, Any]:
            began = time.perf_counter()
            answer = await runtime.call("briefing.morning")
            return time.perf_counter() - began, answer

        first_s, briefing = await timed()
        warm = [(await timed())[0] for _ in range(WARM)]
        changed: list[float] = []
        for number in range(CHANGES):
            _one_more(workspace / "mail" / "INBOX" / "cur", number)
            took, briefing = await timed()
            changed.append(took)
    sources = briefing.sources
    missing = [part.part for part in briefing.missing]
    return Briefings(first_s, warm, changed, sources.read, sources.pending, missing)


def _one_more(folder: Path, number: int) -> None:
    date = format_datetime(NOW - timedelta(minutes=number))
    headers = f"From: Ann <ann@partner.example>\r\nTo: {ME}\r\nSubject: One more {number}\r\nDate: {date}\r\n"
    text = f"{headers}Message-ID: <more{number}@x>\r\n\r\nCan you call me today?\r\n"
    (folder / f"{int(NOW.timestamp())}.more{number}.host:2,").write_text(text, newline="")


if __name__ == "__main__":
    found = asyncio.run(_briefings(Path(sys.argv[1]), Path(sys.argv[2])))
    sys.stdout.write(msgspec.json.encode(found).decode())
