"""What may be spent on the model: tokens a day and a task, money a day; counted on disk, over restarts and processes.

Before a request as much is set aside as it can cost at most; afterwards what it did cost is written in its place.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import date
from pathlib import Path

import msgspec

from pea.config import LlmSettings
from pea.llm.errors import LlmBudgetSpent

MOST_TASKS = 1_000  # whose sums are remembered
KEPT_DAYS = 400
_SCHEMA = "CREATE TABLE IF NOT EXISTS spent (day TEXT PRIMARY KEY, tokens INTEGER NOT NULL, cost REAL NOT NULL)"
_ADD = (
    "INSERT INTO spent VALUES (?, max(0, ?), max(0, ?)) ON CONFLICT (day) DO UPDATE SET"
    " tokens = max(0, tokens + ?), cost = max(0, cost + ?)"
)


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What a day has cost, and what it may; 0 where a limit is not set."""

    day: date
    tokens: int
    cost: float
    day_tokens: int
    day_cost: float


class Budget:
    """Owns the sums. Its methods block on the disk for a moment: call them in a thread."""

    def __init__(self, path: Path | None, settings: LlmSettings, today: Callable[[], date]) -> None:
        self._path = path
        self._settings = settings
        self._today = today
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._tasks: OrderedDict[str, int] = OrderedDict()

    def price(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost by the configured prices."""
        return (tokens_in * self._settings.input_price + tokens_out * self._settings.output_price) / 1e6

    def reserve(self, task: str | None, tokens_in: int, tokens_out: int) -> None:
        """Set aside what a request can cost at most; LlmBudgetSpent names the limit if it is not there."""
        tokens, cost, own = tokens_in + tokens_out, self.price(tokens_in, tokens_out), self._settings
        with self._lock:
            of_task = self._tasks.get(task, 0) if task else 0
            if task and of_task + tokens > own.task_tokens:
                raise LlmBudgetSpent(
                    f"this task has used {of_task:,} of {own.task_tokens:,} tokens and asks for up to {tokens:,} more",
                    where="llm.task_tokens",
                    fix="ask for less, or raise it",
                )
            with self._open() as db:
                db.execute("BEGIN IMMEDIATE")
                spent = self._read(db)
                if spent.tokens + tokens > own.day_tokens:
                    raise LlmBudgetSpent(
                        f"{spent.tokens:,} of {own.day_tokens:,} tokens are used today; {tokens:,} more may be needed",
                        where="llm.day_tokens",
                        fix="wait for tomorrow, or raise it",
                    )
                if own.day_cost and spent.cost + cost > own.day_cost:
                    raise LlmBudgetSpent(
                        f"{spent.cost:.4f} of {own.day_cost:g} are spent today; up to {cost:.4f} more are asked",
                        where="llm.day_cost",
                        fix="wait for tomorrow, or raise it",
                    )
                self._add(db, tokens, cost)
            if task:
                self._tasks[task] = of_task + tokens
                while len(self._tasks) > MOST_TASKS:
                    self._tasks.popitem(last=False)

    def settle(self, task: str | None, reserved: tuple[int, int], used: tuple[int, int]) -> None:
        """Write what a request did use in place of what was set aside."""
        tokens = sum(used) - sum(reserved)
        cost = self.price(*used) - self.price(*reserved)
        with self._lock:
            with self._open() as db:
                self._add(db, tokens, cost)
            if task and task in self._tasks:
                self._tasks[task] = max(0, self._tasks[task] + tokens)

    def spent(self) -> Spent:
        """How today stands."""
        with self._lock, self._open() as db:
            return self._read(db)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        """The connection; as a context it commits, or rolls back what failed."""
        if self._connection is None:
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            place = ":memory:" if self._path is None else str(self._path)
            self._connection = sqlite3.connect(place, check_same_thread=False, timeout=2.0)
            with self._connection as db:
                db.execute(_SCHEMA)
                db.execute(
                    "DELETE FROM spent WHERE day NOT IN (SELECT day FROM spent ORDER BY day DESC LIMIT ?)", (KEPT_DAYS,)
                )
        return self._connection

    def _add(self, db: sqlite3.Connection, tokens: int, cost: float) -> None:
        db.execute(_ADD, (self._today().isoformat(), tokens, cost, tokens, cost))

    def _read(self, db: sqlite3.Connection) -> Spent:
        day = self._today()
        row = db.execute("SELECT tokens, cost FROM spent WHERE day = ?", (day.isoformat(),)).fetchone() or (0, 0.0)
        return Spent(
            day=day,
            tokens=row[0],
            cost=row[1],
            day_tokens=self._settings.day_tokens,
            day_cost=self._settings.day_cost,
        )
