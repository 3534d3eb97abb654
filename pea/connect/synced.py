"""What came of bringing one account up to date, and how to say when it last was."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from pathlib import Path

import msgspec

from pea.config import Settings

NOTES_SHOWN = 20


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """One account after a sync: counts of items, what was left out and why, and ``problem`` when it failed.

    ``last_good`` is when the copy in the workspace was last known to be right; it is served until that works again.
    ``pending`` items are fetched by the next sync, because the time did not suffice.
    """

    account: str
    kind: str
    items: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    pending: int = 0
    notes: tuple[str, ...] = ()
    problem: str | None = None
    fix: str | None = None
    last_good: datetime | None = None
    events: tuple[str, ...] = ()

    @property
    def changes(self) -> int:
        """How many items are not as they were."""
        return self.added + self.changed + self.removed

    def text(self, zone: tzinfo) -> str:
        """One line for people."""
        if self.problem is not None:
            shown = (
                f"what is shown is from {self.last_good.astimezone(zone):%Y-%m-%d %H:%M}"
                if self.last_good
                else "nothing is there yet"
            )
            return f"{self.account}: {self.problem}; {shown}"
        parts = [f"{count:,} {word}" for word in ("added", "changed", "removed") if (count := getattr(self, word))]
        told = ", ".join(parts) or "nothing new"
        more = f", {self.pending:,} to come" if self.pending else ""
        left = f", {len(self.notes)} left out" if self.notes else ""
        return f"{self.account}: {told} ({self.items:,} in all{more}{left})"


class Tally(msgspec.Struct):
    """What a sync comes to while it goes on."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    pending: int = 0
    notes: list[str] = []

    def told(self, account: str, kind: str, items: int, events: tuple[str, ...]) -> Synced:
        """The end of it: ``items`` are there now."""
        return Synced(
            account=account,
            kind=kind,
            items=items,
            added=self.added,
            changed=self.changed,
            removed=self.removed,
            pending=self.pending,
            notes=tuple(self.notes[:NOTES_SHOWN]),
            events=events,
        )


class Standing(msgspec.Struct, frozen=True):
    """How an account stood after the last attempt: Unix seconds of the last that went well, and the last's problem."""

    last_good: float | None = None
    problem: str = ""


def standing_file(settings: Settings, account: str) -> Path:
    """Where an account's standing is kept."""
    return Path(settings.state) / "connect" / f"{account}.standing"


def standing(settings: Settings, account: str) -> Standing:
    """How an account stood last; as new when it was never asked."""
    try:
        return msgspec.json.decode(standing_file(settings, account).read_bytes(), type=Standing)
    except (OSError, msgspec.MsgspecError):
        return Standing()


def moment(seconds: float | None) -> datetime | None:
    """Unix seconds as a moment."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
