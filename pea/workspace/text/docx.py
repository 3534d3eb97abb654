"""DOCX: paragraphs, headings, tables, text boxes and notes, the archive's size checked before it is opened."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from pea.workspace.files_report import Unreadable, plain_reason
from pea.workspace.text.passages import Extract, Passage, bounded

MAX_UNPACKED_BYTES = 128 << 20
MAX_XML_BYTES = 48 << 20
MAX_ENTRIES = 5_000
MAX_CELLS_PER_ROW = 200
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADING = re.compile(r"(?:heading|title|subtitle|überschrift|titre|título)\b", re.IGNORECASE)
_BESIDE = re.compile(r"word/(footnote|endnote|comment|header|footer)s?\d{0,4}\.xml")  # parts beside the body


def read(data: bytes) -> Extract:
    """Passages of a Word document. Raises Unreadable: encrypted, too large when unpacked, broken, without text."""
    check_archive(data)
    try:
        body, headings, title, extras = _open(data)
        extract = bounded(_everything(body, headings, extras), title)
    except Unreadable:
        raise
    except Exception as error:  # python-docx and lxml raise all sorts of errors on damaged packages
        raise Unreadable(f"it is a damaged Word document: {plain_reason(error)}") from error
    if not extract.passages:
        raise Unreadable("it holds no text")
    first = next((p.text for p in extract.passages if p.heading), "")
    return Extract(extract.passages, extract.title or first[:200], extract.notes)


def check_archive(data: bytes) -> None:
    """Raise Unreadable when this is no zip archive, or one that would unpack to too much (a zip bomb)."""
    if data.startswith(_OLE):
        encrypted = "EncryptedPackage".encode("utf-16-le") in data
        raise Unreadable("it is encrypted: a password is needed" if encrypted else "it is an old Word format (.doc)")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
        raise Unreadable("it is broken: not a whole zip archive") from error
    # zipfile never yields more than the size that the directory declares, so the sum is a bound.
    unpacked = sum(entry.file_size for entry in entries)
    xml = max((entry.file_size for entry in entries if entry.filename.endswith((".xml", ".rels"))), default=0)
    if len(entries) > MAX_ENTRIES or unpacked > MAX_UNPACKED_BYTES or xml > MAX_XML_BYTES:
        raise Unreadable(f"it unpacks to {unpacked:,} bytes in {len(entries):,} parts, which is too much")
    if any(entry.flag_bits & 1 for entry in entries):
        raise Unreadable("it is encrypted: a password is needed")


def _open(data: bytes) -> tuple[Any, Mapping[str, str], str, list[tuple[str, Any]]]:
    """The body, heading styles by id, the title, and notes as (kind, XML); by bare XML when the package is odd."""
    import docx
    from docx.oxml import parse_xml

    try:
        document = docx.Document(io.BytesIO(data))
        styles = {s.style_id: s.name or "" for s in document.styles if _HEADING.match(s.name or "")}
        title = " ".join((document.core_properties.title or "").split())[:200]
        body = document.element.body
    except Exception:  # noqa: BLE001 - templates, strict and damaged packages: the text itself may still be there
        styles, title, body = {}, "", None
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        if body is None:
            if "word/document.xml" not in names:
                raise Unreadable("it is a zip archive without a Word document in it")
            body = parse_xml(archive.read("word/document.xml").replace(_STRICT[1:-1].encode(), _W[1:-1].encode()))
        beside = filter(None, map(_BESIDE.fullmatch, sorted(names)))
        extras = [(match[1], parse_xml(archive.read(match[0]))) for match in beside]
    return body, styles, title, extras


def _everything(body: Any, headings: Mapping[str, str], extras: list[tuple[str, Any]]) -> Iterator[Passage]:
    yield from _Walk(headings).blocks(body)
    seen: dict[str, int] = {}
    for kind, part in extras:
        notes = [part] if kind in ("header", "footer") else part
        for note in notes:
            text = " ".join(filter(None, (_text(paragraph).strip() for paragraph in note.iter(f"{_W}p"))))
            if text and f"{kind}: {text}" not in seen:  # each section repeats its header
                seen[kind] = seen.get(kind, 0) + 1
                seen[f"{kind}: {text}"] = 1
                yield Passage(text, f"{kind} {seen[kind]}")


class _Walk:
    """Counts paragraphs and tables, and remembers the heading above, while a body is walked in order."""

    def __init__(self, headings: Mapping[str, str]) -> None:
        self._headings = headings
        self._heading = ""
        self._paragraph = 0
        self._table = 0

    def blocks(self, element: Any, depth: int = 0) -> Iterator[Passage]:
        """Passages of an element's paragraphs and tables; content controls and the like are looked into."""
        for child in element:
            if child.tag == f"{_W}p":
                yield from self._paragraphs(child, depth)
            elif child.tag == f"{_W}tbl":
                yield from self._rows(child)
            elif isinstance(child.tag, str) and child.tag != f"{_W}sectPr" and depth < 50:
                yield from self.blocks(child, depth + 1)

    def _paragraphs(self, paragraph: Any, depth: int) -> Iterator[Passage]:
        text = _text(paragraph)
        if text.strip():
            self._paragraph += 1
            style = paragraph.find(f"{_W}pPr/{_W}pStyle")
            heading = style is not None and self._is_heading(style.get(f"{_W}val", ""))
            if heading:
                self._heading = " ".join(text.split())[:80]
            yield Passage(text, self._place(f"paragraph {self._paragraph}", heading=heading), heading)
        if depth < 50:
            for box in paragraph.iter(f"{_W}txbxContent"):
                if not any(above.tag == _FALLBACK for above in box.iterancestors()):
                    yield from self.blocks(box, depth + 25)

    def _is_heading(self, style: str) -> bool:
        return style in self._headings or _HEADING.match(style.replace("Heading", "Heading ")) is not None

    def _rows(self, table: Any) -> Iterator[Passage]:
        self._table += 1
        name = f"table {self._table}"
        for number, row in enumerate(table.iter(f"{_W}tr"), 1):
            cells = []
            for cell in list(row.iter(f"{_W}tc"))[:MAX_CELLS_PER_ROW]:
                if next(cell.iterancestors(f"{_W}tr")) is row:  # a table in a cell has rows of its own
                    own = (p for p in cell.iter(f"{_W}p") if next(p.iterancestors(f"{_W}tc")) is cell)
                    cells.append(" ".join(filter(None, (_text(p).strip() for p in own))))
            if any(cells):
                yield Passage(" | ".join(cells), self._place(f"{name}, row {number}"))

    def _place(self, place: str, *, heading: bool = False) -> str:
        return place if heading or not self._heading else f"{place} under “{self._heading}”"


def _text(paragraph: Any) -> str:
    """The visible text of one paragraph, without deleted runs and without that of text boxes inside it."""
    parts: list[str] = []
    for node in paragraph.iter(f"{_W}t", f"{_W}tab", f"{_W}br", f"{_W}cr", f"{_W}noBreakHyphen"):
        if node.tag == f"{_W}tab" and node.getparent().tag == f"{_W}tabs":
            continue
        inside = next(node.iterancestors(f"{_W}p", f"{_W}rt"), None)
        if inside is not paragraph:
            continue
        if node.tag == f"{_W}t":
            parts.append(node.text or "")
        else:
            parts.append({"tab": "\t", "noBreakHyphen": "-"}.get(node.tag[len(_W) :], "\n"))
    return "".join(parts)
