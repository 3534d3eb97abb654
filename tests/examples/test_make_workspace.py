"""The committed workspace is what the story says, and it holds the hard cases that it promises."""

from __future__ import annotations

import contextlib
import email
import mailbox
from collections import Counter
from datetime import date
from email import policy
from pathlib import Path

import docx
import icalendar
import pypdf
import pytest
import recurring_ical_events

MONTH = (date(2026, 4, 27), date(2026, 5, 30))

WRITTEN = ("pea.yaml", "goals.yaml")  # by hand, not by the generator


def files(folder: Path) -> dict[str, bytes]:
    """The made files by path; what a run of PEA leaves behind is hidden and not among them."""
    found = (path for path in folder.rglob("*") if path.is_file())
    by_path = {str(path.relative_to(folder)): path.read_bytes() for path in found}
    return {path: data for path, data in by_path.items() if not path.startswith(".") and path not in WRITTEN}


def content(path: str, data: bytes, folder: Path) -> object:
    """A file's bytes; of those that a library writes, whose next version may do it differently, what they say."""
    if path.endswith(".docx"):
        document = docx.Document(folder / path)
        cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
        return [document.core_properties.title, *(paragraph.text for paragraph in document.paragraphs), *cells]
    if path.endswith("salary-bands-2026.pdf"):
        locked = pypdf.PdfReader(folder / path, password="not in this folder")
        return [page.extract_text() for page in locked.pages]
    if path.endswith("scan.pdf"):
        page = pypdf.PdfReader(folder / path).pages[0]
        pictures = page["/Resources"]["/XObject"].values()
        return [page.get_contents().get_data(), *(picture.get_object().get_data() for picture in pictures)]
    return data


def test_the_story_makes_the_same_files(workspace: Path, made_anew: Path) -> None:
    """Whoever runs the generator gets, byte for byte, what is committed."""
    committed, anew = files(workspace), files(made_anew)
    assert sorted(committed) == sorted(anew)
    differing = [
        path for path in anew if content(path, anew[path], made_anew) != content(path, committed[path], workspace)
    ]
    assert differing == []


def test_every_file_is_small_enough_to_be_read_by_a_person(workspace: Path) -> None:
    """The example stays an example: no file over 64 kB, all of it under 300 kB."""
    sizes = [len(data) for data in files(workspace).values()]
    assert max(sizes) < 64_000
    assert sum(sizes) < 300_000


def events(workspace: Path) -> list[tuple[str, icalendar.Event]]:
    found = []
    for path in sorted((workspace / "calendars").glob("*.ics")):
        if path.name == "judo-club.ics":
            continue
        calendar = icalendar.Calendar.from_ical(path.read_bytes())
        found += [(path.stem, event) for event in recurring_ical_events.of(calendar).between(*MONTH)]
    return found


def test_the_month_is_full(workspace: Path) -> None:
    """Some 140 events from five weeks, out of four calendars."""
    by_calendar = Counter(calendar for calendar, _ in events(workspace))
    assert by_calendar == {"work": 83, "personal": 37, "travel": 12, "board-office": 7}


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("work", "RECURRENCE-ID;TZID=Europe/Berlin:20260518T090000"),
        ("work", "EXDATE:20260525T070000Z"),
        ("work", "DTSTART;TZID=America/New_York:20260225T103000"),
        ("work", "RDATE;TZID=Europe/Berlin:20260508T150000"),
        ("work", "STATUS:CANCELLED"),
        ("work", "STATUS:TENTATIVE"),
        ("work", "DURATION:PT45M"),
        ("personal", "DTSTART:20260106T074500"),
        ("personal", "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260520T170000"),
        ("personal", "RRULE:FREQ=YEARLY"),
        ("travel", "DTEND;TZID=Europe/London:20260513T195500"),
        ("travel", "DTEND;VALUE=DATE:20260516"),
        ("board-office", "TZID:Voss Office"),
    ],
)
def test_the_calendars_hold_the_hard_cases(workspace: Path, file: str, line: str) -> None:
    """Moved, excluded, added, floating, foreign and home-made times are all in there."""
    text = (workspace / "calendars" / f"{file}.ics").read_bytes().replace(b"\r\n ", b"").decode()
    assert line in text.splitlines()


