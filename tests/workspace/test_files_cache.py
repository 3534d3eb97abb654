"""What was read outlives the process, and nothing that happens to the cache can spoil an answer."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from pea.workspace.files import Fingerprint, Folder, Outcome, Unreadable
from pea.workspace.files_cache import ReadCache


class Note(msgspec.Struct, frozen=True):
    """What a reader makes of a file."""

    text: str


class Reader:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, path: Path) -> Note:
        self.asked.append(path.name)
        if path.read_text() == "bad":
            raise Unreadable("it is bad")
        return Note(path.read_text())


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a").write_text("one")
    (tmp_path / "notes" / "b").write_text("bad")
    return tmp_path


def opened(workspace: Path, reader: Reader, *, name: str = "notes/1", path: Path | None = None) -> Folder[Note]:
    cache = ReadCache(path or workspace / "state" / "read.sqlite")
    return Folder(workspace, "notes", read=reader, memory=cache.memory(Note, reader=name, workspace=workspace))


def test_a_new_process_reads_nothing_again(workspace):
    """Values and refusals are recalled as long as the files are the same."""
    first, second = Reader(), Reader()
    opened(workspace, first).refresh()
    folder = opened(workspace, second)
    folder.refresh()
    assert (first.asked, second.asked) == (["a", "b"], [])
    assert dict(folder.items) == {"notes/a": Note("one")}
    assert folder.report().refused[0].reason == "it is bad"


def test_a_changed_file_is_read_again(workspace):
    """A recalled value belongs to one version of a file."""
    opened(workspace, Reader()).refresh()
    (workspace / "notes" / "a").write_text("another")
    reader = Reader()
    folder = opened(workspace, reader)
    folder.refresh()
    assert reader.asked == ["a"]
    assert folder.items["notes/a"] == Note("another")


def test_another_version_of_the_reader_starts_afresh(workspace):
    """What an older reader made is not taken for what this one would make."""
    opened(workspace, Reader()).refresh()
    reader = Reader()
    opened(workspace, reader, name="notes/2").refresh()
    assert reader.asked == ["a", "b"]


def test_rows_of_another_shape_are_missed_not_believed(workspace):
    """A planted or stale row that does not decode to the reader's type costs a reading, nothing more."""
    path = workspace / "state" / "read.sqlite"
    opened(workspace, Reader()).refresh()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE parsed SET outcome = ?", (msgspec.msgpack.encode([{"text": 5}, ""]),))
    connection.close()
    reader = Reader()
    folder = opened(workspace, reader)
    folder.refresh()
    assert reader.asked == ["a", "b"]
    assert folder.items["notes/a"] == Note("one")


def test_a_damaged_file_is_set_aside_and_begun_anew(workspace):
    """Garbage in place of the cache is kept for whoever wonders, and the next process is warm again."""
    path = workspace / "state" / "read.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)
    folder = opened(workspace, Reader())
    folder.refresh()
    assert folder.items["notes/a"] == Note("one")
    assert path.with_name("read.sqlite.damaged").exists()
    opened(workspace, Reader()).refresh()
    warm = Reader()
    opened(workspace, warm).refresh()
    assert warm.asked == []


def test_a_cache_that_cannot_be_written_is_done_without(workspace):
    """A state folder that is a file, or full, never keeps the user from an answer."""
    (workspace / "state").write_text("in the way")
    cache = ReadCache(workspace / "state" / "read.sqlite")
    memory = cache.memory(Note, reader="notes/1", workspace=workspace)
    folder = Folder(workspace, "notes", read=Reader(), memory=memory)
    folder.refresh()
    assert folder.items["notes/a"] == Note("one")
    assert "read.sqlite" in cache.trouble


def test_files_that_are_gone_leave_the_cache(workspace):
    """The cache holds what the folder holds."""
    path = workspace / "state" / "read.sqlite"
    folder = opened(workspace, Reader())
    folder.refresh()
    (workspace / "notes" / "a").unlink()
    folder.refresh()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT path FROM parsed").fetchall() == [("notes/b",)]
    connection.close()


def test_the_oldest_rows_go_when_there_are_too_many(tmp_path):
    """The cache is bounded by rows; what was written last stays."""
    cache = ReadCache(tmp_path / "read.sqlite", max_rows=3)
    memory = cache.memory(Note, reader="notes/1", workspace=tmp_path)
    fingerprint = Fingerprint(1, 2, 3, 4)
    for name in "abcde":
        memory.keep(name, fingerprint, Outcome(Note(name)))
        memory.flush()
    assert [name for name in "abcde" if memory.recall(name, fingerprint)] == ["c", "d", "e"]


def test_bytes_are_bounded(tmp_path):
    """The file is kept near its limit by dropping old rows."""
    cache = ReadCache(tmp_path / "read.sqlite", max_bytes=200_000)
    memory = cache.memory(Note, reader="notes/1", workspace=tmp_path)
    for number in range(100):
        memory.keep(str(number), Fingerprint(1, 2, 3, 4), Outcome(Note("x" * 10_000)))
        memory.flush()
    assert memory.recall("99", Fingerprint(1, 2, 3, 4)) is not None
    assert memory.recall("0", Fingerprint(1, 2, 3, 4)) is None
    cache.close()
    assert (tmp_path / "read.sqlite").stat().st_size < 400_000


def test_only_the_user_can_read_it(workspace):
    """The cache holds parts of the user's files and is as private as they are."""
    opened(workspace, Reader()).refresh()
    assert (workspace / "state" / "read.sqlite").stat().st_mode & 0o077 == 0
