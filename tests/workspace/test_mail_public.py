"""Public mail files that nobody wrote for PEA are read as a person would read them, and none of them crashes it."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from pathlib import Path

import pytest

from pea.workspace.files import Unreadable
from pea.workspace.mail import MailReader, MailStore, Message
from tests.absent import DATA, needs

FILES = DATA / "files" / "tika"

pytestmark = needs(FILES)


def is_mail(path: Path) -> bool:
    return path.suffix in (".mbox", ".eml", ".msg") or path.name.startswith("testRFC822")


def messages(name: str) -> tuple[Message, ...]:
    return MailReader()(FILES / name).messages


def test_all_are_read_or_refused_by_name(tmp_path: Path) -> None:
    """Of 42 files 32 are read, and the ten of Outlook's own format are refused with that reason."""
    (tmp_path / "mail").mkdir()
    for path in FILES.iterdir():
        if is_mail(path):
            shutil.copy(path, tmp_path / "mail")
    store = MailStore(tmp_path)
    store.refresh()
    report = store.report()
    print(report.text())
    assert (report.read, report.refused_count) == (32, 10)
    reasons = Counter((Path(r.path).suffix, r.reason) for r in report.refused)
    assert reasons == {(".msg", "Outlook .msg files are not supported yet"): 10}


@pytest.mark.parametrize("path", sorted(p for p in FILES.glob("*") if p.is_file()), ids=lambda path: path.name)
def test_no_file_of_any_kind_crashes_the_reader(path: Path) -> None:
    """PDFs, archives and spreadsheets put into the mail folder are refused or read, never a crash of another kind."""
    with contextlib.suppress(Unreadable):
        assert MailReader()(path).messages


@pytest.mark.parametrize(
    ("name", "subject", "sender", "date", "fragment"),
    [
        ("headers.mbox", "subject", "author@domain.com", "2009-06-09T23:58:45-04:00", "Test content"),
        (
            "complex.mbox",
            "Re: question about when shuffle/sort start working",
            "jothipn@yahoo-inc.com",
            "2009-06-01T09:56:31+05:30",
            "When a Mapper completes, MapCompletionEvents are generated.",
        ),
        (
            "testMBOX_lengthy_x-headers.mbox",
            "RE: Var simulation",
            "naveen.andrews@enron.com",
            "2002-01-30T15:07:01-08:00",
            "the quick brown fox jumped over the lazy dog",
        ),
        (
            "testRFC822_quoted",
            "Sample with Quoted Printable Text",
            "another.person@another-example.com",
            "2010-11-26T19:57:53+00:00",
            "Düsseldorf has non-ascii. Lines can be split like this.",
        ),
        (
            "testRFC822_base64",
            "This tests a base64 encoded body",
            "nowhere@nowhere.com",
            None,
            "international characters, voilà!",
        ),
        (
            "testRFC822_i18nheaders",
            "If you can read this you understand the example.",
            "keld@dkuug.dk",
            None,
            "Examples taken from RFC 2047.",
        ),
        (
            "testRFC822_date_utf8",
            "Testemail",
            "philipp.steinkrueger@uni-koeln.de",
            "2016-05-16T09:30:32+01:00",
            "GMT+1",
        ),
        (
            "testRFC822_dkim.eml",
            "Is dinner ready?",
            "joe@football.example.com",
            "2003-07-11T21:00:37-07:00",
            "Are you hungry yet?",
        ),
        (
            "testRFC822-multipart",
            "Test Multi Part Message",
            "julien@digitalpebble.com",
            "2010-09-27T14:29:16+01:00",
            "This is a test for parsing multi-part mails.",
        ),
        (
            "testRFC822_oddfrom",
            "Air Permit Programs | Air & Radiation | US EPA",
            "",
            "2008-02-15T15:01:15-08:00",
            "Air Quality Planning & Standards",
        ),
        ("testRFC822-limitedheaders", "abcd", "", "2010-05-03T04:21:00+00:00", "bar biz bat"),
        ("testGroupWiseEml.eml", "test333", "", "2013-06-27T13:29:57+02:00", "test"),
        (
            "testRFC822-CC-BCC",
            "Confidential Folder to safely pass information to Arthur Andersen",
            "beth.apollo@enron.com",
            "2001-04-10T11:52:00-07:00",
            "increasingly concerned about confidential information",
        ),
    ],
)
def test_known_answers(name: str, subject: str, sender: str, date: str | None, fragment: str) -> None:
    """Subject, sender, date and text of a dozen mails, checked by hand."""
    message = messages(name)[0]
    assert message.subject == subject
    assert message.sender is not None
    assert message.sender.email == sender
    assert (message.date.isoformat() if message.date else None) == date
    assert fragment in message.text


def test_names_are_decoded() -> None:
    """The name beside the address is the one a person sees."""
    assert messages("testRFC822_i18nheaders")[0].sender.name == "Keld Jørn Simonsen"
    assert messages("testRFC822_oddfrom")[0].sender.name == "Saved by Windows Internet Explorer 7"


def test_recipients_and_attachments() -> None:
    """Ten people were written to and seven were in copy; a PNG of 17 kB hung on another mail."""
    many = messages("testRFC822-CC-BCC")[0]
    assert (len(many.to), len(many.cc)) == (10, 7)
    (picture,) = messages("testEmailWithPNGAtt.eml")[0].attachments
    assert (picture.name, picture.type, picture.size_bytes) == ("testPNG.png", "image/png", 17041)
    (archive,) = messages("testRFC822_normal_zip")[0].attachments
    assert (archive.name, archive.size_bytes) == ("test.zip", 277)


def test_a_list_is_known_and_quotes_are_cut() -> None:
    """The three mails of a mailing list are bulk, and each one's own words stand without those it quotes."""
    three = messages("complex.mbox")
    assert [m.bulk for m in three] == ["Precedence: bulk"] * 3
    assert three[2].text.startswith("No you cannot raise this event yourself")
    assert "Thanks a lot for your explanation" not in three[2].text
    assert len(three[2].quoted) > 500
