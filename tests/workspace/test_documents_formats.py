"""Each format gives its passages with their places, and refuses in plain words what it cannot read."""

from __future__ import annotations

import contextlib
import io
import zipfile
from itertools import count
from pathlib import Path

import docx
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.documents import parse_document, read_document
from pea.workspace.files import Unreadable
from pea.workspace.text import decode, html, passages, pdf
from pea.workspace.text.docx import check_archive
from tests.absent import DATA, NO_DATA


def places(data: bytes, name: str) -> list[tuple[str, str]]:
    return [(p.text, p.place) for p in parse_document(data, name).passages]


def test_markdown_is_split_at_headings_and_items() -> None:
    """Headings, paragraphs and list items are passages with their line; marks are taken off."""
    text = "# Plan *A*\n\nWe go to [Bonn](http://x.example)\non **Friday**.\n\n- one\n- two\n\n```\n# no heading\n```\n"
    assert places(text.encode(), "a.md") == [
        ("Plan A", "line 1"),
        ("We go to Bonn\non Friday.", "line 3 under “Plan A”"),
        ("- one", "line 6 under “Plan A”"),
        ("- two", "line 7 under “Plan A”"),
        ("# no heading", "line 10 under “Plan A”"),
    ]


def test_titles_come_from_where_each_format_keeps_them() -> None:
    """Front matter, the first heading, the title element, and last the file's name."""
    assert parse_document(b"---\ntitle: 'Terms'\n---\nwords", "a.md").title == "Terms"
    assert parse_document(b"Terms\n=====\n\nwords", "a.rst").title == "Terms"
    assert parse_document(b"<title> Terms &amp; more </title><p>words", "a.html").title == "Terms & more"
    assert parse_document(b"words", "documents/price_list.txt").title == "price list"


def test_html_shows_what_a_reader_sees() -> None:
    """Scripts, styles, comments and hidden elements are left out; blocks and cells stay apart."""
    page = (
        "<html><head><style>p{}</style></head><body><script>x()</script><h1>Rates</h1><!-- <p>no</p> -->"
        "<div style='display:none'>hidden <div>deeper</div></div><p>Ber<b>lin</b>&nbsp;&amp;<br>Bonn</p>"
        "<table><tr><td>1</td><td>2</td></tr></table></body></html>"
    )
    assert places(page.encode(), "a.html") == [
        ("Rates", "paragraph 1"),
        ("Berlin &\nBonn", "paragraph 2 under “Rates”"),
        ("1 | 2", "paragraph 3 under “Rates”"),
    ]


@pytest.mark.parametrize(
    "piece", ["<", "<!", "<!--", "</", "<a ", "<a b='", "<?", "<![CDATA[", "<div>", "<blockquote>x"]
)
def test_hostile_html_is_read_in_linear_time(piece: str) -> None:
    """Markup that the standard parser takes minutes for is defused before it gets there."""
    html.to_text(piece * (40_000 // len(piece)))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Grüße".encode(), "Grüße"),
        ("\ufeffGrüße".encode(), "Grüße"),
        ("Grüße".encode("utf-16"), "Grüße"),
        ("Grüße aus Köln, lange nicht gesehen".encode("utf-16-le"), "Grüße aus Köln, lange nicht gesehen"),
        ("Le café fermé à Noël".encode("latin-1"), "Le café fermé à Noël"),
        ("Zażółć gęślą jaźń, proszę o odpowiedź".encode("cp1250"), "Zażółć gęślą jaźń, proszę o odpowiedź"),
        ("Встреча в пятницу в десять часов".encode("koi8-r"), "Встреча в пятницу в десять часов"),
        ("会議は金曜日の午後です。よろしく".encode("cp932"), "会議は金曜日の午後です。よろしく"),
        (b"a\r\nb\rc\x07", "a\nb\nc"),
    ],
)
def test_charsets_are_found(data: bytes, text: str) -> None:
    """Marks, UTF-8, UTF-16 without a mark, and a guess for the rest; line ends are made one."""
    assert decode(data) == text


def test_binary_data_is_no_text() -> None:
    """A file of NULs and bytes is refused, whatever its name says."""
    with pytest.raises(Unreadable, match="binary data"):
        parse_document(b"\x00\x01\x02\xff" * 100, "a.txt")


