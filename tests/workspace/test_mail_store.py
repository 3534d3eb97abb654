"""A workspace's mail is read once, from every kind of box, and only what changed is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pea.workspace.files_cache import ReadCache
from pea.workspace.mail import READER_VERSION, Mailbox, MailStore, boxes


def write(path: Path, name: str, subject: str = "hello", text: str = "words") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"From: ann@x.example\nTo: me@y.example\nMessage-ID: <{name}@x>\nSubject: {subject}\n\n{text}\n")


def ids(store: MailStore) -> set[str]:
    return {message.id for message in store.messages}


def test_every_kind_of_box_is_read(tmp_path: Path) -> None:
    """Maildir, nested folders, Maildir++ folders with a dot, mbox and single files are all mail."""
    mail = tmp_path / "mail"
    write(mail / "INBOX/cur/1.h:2,S", "a")
    write(mail / "work/projects/new/2.h", "b")
    write(mail / "INBOX/.Sent/cur/3.h:2,S", "c")
    write(mail / "note.eml", "d")
    (mail / "old.mbox").write_text("From x Mon Jun  1 04:28:28 2009\nMessage-ID: <e@x>\nFrom: b@x.example\n\nhi\n")
    store = MailStore(tmp_path)
    store.refresh()
    assert ids(store) == {"a@x", "b@x", "c@x", "d@x", "e@x"}
    assert store.report().read == 5
    assert store.place("c@x") == "mail/INBOX/.Sent/cur/3.h:2,S"


def test_changes_are_followed(tmp_path: Path) -> None:
    """A new file is read, a removed one forgotten, an unchanged one left alone."""
    write(tmp_path / "mail/a.eml", "a")
    write(tmp_path / "mail/b.eml", "b")
    store = MailStore(tmp_path)
    assert store.refresh() is True
    assert store.refresh() is False
    write(tmp_path / "mail/c.eml", "c")
    (tmp_path / "mail/a.eml").unlink()
    assert store.refresh() is True
    assert ids(store) == {"b@x", "c@x"}


def test_a_bad_file_is_named_and_the_rest_served(tmp_path: Path) -> None:
    """An empty file and one that is no mail are refused with their reasons."""
    write(tmp_path / "mail/a.eml", "a")
    (tmp_path / "mail/empty.eml").touch()
    (tmp_path / "mail/prose.eml").write_text("no header here")
    store = MailStore(tmp_path)
    store.refresh()
    report = store.report()
    assert ids(store) == {"a@x"}
    assert {(r.path, r.reason) for r in report.refused} == {
        ("mail/empty.eml", "it is empty"),
        ("mail/prose.eml", "it is not a mail: no header fields at its beginning"),
    }


def test_a_new_process_parses_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept in the state folder is recalled as it was."""
    write(tmp_path / "work/mail/a.eml", "a", text="Can you?\n\n> no\n\n-- \nAnn")

    def store() -> MailStore:
        cache = ReadCache(tmp_path / "state" / "mail.sqlite")
        reader = f"mail {READER_VERSION}"
        root = tmp_path / "work"
        return MailStore(root, remembers=lambda _folder: cache.memory(Mailbox, reader=reader, workspace=root))

    first = store()
    first.refresh()
    monkeypatch.setattr(boxes, "parse_message", lambda *_args, **_more: pytest.fail("parsed again"))
    second = store()
    second.refresh()
    assert second.messages == first.messages


def test_time_may_run_out(tmp_path: Path) -> None:
    """With no time left nothing new is read, and the report counts what waits."""
    write(tmp_path / "mail/a.eml", "a")
    store = MailStore(tmp_path)
    store.refresh(budget_s=0.0)
    assert store.report().pending == 1
    store.refresh()
    assert ids(store) == {"a@x"}


def test_no_mail_folder_is_no_error(tmp_path: Path) -> None:
    """A workspace without mail has none."""
    store = MailStore(tmp_path)
    store.refresh()
    assert store.messages == ()
    assert store.report().read == 0
