"""The journal's writer: shared commits, disks that fail and heal, files that are broken or taken."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from pea.config import JournalSettings
from pea.errors import JournalUnavailable
from pea.runtime.journal import Accepted, Changed, Journal, Remembered, Step, StepState
from pea.runtime.journal.tables import Tables
from pea.runtime.task import Task, TaskState

EVERYTHING = Remembered(10_000, 1 << 30, 0.0)


def task(number: int, **more: object) -> Task:
    given = msgspec.Raw(b'{"n":1}')
    return Task(id=f"{number:024x}", capability="a.b", agent="a", input=given, created=float(number), **more)  # type: ignore[arg-type]


def ended(one: Task, at: float = 1e9) -> tuple[Changed, Changed]:
    running = one.to(TaskState.RUNNING, at)
    return Changed(running), Changed(running.to(TaskState.SUCCEEDED, at, result=msgspec.Raw(b"[1]")))


@asynccontextmanager
async def opened(folder: Path, **settings: object) -> AsyncIterator[Journal]:
    journal = Journal(folder, JournalSettings(**settings), EVERYTHING)  # type: ignore[arg-type]
    try:
        await journal.opened
        yield journal
    finally:
        await journal.close()


class Trouble:
    """Has SQLite fail in `Tables.apply` as often as a test asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
        self.left = 0
        self._apply = Tables.apply
        trouble = self

        def apply(tables: Tables, entries: list[object]) -> None:
            if trouble.left and entries:
                trouble.left -= 1
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = code
                raise error
            trouble._apply(tables, entries)  # type: ignore[arg-type]

        monkeypatch.setattr(Tables, "apply", apply)


async def test_many_share_a_commit(tmp_path: Path) -> None:
    """What waits while one transaction is written becomes the next one, all of it."""
    async with opened(tmp_path) as journal:
        await asyncio.gather(*(journal.append(Accepted(task(number), 1), must=False) for number in range(500)))
        assert journal.status.commits <= 3
        assert journal.pending_bytes == 0
    async with opened(tmp_path) as journal:
        assert [one.task.id for one in journal.opened.result().open] == [task(number).id for number in range(500)]


async def test_what_is_not_urgent_goes_along_with_what_is(tmp_path: Path) -> None:
    """What nobody waits for costs no commit of its own, and keeps its place in the order."""
    async with opened(tmp_path) as journal:
        await journal.append(Accepted(task(1), 1))
        before = journal.status.commits
        running, end = ended(task(1))
        begun = journal.append(running, urgent=False)
        await journal.append(end)
        assert begun.done()
        assert journal.status.commits == before + 1


async def test_what_is_not_urgent_is_written_without_anything_else(tmp_path: Path) -> None:
    """Nothing urgent comes: it is written all the same, and at the latest when the journal is closed."""
    async with opened(tmp_path) as journal:
        await journal.append(Accepted(task(1), 1), urgent=False)
        last = journal.append(Accepted(task(2), 1), urgent=False)
    await last
    async with opened(tmp_path) as journal:
        assert [one.task.id for one in journal.opened.result().open] == [task(1).id, task(2).id]


async def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    """Input, result, idempotency key, life and the first span come back as they were."""
    one = task(1, idempotency_key="k", trace_id="ab" * 16)
    async with opened(tmp_path) as journal:
        await journal.append(Accepted(one, 7), *ended(one))
    async with opened(tmp_path) as journal:
        (back,) = journal.opened.result().ended
        assert (bytes(back.input), bytes(back.result or b"")) == (b'{"n":1}', b"[1]")
        assert [state for state, _ in back.life] == ["running", "succeeded"]
        assert (await journal.by_key("k")) is not None
        assert (await journal.find(one.id)) == back or (await journal.find("nobody")) is None


async def test_task_ends_once(tmp_path: Path) -> None:
    """The tables refuse a second end, and others of the same batch are none the worse for it."""
    one, other = task(1), task(2)
    async with opened(tmp_path) as journal:
        await journal.append(Accepted(one, 1), *ended(one))
        twice = one.to(TaskState.RUNNING, 2.0).to(TaskState.FAILED, 3.0)
        first = journal.append(Changed(twice))
        second = journal.append(Accepted(other, 1))
        with pytest.raises(sqlite3.IntegrityError, match="has ended already and cannot become failed"):
            await first
        await second
        assert (found := await journal.find(one.id)) is not None
        assert found.state is TaskState.SUCCEEDED


