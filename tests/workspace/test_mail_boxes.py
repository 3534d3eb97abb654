"""mbox, Maildir and single files are read as they are: escaped, appended to, flagged, empty, not mail at all."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest

from pea.workspace.files import Unreadable
from pea.workspace.mail import MailReader, accepts, boxes

SEPARATOR = "From ann@x.example Mon Jun  1 04:28:28 2009\n"


def mail(number: int, body: str = "words") -> str:
    return f"{SEPARATOR}From: ann@x.example\nSubject: number {number}\nMessage-ID: <{number}@x>\n\n{body}\n\n"


def test_an_mbox_is_split_at_its_separators(tmp_path: Path) -> None:
    """Each separator begins a mail; a body's own From lines, quoted or not, do not."""
    path = tmp_path / "a.mbox"
    path.write_text(mail(1, "first\n\n>From here on\n\nFrom now on we meet at 9:00 each day") + mail(2))
    first, second = MailReader()(path).messages
    assert first.subject == "number 1"
    assert "\nFrom here on" in first.text
    assert "From now on we meet" in first.text
    assert second.id == "2@x"


def test_line_ends_may_be_crlf(tmp_path: Path) -> None:
    """An mbox from another system is split as well."""
    path = tmp_path / "a.mbox"
    path.write_bytes((mail(1) + mail(2)).replace("\n", "\r\n").encode())
    assert [m.subject for m in MailReader()(path).messages] == ["number 1", "number 2"]


def test_a_separator_may_lie_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the chunks of reading end, the same mails are found."""
    path = tmp_path / "a.mbox"
    path.write_text("".join(mail(n, "x" * (37 * n % 211)) for n in range(60)))
    whole = [m.id for m in MailReader()(path).messages]
    assert len(whole) == 60
    for size in (1_100, 1_537, 2_048):
        monkeypatch.setattr(boxes, "CHUNK_BYTES", size)
        assert [m.id for m in MailReader()(path).messages] == whole


def test_what_is_appended_is_all_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When an mbox grows, only its last mail and the new ones are parsed again."""
    path = tmp_path / "a.mbox"
    path.write_text("".join(mail(n) for n in range(10)))
    reader = MailReader()
    reader(path)
    parsed: list[bytes] = []
    real = boxes.parse_message
    monkeypatch.setattr(boxes, "parse_message", lambda data, **more: parsed.append(data) or real(data, **more))
    with path.open("a") as file:
        file.write(mail(10))
    assert [m.id for m in reader(path).messages] == [f"{n}@x" for n in range(11)]
    assert len(parsed) == 2


def test_a_rewritten_mbox_is_read_anew(tmp_path: Path) -> None:
    """An mbox whose beginning changed is not taken for one that grew."""
    path = tmp_path / "a.mbox"
    path.write_text(mail(1) + mail(2))
    reader = MailReader()
    reader(path)
    path.write_text(mail(7) + mail(8) + mail(9))
    assert [m.id for m in reader(path).messages] == ["7@x", "8@x", "9@x"]


def test_only_the_newest_of_too_many_are_kept(tmp_path: Path) -> None:
    """Beyond the bound the oldest mails of an mbox are left out, and the box says so."""
    path = tmp_path / "a.mbox"
    path.write_text("".join(mail(n) for n in range(9)))
    box = MailReader(max_messages=4)(path)
    assert [m.id for m in box.messages] == ["5@x", "6@x", "7@x", "8@x"]
    assert box.notes == ("only its newest 4 mails were read",)


def test_the_separator_dates_a_mail_without_a_date(tmp_path: Path) -> None:
    """Its time is UTC by RFC 4155."""
    path = tmp_path / "a.mbox"
    path.write_text(mail(1))
    (message,) = MailReader()(path).messages
    assert message.date == datetime(2009, 6, 1, 4, 28, 28, tzinfo=UTC)
    assert message.date_source == "mailbox"


def test_a_maildir_name_holds_flags_and_time(tmp_path: Path) -> None:
    """Flags stand after ``:2,``; the seconds at the beginning are when it was delivered."""
    path = tmp_path / "cur" / "1243830508.M1P2.host:2,FRS"
    path.parent.mkdir()
    path.write_text("From: ann@x.example\n\nhello")
    (message,) = MailReader()(path).messages
    assert set(message.flags) == {"flagged", "replied", "seen"}
    assert message.date == datetime(2009, 6, 1, 4, 28, 28, tzinfo=UTC)


def test_blank_lines_before_the_first_separator_are_no_mail(tmp_path: Path) -> None:
    """An mbox that begins with blank lines holds just its mails."""
    path = tmp_path / "a.mbox"
    path.write_text("\n\n" + mail(1) + mail(2))
    assert [m.id for m in MailReader()(path).messages] == ["1@x", "2@x"]


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        ("Status: RO\nX-Status: A", {"seen", "replied"}),
        ("Status: O", set()),
        ("X-Mozilla-Status: 0007", {"seen", "replied", "flagged"}),
        ("X-Mozilla-Status: zzzz", set()),
    ],
)
def test_an_mbox_holds_flags_in_its_headers(tmp_path: Path, header: str, flags: set[str]) -> None:
    """Status, X-Status and X-Mozilla-Status are what their programs keep instead of Maildir's names."""
    path = tmp_path / "a.mbox"
    path.write_text(f"{SEPARATOR}{header}\nFrom: ann@x.example\n\nwords\n")
    assert set(MailReader()(path).messages[0].flags) == flags


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b" \r\n \n", "it is empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 rest", "Outlook .msg files are not supported yet"),
        (b"just some words\nand more", "it is not a mail: no header fields at its beginning"),
        (bytes(range(256)) * 4, "it is not a mail: no header fields at its beginning"),
    ],
)
def test_what_is_no_mail_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    """The reason is said in plain words."""
    path = tmp_path / "a.eml"
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=reason.replace(".", r"\.")):
        MailReader()(path)


def test_a_pipe_is_never_waited_for(tmp_path: Path) -> None:
    """A FIFO that took a file's place is refused at once."""
    path = tmp_path / "a.eml"
    os.mkfifo(path)
    with pytest.raises(Unreadable, match="not a regular file"):
        MailReader()(path)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("mail/INBOX/cur/1.host:2,S", True),
        ("mail/INBOX/new/1.host", True),
        ("mail/INBOX/tmp/1.host", False),
        ("mail/INBOX/dovecot-uidlist", False),
        ("mail/Inbox.msf", False),
        ("mail/Inbox", True),
        ("mail/note.eml", True),
        ("mail/archive.mbox", True),
    ],
)
def test_indexes_and_locks_are_passed_over(path: str, wanted: bool) -> None:
    """What mail programs keep beside the mail is ignored."""
    assert accepts(PurePosixPath(path)) is wanted
