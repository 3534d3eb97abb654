"""What the user corrected in the triage, kept so that later ranks follow it, and can be taken back exactly.

Nothing is trained into weights: the corrections themselves are kept (the newest 1,000), and what they teach is worked
out from them at each triage, so that undoing one leaves no trace. A feature's points are ``most * tanh(net / 2)``,
where ``net`` adds +1 or -1 for each correction that had it, halved every 180 days: one correction moves a sender by 11
points, and no number of them by more than 24.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pea import InputError, WorkspaceError
from pea.agents._letter_views import Correction, Wanted
from pea.agents._mail_views import Reason, Waiting
from pea.agents._people import PROVIDERS

MOST_CORRECTIONS = 1_000
HALF_LIFE_DAYS = 180.0
FLIPS = 20  # points of learning from which a conversation changes between answering and reading
BUSY_S = 2.0

_SIGN: dict[str, float] = {"higher": 1.0, "answer": 1.0, "lower": -1.0, "no-answer": -1.0}
# How much each kind of feature can come to weigh; a conversation's own correction is the strongest.
_MOST = {"thread": 40.0, "sender": 24.0, "domain": 10.0, "about": 8.0}
# What a conversation is like, told by the reason it was given.
_ABOUT = {
    "you are only in copy": "mails that you only get a copy of",
    "addressed to you among": "mails to many people",
    "a meeting invitation": "meeting invitations",
    "it is a reminder": "reminders",
    "marked as important": "mails marked as important",
    "the first mail": "first mails from strangers",
    "from your own domain": "mails from your own company",
    "thanks or agrees": "mails that only thank or agree",
    "sent to many": "mails from lists and machines",
}

Work = Callable[[sqlite3.Connection], int]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS corrections (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, message_id TEXT NOT NULL, subject TEXT NOT NULL,
    wanted TEXT NOT NULL, features TEXT NOT NULL, undone INTEGER NOT NULL DEFAULT 0
);
"""


class Learned(msgspec.Struct, frozen=True):
    """What the corrections that count teach, in points by feature, and how many taught it."""

    points: dict[str, float] = {}
    taught: dict[str, int] = {}

    def of(self, features: Iterable[str]) -> list[Reason]:
        """The points that a conversation with these features gets, each with its reason."""
        found: list[Reason] = []
        for feature in features:
            points = round(self.points.get(feature, 0.0))
            if points:
                found.append(Reason(points, _told(feature, points, self.taught[feature])))
        return found

    def hears(self, sender: str) -> bool:
        """Whether the user wants to see more of a sender whose mails would be left aside."""
        return self.points.get(f"sender:{sender}", 0.0) > 0


NOTHING = Learned()


def features_of(thread_id: str, item: Waiting) -> tuple[str, ...]:
    """What a correction of a conversation is about: itself, its sender, their company, what kind of mail it is."""
    found = [f"thread:{thread_id}"]
    if item.sender_email:
        found.append(f"sender:{item.sender_email}")
        domain = item.sender_email.rpartition("@")[2]
        if domain and domain not in PROVIDERS:
            found.append(f"domain:{domain}")
    kinds = (about for reason in item.reasons for start, about in _ABOUT.items() if reason.why.startswith(start))
    return (*found, *(f"about:{about}" for about in dict.fromkeys(kinds)))


def learn(corrections: Iterable[Correction], now: datetime) -> Learned:
    """What corrections teach: of those about one mail the newest that is not undone counts."""
    last = {one.message_id: one for one in sorted(corrections, key=lambda c: c.id) if not one.undone}
    net: dict[str, float] = {}
    taught: dict[str, int] = {}
    for one in last.values():
        weight = 0.5 ** (max(0.0, (now - one.at).total_seconds()) / 86_400 / HALF_LIFE_DAYS)
        for feature in one.features:
            net[feature] = net.get(feature, 0.0) + _SIGN[one.wanted] * weight
            taught[feature] = taught.get(feature, 0) + 1
    points = {f: _MOST[f.partition(":")[0]] * math.tanh(value / 2) for f, value in net.items()}
    return Learned(points, taught)


def _told(feature: str, points: int, count: int) -> str:
    kind, _, name = feature.partition(":")
    what = {"thread": "this conversation", "sender": f"mails from {name}", "domain": f"mails from {name}"}.get(
        kind, name
    )
    times = "" if count == 1 else f" ({count} corrections)"
    return f"you ranked {what} {'higher' if points > 0 else 'lower'}{times}"


class Feedback:
    """Owns the corrections, in a SQLite file of the state folder or, without one, in memory."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._where = str(path) if path is not None else "memory"
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path or ":memory:", timeout=BUSY_S, check_same_thread=False)
            with self._connection:
                self._connection.execute(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @property
    def version(self) -> str:
        """Changes with every correction and every undoing, whichever process made it."""
        row = self._rows("SELECT coalesce(max(id), 0), count(*), coalesce(sum(undone), 0) FROM corrections")[0]
        return ".".join(str(number) for number in row)

    def all(self) -> list[Correction]:
        """Every correction, the newest first."""
        rows = self._rows(
            "SELECT id, at, message_id, subject, wanted, features, undone FROM corrections ORDER BY id DESC"
        )
        named = (dict(zip(Correction.__struct_fields__, row, strict=True)) for row in rows)
        return [
            msgspec.convert(
                {**one, "features": msgspec.json.decode(str(one["features"])), "undone": bool(one["undone"])},
                Correction,
            )
            for one in named
        ]

    def add(
        self, message_id: str, subject: str, wanted: Wanted, features: tuple[str, ...], now: datetime
    ) -> Correction:
        """Keep a correction; the oldest beyond 1,000 are forgotten."""
        at = now.astimezone(UTC)
        values = (at.isoformat(), message_id, subject, wanted, msgspec.json.encode(features).decode())

        def work(connection: sqlite3.Connection) -> int:
            added = connection.execute(
                "INSERT INTO corrections (at, message_id, subject, wanted, features) VALUES (?, ?, ?, ?, ?)", values
            )
            connection.execute(
                "DELETE FROM corrections WHERE id <= (SELECT max(id) FROM corrections) - ?", (MOST_CORRECTIONS,)
            )
            return int(added.lastrowid or 0)

        return Correction(self._changed(work), at, message_id, subject, wanted, features)

    def undo(self, number: int) -> Correction:
        """Take a correction back; an earlier one about the same mail counts again. InputError when there is none."""
        known = {one.id: one for one in self.all()}
        one = known.get(number)
        if one is None:
            fix = "`pea run communication.corrections` lists them" if known else "nothing has been corrected"
            raise InputError(f"there is no correction {number}", where="correction", fix=fix)
        self._changed(lambda db: db.execute("UPDATE corrections SET undone = 1 WHERE id = ?", (number,)).rowcount)
        return msgspec.structs.replace(one, undone=True)

    def _rows(self, query: str) -> list[tuple[object, ...]]:
        with self._lock:
            try:
                return self._connection.execute(query).fetchall()
            except sqlite3.Error as error:
                raise self._unusable(error) from error

    def _changed(self, work: Work) -> int:
        with self._lock:
            try:
                with self._connection:
                    return work(self._connection)
            except sqlite3.Error as error:
                raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> WorkspaceError:
        fix = "free the disk, or move the file away: triage then begins without corrections"
        return WorkspaceError(f"corrections cannot be kept: {error}", where=self._where, fix=fix)
