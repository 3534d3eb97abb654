"""A folder is read once, again only where it changed, and never takes more than it should."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from pea.errors import WorkspaceError
from pea.workspace.files import Changes, Folder, Refusal, SourceReport, Unreadable, inside, read_bytes, shown


class Reader:
    """Reads a file's text and remembers which paths it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, path: Path) -> str:
        self.asked.append(path.name)
        text = path.read_text()
        if text.startswith("bad"):
            raise Unreadable("it says it is bad")
        return text


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


def reasons(report: SourceReport) -> dict[str, str]:
    return {refusal.path: refusal.reason for refusal in report.refused}


def test_unchanged_files_are_not_read_again(tmp_path, folder):
    """A second refresh reads nothing when nothing has changed."""
    (folder / "a").write_text("1")
    (folder / "b").write_text("2")
    reader = Reader()
    notes = Folder(tmp_path, "notes", read=reader)
    assert notes.refresh() == Changes(added=("notes/a", "notes/b"))
    assert not notes.refresh()
    assert reader.asked == ["a", "b"]
    assert (notes.report().read, notes.report().unchanged) == (2, 2)


def test_changes_are_told_apart(tmp_path, folder):
    """A refresh says what is new, what is different and what is gone."""
    for name in "abc":
        (folder / name).write_text(name)
    notes = Folder(tmp_path, "notes", read=Reader())
    notes.refresh()
    (folder / "a").write_text("longer")
    (folder / "b").unlink()
    (folder / "d").write_text("d")
    assert notes.refresh() == Changes(added=("notes/d",), changed=("notes/a",), removed=("notes/b",))
    assert dict(notes.items) == {"notes/a": "longer", "notes/c": "c", "notes/d": "d"}


def test_an_edit_that_restores_the_time_is_seen(tmp_path, folder):
    """A file whose content changed is read again although its size and modification time are the same."""
    path = folder / "a"
    path.write_text("one")
    os.utime(path, ns=(1, 1))
    notes = Folder(tmp_path, "notes", read=Reader())
    notes.refresh()
    replacement = folder / ".new"
    replacement.write_text("two")
    os.utime(replacement, ns=(1, 1))
    replacement.replace(path)
    notes.refresh()
    assert notes.items["notes/a"] == "two"


def test_items_are_a_snapshot(tmp_path, folder):
    """What was handed out does not change under its reader."""
    (folder / "a").write_text("1")
    notes = Folder(tmp_path, "notes", read=Reader())
    notes.refresh()
    before = notes.items
    (folder / "a").unlink()
    notes.refresh()
    assert dict(before) == {"notes/a": "1"}
    with pytest.raises(TypeError):
        before["notes/b"] = "2"


def test_a_file_that_cannot_be_read_is_refused_by_name_and_the_rest_served(tmp_path, folder):
    """One bad file never takes the others with it, and is not tried again until it changes."""
    (folder / "a").write_text("good")
    (folder / "b").write_text("bad")
    reader = Reader()
    notes = Folder(tmp_path, "notes", read=reader)
    notes.refresh()
    notes.refresh()
    assert reader.asked == ["a", "b"]
    assert notes.report().refused == (Refusal("notes/b", "it says it is bad"),)
    assert dict(notes.items) == {"notes/a": "good"}
    (folder / "b").write_text("good again")
    assert notes.refresh().changed == ("notes/b",)
    assert notes.report().refused_count == 0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("line 3"), "it is malformed (ValueError: line 3)"),
        (RecursionError(), "it is nested too deeply"),
        (MemoryError(), "it needs more memory than there is"),
        (PermissionError(13, "Permission denied"), "permission denied"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "no"), "its text is in no known encoding"),
        (KeyError("a\nb" + "c" * 500), None),
    ],
)
def test_whatever_a_reader_raises_becomes_a_reason_in_words(tmp_path, folder, error, words):
    """A reason is one line of at most 200 characters, whatever was raised."""
    (folder / "a").write_text("x")

    def read(path: Path) -> str:
        raise error

    notes = Folder(tmp_path, "notes", read=read)
    notes.refresh()
    reason = reasons(notes.report())["notes/a"]
    assert words is None or reason == words
    assert "\n" not in reason
    assert len(reason) <= 200