def test_content_lines_are_folded(workspace: Path) -> None:
    """No line of a calendar is longer than 75 octets (RFC 5545, section 3.1)."""
    for path in (workspace / "calendars").glob("*.ics"):
        if path.name != "judo-club.ics":
            assert max(map(len, path.read_bytes().split(b"\r\n"))) <= 75


def messages(workspace: Path) -> list[email.message.EmailMessage]:
    mail = workspace / "mail"
    singles = [*mail.glob("*/cur/*"), *mail.glob("*/new/*"), *mail.glob("saved/*.eml")]
    data = [path.read_bytes() for path in sorted(singles) if path.stat().st_size]
    for path in sorted(mail.glob("*.mbox")):
        with contextlib.closing(mailbox.mbox(path, create=False)) as box:
            data += [message.as_bytes() for message in box]
    return [email.message_from_bytes(each, policy=policy.default) for each in data]


def test_the_mail_is_that_of_a_month(workspace: Path) -> None:
    """Eighty-five messages, each with an id of its own, and every answer's message is there too."""
    found = messages(workspace)
    ids = [message["Message-ID"] for message in found]
    assert len(found) == len(set(ids)) == 85
    assert {message["In-Reply-To"] for message in found} - {None} <= set(ids)


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("Confidential: the other offer", "multipart/encrypted"),
        ("Your keynote on 21 May: slides by 18 May", "multipart/mixed"),
        ("Zürich and London: your itinerary, one question", "text/html"),
        ("Invitation: Spreebank, signing of the credit line", "multipart/alternative"),
        ("Fwd: Delivery note for the rig", "multipart/mixed"),
    ],
)
def test_the_mail_holds_the_hard_cases(workspace: Path, subject: str, kind: str) -> None:
    """Encrypted, nested, HTML only, invitations and forwarded mail are all in there."""
    assert [m.get_content_type() for m in messages(workspace) if m["Subject"] == subject] == [kind]


def test_the_contract_is_one_and_the_same_everywhere(workspace: Path) -> None:
    """The document, the mail about it and the meetings name the same sum and the same day."""
    document = docx.Document(workspace / "documents" / "greyfriars-master-supply-agreement.docx")
    text = "\n".join(paragraph.text for paragraph in document.paragraphs)
    assert "EUR 1,500,000" in text
    assert "London, 14 May 2026" in text
    titles = {str(event["SUMMARY"]): event.start for _, event in events(workspace)}
    assert titles["Greyfriars contract: final reading and signature"].date() == date(2026, 5, 14)
    oliver = next(m for m in messages(workspace) if m["Subject"].startswith("Liability cap"))
    assert "EUR 1.5 million" in oliver.get_body(("plain",)).get_content()


def test_the_memo_can_be_read_and_the_locked_and_scanned_files_cannot(workspace: Path) -> None:
    """Three pages with text; a file without its password; a page without a letter."""
    documents = workspace / "documents"
    memo = pypdf.PdfReader(documents / "q2-budget-memo.pdf")
    assert ["EUR 240,000" in page.extract_text() for page in memo.pages] == [True, False, False]
    assert "Tobias Krüger" in memo.pages[0].extract_text()
    locked = pypdf.PdfReader(documents / "salary-bands-2026.pdf")
    assert locked.is_encrypted
    assert not locked.decrypt("")
    assert pypdf.PdfReader(documents / "delivery-note-scan.pdf").pages[0].extract_text() == ""


def test_the_contacts_are_twenty_five(workspace: Path) -> None:
    """One card for each person with one, in all three versions of vCard."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((workspace / "contacts").glob("*.vcf")))
    assert text.count("BEGIN:VCARD") == text.count("END:VCARD") == 25
    assert {version for version in ("2.1", "3.0", "4.0") if f"VERSION:{version}" in text} == {"2.1", "3.0", "4.0"}
