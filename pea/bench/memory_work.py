"""A working day to repeat: what the sample workspace's user asks for, in rotation, on a copy of her files."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec

import pea
from pea.errors import ConfigError

TASKS_PER_HOUR = 3_600
FIRST_DAY = date(2026, 5, 11)  # the week of the sample's present
DAYS = 7
QUERIES = ("agreement", "pilot terms", "budget", "travel", "works council", "salary", "interview", "rollout")
DOCUMENTS = ("hudson-pilot-terms.md", "q2-budget-memo.pdf", "travel-policy.txt", "remote-work-policy.html")


class Ask(msgspec.Struct, frozen=True):
    """One task."""

    capability: str
    input: dict[str, Any]


def asks(number: int) -> Ask:
    """The task that has this number: eight capabilities in turns, each with the next of its days or words."""
    turn, kind = divmod(number, 8)
    day = (FIRST_DAY + timedelta(days=turn % DAYS)).isoformat()
    return (
        Ask("calendar.agenda", {"day": day}),
        Ask("communication.triage", {"limit": 10 + turn % 5}),
        Ask("calendar.conflicts", {"day": day, "days": 7}),
        Ask("documents.search", {"query": QUERIES[turn % len(QUERIES)]}),
        Ask("travel.itinerary", {"day": day}),
        Ask("calendar.freebusy", {"day": day}),
        Ask("documents.summary", {"document": DOCUMENTS[turn % len(DOCUMENTS)]}),
        Ask("briefing.morning", {"day": day}),
    )[kind]


def sample_workspace() -> Path:
    """Where the sample workspace is, in a checkout or in an installed wheel; ConfigError when it is in neither."""
    package = Path(pea.__file__).parent
    places = [folder / "examples" / "workspace" for folder in (package.parent, package / "data")]
    found = next((place for place in places if (place / "pea.yaml").is_file()), None)
    if found is None:
        fix = "run this from a checkout of PEA, or install its wheel"
        raise ConfigError("the sample workspace is not here", where=str(places[0]), fix=fix)
    return found


def copy_workspace(to: Path) -> Path:
    """Copy the sample workspace to ``to``; ConfigError when PEA is installed without its examples."""
    shutil.copytree(sample_workspace(), to)
    return to