def test_links_that_leave_the_workspace_are_refused(tmp_path):
    """Neither a file nor a folder outside the workspace can be reached through a link."""
    workspace, outside = tmp_path / "workspace", tmp_path / "outside"
    (workspace / "notes").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("s")
    (workspace / "notes" / "file").symlink_to(outside / "secret")
    (workspace / "notes" / "folder").symlink_to(outside)
    (workspace / "notes" / "dangling").symlink_to("nothing")
    (workspace / "notes" / "loop").symlink_to("loop")
    notes = Folder(workspace, "notes", read=Reader())
    notes.refresh()
    assert not notes.items
    assert reasons(notes.report()) == {
        "notes/file": "it leads outside the workspace",
        "notes/folder": "it leads outside the workspace",
        "notes/dangling": "it is a link to nothing",
        "notes/loop": "it is not a usable path",
    }
    (workspace / "elsewhere").symlink_to(outside)
    whole = Folder(workspace, "elsewhere", read=Reader())
    whole.refresh()
    assert reasons(whole.report()) == {"elsewhere": "it leads outside the workspace"}


def test_links_within_the_workspace_are_followed_once(tmp_path, folder):
    """A link to a folder that leads back to itself does not make the walk endless."""
    (folder / "a").write_text("1")
    (folder / "again").symlink_to(".")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b").write_text("2")
    (folder / "more").symlink_to("../other")
    notes = Folder(tmp_path, "notes", read=Reader())
    notes.refresh()
    assert dict(notes.items) == {"notes/a": "1", "notes/more/b": "2"}


def test_pipes_and_sockets_are_never_opened(tmp_path, folder):
    """What is no regular file is refused without waiting for it."""
    os.mkfifo(folder / "pipe")
    notes = Folder(tmp_path, "notes", read=Reader())
    notes.refresh()
    assert reasons(notes.report()) == {"notes/pipe": "it is not a regular file"}
    with pytest.raises(Unreadable, match="not a regular file"):
        read_bytes(folder / "pipe", max_bytes=10)


def test_limits_are_kept_and_said(tmp_path, folder):
    """Files that are too large, too many or too much together are refused with the limit named."""
    (folder / "a").write_text("x" * 11)
    for name in "bcd":
        (folder / name).write_text("x" * 4)
    limited = Folder(tmp_path, "notes", read=Reader(), max_files=2, max_file_bytes=10)
    limited.refresh()
    assert reasons(limited.report()) == {
        "notes/a": "it is larger than the limit (11 of at most 10 bytes)",
        "notes/d": "the folder holds more than 2 files",
    }
    together = Folder(tmp_path, "notes", read=Reader(), max_file_bytes=10, max_total_bytes=8)
    together.refresh()
    assert reasons(together.report())["notes/d"] == "the folder's files are larger than 8 bytes together"
    with pytest.raises(Unreadable, match="11 of at most 10"):
        read_bytes(folder / "a", max_bytes=10)


def test_refusals_are_counted_beyond_those_shown(tmp_path, folder):
    """A folder full of bad files is told in fifty lines and a number."""
    for number in range(70):
        (folder / f"{number:02}").write_text("bad")
    notes = Folder(tmp_path, "notes", read=Reader())
    notes.refresh()
    assert (len(notes.report().refused), notes.report().refused_count) == (50, 70)
    assert notes.report().text().endswith("and 65 more")


def test_hidden_files_are_skipped_and_other_kinds_counted(tmp_path, folder):
    """A file of another kind is no refusal, but its number is known."""
    (folder / ".hidden").write_text("h")
    (folder / "a.txt").write_text("1")
    (folder / "b.jpg").write_text("2")
    notes = Folder(tmp_path, "notes", read=Reader(), accepts=lambda path: path.suffix == ".txt")
    notes.refresh()
    assert (notes.report().read, notes.report().ignored, notes.report().refused_count) == (1, 1, 0)


def test_a_missing_folder_is_empty_and_a_missing_workspace_an_error(tmp_path):
    """A workspace need not have every folder, but it must be one."""
    notes = Folder(tmp_path, "notes", read=Reader())
    assert not notes.refresh()
    assert notes.report() == SourceReport()
    with pytest.raises(WorkspaceError, match="not a folder"):
        Folder(tmp_path / "nothing", "notes", read=Reader()).refresh()


