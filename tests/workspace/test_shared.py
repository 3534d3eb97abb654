"""One reader per workspace and process, closed with its last user."""

from __future__ import annotations

from pathlib import Path

from pea.workspace.mail.boxes import raw_mails
from pea.workspace.shared import Shared


def test_users_share_and_the_last_one_closes(tmp_path: Path) -> None:
    """Two agents get the same reader by whatever path; letting go once too often harms nobody."""
    closed: list[Path] = []
    shared: Shared[Path] = Shared(lambda workspace, _state: workspace, closed.append)
    one = shared.open(tmp_path, None)
    assert shared.open(tmp_path / "x" / "..", None) is one
    assert shared.open(tmp_path, tmp_path / "state") is not None
    shared.release(tmp_path, None)
    assert closed == []
    shared.release(tmp_path, None)
    shared.release(tmp_path, None)
    assert closed == [one]


def test_raw_mails_are_those_of_the_file(tmp_path: Path) -> None:
    """An mbox gives each mail without its separator, escaped lines restored; a single mail gives itself."""
    box = tmp_path / "a.mbox"
    first, second = b"From: a@x\nSubject: 1\n\n>From here\n\n", b"From: b@x\nSubject: 2\n\nbye\n"
    separator = b"From a@x Mon May 11 10:00:00 2026\n"
    box.write_bytes(separator + first + separator + second)
    assert list(raw_mails(box)) == [first.replace(b">From", b"From"), second]
    single = tmp_path / "a.eml"
    single.write_bytes(second)
    assert list(raw_mails(single)) == [second]