async def test_full_disk_refuses_promises_and_owes_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task is refused at once; what was promised before is written as soon as there is room, in its order."""
    trouble = Trouble(monkeypatch, sqlite3.SQLITE_FULL)
    one = task(1)
    async with opened(tmp_path) as journal:
        await journal.append(Accepted(one, 1))
        trouble.left = 3
        owed = journal.append(*ended(one))
        with pytest.raises(JournalUnavailable, match="the journal cannot be written: database or disk is full"):
            await journal.append(Accepted(task(2), 1), must=False)
        await owed
        assert journal.status.problem is None
        assert journal.status.failures >= 1
        await journal.append(Accepted(task(3), 1), must=False)
    async with opened(tmp_path) as journal:
        kept = journal.opened.result()
        assert ([one.task.id for one in kept.open], len(kept.ended)) == ([task(3).id], 1)


async def test_too_much_waiting_is_refused(tmp_path: Path) -> None:
    """Promises are bounded by bytes; what belongs to earlier ones is not."""
    async with opened(tmp_path, waiting=10_000) as journal:
        futures = []

        def promise_all() -> None:
            for number in range(100):
                futures.append(journal.append(Accepted(task(number), 1), must=False))  # noqa: PERF401

        with pytest.raises(JournalUnavailable, match="too much waits"):
            promise_all()
        assert 0 < len(futures) < 100
        futures.append(journal.append(*ended(task(0))))
        await asyncio.gather(*futures)


async def test_folder_belongs_to_one_process(tmp_path: Path) -> None:
    """Who comes second is told, promises nothing, and takes over when the first has ended."""
    async with opened(tmp_path):
        second = Journal(tmp_path, JournalSettings(), EVERYTHING)
        with pytest.raises(JournalUnavailable, match="another PEA works on this state folder"):
            await second.append(Accepted(task(1), 1), must=False)
    await second.opened
    await second.append(Accepted(task(1), 1), must=False)
    await second.close()


async def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file where the folder should be: no promise, and all is well once it is gone."""
    (tmp_path / "journal").write_text("in the way")
    journal = Journal(tmp_path / "journal", JournalSettings(), EVERYTHING)
    with pytest.raises(JournalUnavailable):
        await journal.append(Accepted(task(1), 1), must=False)
    assert not journal.ready
    with pytest.raises(JournalUnavailable):
        await journal.find("x")
    (tmp_path / "journal").unlink()
    await journal.opened
    await journal.append(Accepted(task(1), 1), must=False)
    await journal.close()


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1_000)


def truncated(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def other_version(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")


def tables_gone(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE step")


@pytest.mark.parametrize("harm", [garbage, truncated, other_version, tables_gone])
async def test_broken_file_is_set_aside(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """A new journal is begun with what could be read; the old file stays for whoever wants to look."""
    async with opened(tmp_path) as journal:
        await journal.append(*(Accepted(task(number), 1) for number in range(300)))
    harm(tmp_path / "journal.db")
    async with opened(tmp_path) as journal:
        saved = len(journal.opened.result().open)
        assert saved == (300 if harm in {other_version, tables_gone} else saved)
        await journal.append(Accepted(task(1_000), 1), must=False)
    aside = [path for path in tmp_path.glob("journal.db.broken-*") if path.suffix not in {"-wal", "-shm"}]
    assert aside
    async with opened(tmp_path) as journal:
        assert len(journal.opened.result().open) == saved + 1


async def test_retention_deletes_the_oldest_ends_only(tmp_path: Path) -> None:
    """Ended tasks beyond the bound go, with their steps and events; what has not ended stays."""
    path = tmp_path / "journal.db"
    tables = Tables.open(path)
    for number in range(20):
        one = task(number)
        step = Step(task=one.id, key="k", capability="a.c", state=StepState.DONE, at=1.0)
        tables.apply([Accepted(one, 1), step, *(ended(one, float(number)) if number % 2 else ())])
    assert tables.trim(before=6.0, entries=1_000, size_bytes=1 << 30) == 3  # 1, 3, 5
    assert tables.trim(before=0.0, entries=4, size_bytes=1 << 30) == 3  # 7, 9, 11
    assert tables.trim(before=0.0, entries=4, size_bytes=1 << 30) == 0
    assert len(tables.open_tasks()) == 10
    assert [one.id for one in tables.ended_tasks(0.0, 100, 1 << 30)] == [task(n).id for n in (13, 15, 17, 19)]
    left = {row[0] for row in tables.db.execute("SELECT task FROM step UNION SELECT task FROM event")}
    assert left == {one.id for one in tables.page(None, 100, {})}
    assert tables.trim(before=0.0, entries=100, size_bytes=0) == 4
    tables.close()


async def test_row_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """A task that cannot be read is named in the log; the others are taken in."""
    async with opened(tmp_path) as journal:
        await journal.append(Accepted(task(1), 1), Accepted(task(2), 1))
    with sqlite3.connect(tmp_path / "journal.db") as db:
        db.execute("UPDATE task SET head = '{\"id\": 5}' WHERE id = ?", (task(1).id,))
    async with opened(tmp_path) as journal:
        assert [one.task.id for one in journal.opened.result().open] == [task(2).id]
        assert [one.id for one in await journal.page(None, 1, {})] == [task(2).id]
        assert await journal.find(task(1).id) is None
    tables = Tables.open_to_read(tmp_path / "journal.db")
    assert [one.id for one in tables.after((0.0, ""), 1)] == [task(2).id]
    tables.close()