def test_reading_stops_when_its_time_is_up_and_goes_on_next_time(tmp_path, folder):
    """What was not read in time is pending, and the earlier version of a file is served meanwhile."""
    for name in "abc":
        (folder / name).write_text("old")
    seconds = iter(range(100))
    notes = Folder(tmp_path, "notes", read=Reader(), clock=lambda: next(seconds))
    notes.refresh(budget_s=2.5)
    assert (notes.report().read, notes.report().pending) == (2, 1)
    notes.refresh()
    (folder / "a").write_text("newer")
    notes.refresh(budget_s=0)
    assert (notes.items["notes/a"], notes.report().pending) == ("old", 1)
    notes.refresh()
    assert notes.items["notes/a"] == "newer"


def test_a_file_that_vanishes_while_it_is_read_is_simply_gone(tmp_path, folder):
    """Between the walk and the reading a file may go; that is no fault."""
    (folder / "a").write_text("1")

    def read(path: Path) -> str:
        path.unlink()
        return path.read_text()

    notes = Folder(tmp_path, "notes", read=read)
    assert not notes.refresh()
    assert notes.report().refused_count == 0


def test_what_may_pass_is_tried_again(tmp_path, folder):
    """A file that the system would not give is asked for again, though it did not change."""
    (folder / "a").write_text("1")
    answers: list[Exception | str] = [PermissionError(13, "no"), "1"]

    def read(path: Path) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    notes = Folder(tmp_path, "notes", read=read)
    notes.refresh()
    assert reasons(notes.report()) == {"notes/a": "permission denied"}
    assert notes.refresh().added == ("notes/a",)


def test_notes_and_counts_come_from_what_was_read(tmp_path, folder):
    """A file that is served in part says so, and items are counted inside files."""
    (folder / "a").write_text("one two")
    notes = Folder(tmp_path, "notes", read=Reader(), count=lambda t: len(t.split()), notes=lambda t: ["half of it"])
    notes.refresh()
    report = notes.report()
    assert (report.items, report.notes, report.notes_count) == (2, (Refusal("notes/a", "half of it"),), 1)
    assert report.merged(report).items == 4


def test_one_refresh_runs_at_a_time(tmp_path, folder):
    """Two threads that refresh together read each file once."""
    for number in range(20):
        (folder / str(number)).write_text("x")
    reader = Reader()
    notes = Folder(tmp_path, "notes", read=reader)
    threads = [threading.Thread(target=notes.refresh) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reader.asked) == 20


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a\0b"])
def test_paths_cannot_leave_the_workspace(tmp_path, name):
    """A path given by anybody leads into the workspace or nowhere."""
    with pytest.raises(WorkspaceError):
        inside(tmp_path, name)
    assert inside(tmp_path, "a/../b") == tmp_path.resolve() / "b"


def test_names_cannot_write_to_the_terminal(tmp_path, folder):
    """Undecodable bytes and control characters in a file's name are shown escaped."""
    assert shown("a\x1b[2Jb\n\udcff") == "a\\x1b[2Jb\\n\\xff"
    (folder / "evil\x1b[31m").write_text("1")
    notes = Folder(tmp_path, "notes", read=Reader())
    notes.refresh()
    assert list(notes.items) == ["notes/evil\\x1b[31m"]


class FolderMachine(RuleBasedStateMachine):
    """Whatever is written, changed and removed, a folder holds what a fresh one would."""

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.root = tempfile.TemporaryDirectory()
        self.path = Path(self.root.name) / "notes"
        self.path.mkdir()
        self.folder = Folder(Path(self.root.name), "notes", read=Reader())
        self.number = 0

    @rule(target=names, text=st.sampled_from(["one", "twotwo", "bad"]))
    def write(self, text):
        self.number += 1
        (self.path / str(self.number)).write_text(text)
        return str(self.number)

    @rule(name=names, text=st.sampled_from(["three", "bad bad", ""]))
    @precondition(lambda self: self.number > 0)
    def change(self, name, text):
        # Replaced, as editors do: a write in place within one tick of the clock cannot be told by its status.
        new = self.path / ".new"
        new.write_text(text)
        new.replace(self.path / name)

    @rule(name=consumes(names))
    def remove(self, name):
        (self.path / name).unlink()

    @rule()
    def refresh(self):
        self.folder.refresh()

    @invariant()
    def holds_what_a_fresh_one_would(self):
        self.folder.refresh()
        fresh = Folder(Path(self.root.name), "notes", read=Reader())
        fresh.refresh()
        assert dict(self.folder.items) == dict(fresh.items)
        assert self.folder.report().refused == fresh.report().refused

    def teardown(self):
        self.root.cleanup()


TestFolderMachine = FolderMachine.TestCase
TestFolderMachine.settings = settings(
    max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
