"""What the journal and the ledger say after the last life, held against what the clients were promised."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from pea.bench.crash_load import Promises
from pea.runtime.journal import Tables
from pea.runtime.task import Task, TaskState

NOT_IDEMPOTENT = "worker.pay"
_PAID = {
    "worker.job": ("worker.first", "worker.second", NOT_IDEMPOTENT, "worker.last"),
    NOT_IDEMPOTENT: (NOT_IDEMPOTENT,),
}
_FINAL = {TaskState.SUCCEEDED, TaskState.FAILED, TaskState.TIMED_OUT, TaskState.CANCELLED}


class Finding(msgspec.Struct):
    """Task ids (with a step's name) of what must not be, and counts of what may be."""

    lost: list[str] = []
    open: list[str] = []
    twice: list[str] = []
    crooked: list[str] = []  # their events are no walk through the states
    repeated: list[tuple[str, str]] = []  # done in the journal at a kill, and run in a later life
    paid_twice: list[str] = []
    unpaid: list[tuple[str, str]] = []
    doubled: int = 0
    retried: int = 0
    lines: int = 0
    ends: Counter[str] = msgspec.field(default_factory=Counter)


def done_steps(folder: Path) -> list[tuple[str, str]]:
    """Task and capability of the steps that are done, of tasks that have not ended."""
    try:
        tables = Tables.open_to_read(folder / "journal.db")
    except sqlite3.Error:
        return []
    try:
        query = (
            "SELECT task, step.capability FROM step JOIN task ON id = task WHERE ended IS NULL AND step.state = 'done'"
        )
        return tables.db.execute(query).fetchall()
    except sqlite3.Error:  # killed before the tables were there
        return []
    finally:
        tables.close()


def count(folder: Path, ledger: Path, promises: Promises, done: Mapping[tuple[str, str], int]) -> Finding:
    """Hold everything against everything."""
    tables = Tables.open_to_read(folder / "journal.db")
    try:
        tasks = {task.id: task for task in tables.page(None, 10_000_000, {})}
        events: dict[str, list[str]] = defaultdict(list)
        for task, state in tables.db.execute("SELECT task, state FROM event ORDER BY task, number"):
            events[task].append(state)
        keys = Counter(key for (key,) in tables.db.execute("SELECT key FROM task"))
    finally:
        tables.close()
    lives: dict[tuple[str, str], list[int]] = defaultdict(list)
    text = ledger.read_text() if ledger.exists() else ""
    for line in text.splitlines():
        task, capability, life = line.split()
        lives[task, capability].append(int(life))
    found = Finding(lines=sum(map(len, lives.values())), doubled=sum(number > 1 for number in keys.values()))
    found.lost = [identity for identity in promises.accepted.values() if identity not in tasks]
    for task in tasks.values():
        _judge(task, events[task.id], lives, found)
    found.repeated = [step for step, life in done.items() if any(later > life for later in lives[step])]
    found.retried = sum(len(found) - 1 for (_, name), found in lives.items() if name != NOT_IDEMPOTENT)
    return found


def _judge(task: Task, events: list[str], lives: Mapping[tuple[str, str], list[int]], found: Finding) -> None:
    ends = [event for event in events if event in _FINAL]
    if not ends:
        found.open.append(task.id)
    if len(ends) > 1:
        found.twice.append(task.id)
    if events[-1:] != [task.state] or not _walk(events):
        found.crooked.append(task.id)
    found.ends[f"{task.state} ({task.error.code})" if task.error is not None else task.state.value] += 1
    if len(lives.get((task.id, NOT_IDEMPOTENT), ())) > 1:
        found.paid_twice.append(task.id)
    if task.state is TaskState.SUCCEEDED:
        found.unpaid += [(task.id, name) for name in _PAID[task.capability] if not lives.get((task.id, name))]


def _walk(events: Iterable[str]) -> bool:
    """Whether the events begin in the queue and each may follow the one before it."""
    allowed = {
        "": {"queued"},
        "queued": {"running", "timed_out", "cancelled"},
        "running": {"queued", "succeeded", "failed", "timed_out", "cancelled"},
    }
    before = ""
    for event in events:
        if event not in allowed.get(before, ()):
            return False
        before = event
    return True
