"""Mails of every age and make become messages; what is broken is said, never raised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.mail import Address, parse_message
from pea.workspace.mail.headers import addresses, date_of, decode_words, message_ids, unfold


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("=?ISO-8859-1?Q?Keld_J=F8rn?= Simonsen", "Keld Jørn Simonsen"),
        ("=?utf-8?b?SGVs?= =?utf-8?b?bG8=?=", "Hello"),
        ("=?utf-8?q?M=C3?= =?utf-8?q?=BCnchen?=", "München"),  # a character cut in two
        ("=?utf-8*de?q?f=C3=BCr?= x", "für x"),  # RFC 2231's language
        ("=?utf-8?b?not base64!?=", "=?utf-8?b?not base64!?="),
        ("=?no-such-charset?q?abc?=", "abc"),
        ("=?utf-8?q?a b?=", "a b"),  # spaces are illegal and common
        ("plain = text ?", "plain = text ?"),
        ("a =?utf-8?q?b?= c =?utf-8?q?d?=", "a b c d"),
    ],
)
def test_encoded_words(written: str, read: str) -> None:
    """RFC 2047 words are decoded, neighbours joined, malformed ones left as written."""
    assert decode_words(written) == read


def test_eight_bit_headers_are_guessed() -> None:
    """A header with raw UTF-8 or Latin-1 bytes is read, not lost."""
    utf8 = "Grüße".encode().decode("ascii", "surrogateescape")
    latin = "Grüße aus Köln".encode("latin-1").decode("ascii", "surrogateescape")
    assert unfold(utf8) == "Grüße"
    assert unfold(latin) == "Grüße aus Köln"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('"Doe, Jane" <Jane@X.example>, bob@y.example', [("jane@x.example", "Doe, Jane"), ("bob@y.example", "")]),
        ("=?utf-8?q?Doe=2C_J=C3=BCrgen?= <j@x.example>", [("j@x.example", "Doe, Jürgen")]),
        ("<Saved by Windows Internet Explorer 7>", [("", "Saved by Windows Internet Explorer 7")]),
        ("undisclosed-recipients:;", []),
        ("", []),
    ],
)
def test_addresses(raw: str, expected: list[tuple[str, str]]) -> None:
    """Addresses come in lower case with decoded names; a name without an address is kept as one."""
    assert [(a.email, a.name) for a in addresses([raw])] == expected


@pytest.mark.parametrize("piece", ["(", "[", "Re: ", "<", '"', "a@b,", "[a](", "a:;"])
def test_hostile_address_headers(piece: str) -> None:
    """Marks at which the standard parser recurses, by the thousand, end in a name or in addresses."""
    assert addresses([piece * 9_000 + " ann@x.example"])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Fri, 26 Nov 2010 19:57:53 +0000", datetime(2010, 11, 26, 19, 57, 53, tzinfo=UTC)),
        ("Mon, 30 Nov 1992 12:34:49 GMT", datetime(1992, 11, 30, 12, 34, 49, tzinfo=UTC)),
        ("16 May 2016 at 09:30:32  GMT+1", datetime(2016, 5, 16, 8, 30, 32, tzinfo=UTC)),
        ("Tue, 31 Feb 2020 10:00:00 +0000", None),
        ("Mon, 01 Jan 1900 00:00:00 +0000", None),
        ("Thu, 01 Jan 9999 00:00:00 +0000", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(raw: str, expected: datetime | None) -> None:
    """Dates are aware; what is no day or absurd is none."""
    assert date_of(raw) == expected


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_no_header_text_raises(text: str) -> None:
    """Any text may stand in a header."""
    unfold(text)
    addresses([text])
    date_of(text)
    message_ids(text)


@given(st.binary(max_size=600))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise(data: bytes) -> None:
    """Any bytes become a message with an id."""
    assert parse_message(data).id


def test_a_date_falls_back_to_received() -> None:
    """Without a usable Date the topmost Received counts, and the message says so."""
    message = parse_message(
        b"From: a@b.example\nReceived: from x by y; Mon, 1 Jun 2009 04:28:38 +0000\nDate: nonsense\n\nhi"
    )
    assert message.date == datetime(2009, 6, 1, 4, 28, 38, tzinfo=UTC)
    assert message.date_source == "Received"
    assert "its date cannot be read: nonsense" in message.notes


def test_a_date_after_arrival_is_absurd() -> None:
    """A mail that claims to be from after it arrived is dated by its arrival."""
    message = parse_message(
        b"From: a@b.example\nReceived: from x by y; Mon, 1 Jun 2009 04:28:38 +0000\n"
        b"Date: Tue, 1 Jun 2038 04:28:38 +0000\n\nhi"
    )
    assert message.date is not None
    assert message.date.year == 2009
    assert any("lies after its arrival" in note for note in message.notes)


def mail(**headers: str) -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Ann <ann@x.example>"
    made["To"] = "me@y.example"
    made["Date"] = "Tue, 12 May 2026 09:00:00 +0200"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    return made


def test_alternatives_prefer_plain_text() -> None:
    """Of plain text and HTML the plain text is taken, unless it only says that HTML is needed."""
    made = mail()
    made.set_content("Plain words.")
    made.add_alternative("<p>Rich <b>words</b>.</p>", subtype="html")
    assert parse_message(made.as_bytes()).text == "Plain words."
    made = mail()
    made.set_content("Your mail program does not support HTML.")
    made.add_alternative("<p>Rich <b>wo</b>rds.</p>", subtype="html")
    assert parse_message(made.as_bytes()).text == "Rich words."


def test_html_quotes_are_cut_off() -> None:
    """A blockquote in an HTML mail is a quote like one marked with ``>``."""
    made = mail()
    made.set_content(
        "<div>Yes.</div><div>On Tue, Bob wrote:<br></div><blockquote><p>Shall we?</p></blockquote>", subtype="html"
    )
    message = parse_message(made.as_bytes())
    assert message.text == "Yes."
    assert "Shall we?" in message.quoted


def test_html_paragraphs_stay_apart() -> None:
    """Paragraphs and lists have a blank line around them, lines of a division do not."""
    made = mail()
    made.set_content("<p>Hi,</p><p>can you come?</p><div>one</div><div>two</div><ul><li>a<li>b</ul>", subtype="html")
    assert parse_message(made.as_bytes()).text == "Hi,\n\ncan you come?\n\none\ntwo\n\n- a\n- b"


def test_attachments_are_listed_with_sizes() -> None:
    """Name, type and unpacked size of attachments are told; a path in a name is cut to the name."""
    made = mail()
    made.set_content("See attached.")
    made.add_attachment(b"x" * 1000, maintype="application", subtype="pdf", filename="../../etc/Bericht ä.pdf")
    (attachment,) = parse_message(made.as_bytes()).attachments
    assert (attachment.name, attachment.type, attachment.size_bytes) == ("Bericht ä.pdf", "application/pdf", 1000)


def test_an_invitation_is_known() -> None:
    """A calendar part gives its method."""
    made = mail()
    made.set_content("Join us")
    made.add_alternative("BEGIN:VCALENDAR\r\nEND:VCALENDAR", subtype="calendar", params={"method": "REQUEST"})
    assert parse_message(made.as_bytes()).invitation == "REQUEST"


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/pkcs7-mime; smime-type=enveloped-data", "MIIB", "S/MIME"),
        (
            'multipart/encrypted; boundary="b"',
            "--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b--",
            "PGP",
        ),
        ("text/plain", "-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----", "PGP"),
    ],
)
def test_encrypted_mail_says_so(kind: str, body: str, expected: str) -> None:
    """What is sealed is named, not shown as text."""
    message = parse_message(f"From: a@b.example\nContent-Type: {kind}\n\n{body}\n".encode())
    assert message.encrypted == expected
    assert message.text == ""
    assert f"its text is encrypted ({expected})" in message.notes


def test_a_clear_signed_mail_loses_its_armour() -> None:
    """Of a PGP-signed text only the text is left."""
    head, tail = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA1\n", "-----BEGIN PGP SIGNATURE-----\nx"
    text = f"{head}\nHello.\n{tail}\n-----END PGP SIGNATURE-----"
    assert parse_message(f"From: a@b.example\n\n{text}".encode()).text == "Hello."


def test_a_wrong_boundary_still_shows_text() -> None:
    """When the parts cannot be told apart the whole is shown, and the message says why."""
    message = parse_message(b'From: a@b.example\nContent-Type: multipart/mixed; boundary="right"\n\n--wrong\n\nwords\n')
    assert "words" in message.text
    assert any("wrong boundary" in note for note in message.notes)


def test_deep_nesting_is_bounded() -> None:
    """Multiparts inside one another a hundred deep are read to a bound, not to a crash."""
    head = "From: a@b.example\n"
    for level in range(100):
        head += f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n'
    message = parse_message((head + "Content-Type: text/plain\n\nthe bottom\n").encode())
    assert message.sender == Address("a@b.example")
    assert any("nested too deeply" in note or "only its headers" in note for note in message.notes)


def test_a_huge_mail_is_read_in_part() -> None:
    """Only the beginning of a mail beyond the bound is parsed, and it says so with both sizes."""
    message = parse_message(b"From: a@b.example\n\nhello\n" + b"x" * 100, size=50 << 20)
    assert message.size_bytes == 50 << 20
    assert "only its first 8,388,608 of 52,428,800 bytes were read" in message.notes


def test_terminal_controls_are_dropped() -> None:
    """Escape sequences and text-direction overrides in a mail never reach the terminal."""
    message = parse_message("From: a@b.example\nSubject: a\x1b[31mb\n\nred \x1b[31m \u202e abc\n".encode())
    assert "\x1b" not in message.subject + message.text
    assert "\u202e" not in message.text


def test_references_end_with_the_parent() -> None:
    """References come oldest first, with In-Reply-To last when it is not among them."""
    message = parse_message(b"From: a@b\nMessage-ID: <3@x>\nReferences: <1@x> <2@x>\nIn-Reply-To: <2b@x>\n\nhi")
    assert message.references == ("1@x", "2@x", "2b@x")


@pytest.mark.parametrize(
    ("header", "bulk"),
    [
        ("Precedence: bulk", "Precedence: bulk"),
        ("Auto-Submitted: auto-replied", "Auto-Submitted: auto-replied"),
        ("Auto-Submitted: no", ""),
        ("List-Unsubscribe: <mailto:x@y>", "List-Unsubscribe"),
    ],
)
def test_bulk_mail_is_marked(header: str, bulk: str) -> None:
    """The header that marks mail to many, or from a machine, is named."""
    assert parse_message(f"From: a@b.example\n{header}\n\nhi".encode()).bulk == bulk


def test_a_mail_without_an_id_gets_a_stable_one() -> None:
    """The same bytes always give the same id."""
    one = parse_message(b"From: a@b.example\n\nhi")
    assert one.id == parse_message(b"From: a@b.example\n\nhi").id
    assert one.id.startswith("sha256:")


def test_the_senders_offset_is_kept() -> None:
    """A date keeps the sender's own offset, from which words such as tomorrow are counted."""
    message = parse_message(b"From: a@b\nDate: Mon, 11 May 2026 23:30:00 -0700\n\nby tomorrow")
    assert message.date is not None
    assert message.date.utcoffset() == timedelta(hours=-7)