def word_file(document: docx.document.Document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_word_headings_tables_and_places() -> None:
    """Paragraphs know their heading, table rows their number."""
    made = docx.Document()
    made.add_heading("Terms", 1)
    made.add_paragraph("We agree.")
    table = made.add_table(rows=2, cols=2)
    for cell, text in zip((c for row in table.rows for c in row.cells), "abcd", strict=True):
        cell.text = text
    assert places(word_file(made), "a.docx") == [
        ("Terms", "paragraph 1"),
        ("We agree.", "paragraph 2 under “Terms”"),
        ("a | b", "table 1, row 1 under “Terms”"),
        ("c | d", "table 1, row 2 under “Terms”"),
    ]


def test_a_zip_bomb_is_refused_before_it_is_opened() -> None:
    """An archive that would unpack to far too much XML is refused by its directory alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(64 << 20))
    with pytest.raises(Unreadable, match="unpacks to 67,108,864 bytes"):
        check_archive(buffer.getvalue())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\x03\x04 broken", "not a whole zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "a password is needed"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 WordDocument", r"an old Word format \(\.doc\)"),
        (b"", "it is empty"),
    ],
)
def test_word_files_that_cannot_be_read_say_why(data: bytes, reason: str) -> None:
    """Broken, encrypted, old and empty files are told apart."""
    with pytest.raises(Unreadable, match=reason):
        parse_document(data, "a.docx")


def test_a_zip_without_a_document_is_refused() -> None:
    """Any zip archive with a Word name is not yet a Word document."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(Unreadable, match="without a Word document"):
        parse_document(buffer.getvalue(), "a.docx")


def blank_pdf(pages: int, password: str = "") -> bytes:
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(100, 100)
    if password:
        writer.encrypt(password)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def test_pdfs_that_cannot_be_read_say_why() -> None:
    """Without text: scanned, perhaps; with a password: encrypted; cut short: damaged."""
    with pytest.raises(Unreadable, match=r"no text on its 3 pages \(scanned\?\)"):
        parse_document(blank_pdf(3), "a.pdf")
    with pytest.raises(Unreadable, match="a password is needed"):
        parse_document(blank_pdf(1, "secret"), "a.pdf")
    with pytest.raises(Unreadable, match="damaged PDF"):
        parse_document(b"%PDF-1.7\nnothing", "a.pdf")


def test_a_pdf_that_takes_too_long_is_read_in_part() -> None:
    """Time is looked at before each page and each drawing operator."""
    path = DATA / "files/tika/testPDF_bookmarks.pdf"
    if not path.exists():
        pytest.skip(NO_DATA)
    ticks = count()
    found = pdf.read(path.read_bytes(), max_seconds=12, clock=lambda: next(ticks))
    assert any("it took too long" in note for note in found.notes)
    assert [p.place for p in found.passages] == ["page 1"]


def test_a_pdf_is_known_by_its_beginning() -> None:
    """A PDF under another name is read as one."""
    with pytest.raises(Unreadable, match="scanned"):
        parse_document(blank_pdf(1), "a.txt")


@pytest.mark.parametrize("suffix", [".xlsx", ".pptx", ".msg", ".exe"])
def test_other_kinds_are_refused_politely(tmp_path: Path, suffix: str) -> None:
    """What is not supported yet is named."""
    (tmp_path / f"a{suffix}").write_bytes(b"anything")
    with pytest.raises(Unreadable, match=f"{suffix} is not a supported kind of document yet"):
        read_document(tmp_path / f"a{suffix}")


def test_text_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an endless text the beginning is kept, and the document says so."""
    monkeypatch.setattr(passages, "MAX_CHARS", 100)
    document = parse_document(b"word word word\n\n" * 100, "a.txt")
    assert document.chars <= 100
    assert document.notes == ("only the first 98 characters were kept",)


@given(st.binary(max_size=400), st.sampled_from([".txt", ".md", ".rst", ".html", ".pdf", ".docx", ".rtf", ""]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes, suffix: str) -> None:
    """Whatever a file holds, it is read or refused with a reason."""
    with contextlib.suppress(Unreadable):
        assert parse_document(data, f"a{suffix}").passages
