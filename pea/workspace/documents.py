"""The user's documents: a file becomes a title and passages with places, or a reason why it cannot."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import msgspec

from pea.workspace.files_report import Unreadable
from pea.workspace.files_walk import read_bytes
from pea.workspace.text import docx, html, pdf, plain, rtf
from pea.workspace.text.passages import Extract, Passage

MAX_DOCUMENT_BYTES = 64 << 20
MAX_TEXT_BYTES = 16 << 20  # formats that are text already; a larger one is a log or a dump
READER_VERSION = 1  # raise it when a reader begins to give other text for the same file

_KINDS: dict[str, tuple[str, Callable[[bytes], Extract], int]] = {
    ".pdf": ("PDF", pdf.read, MAX_DOCUMENT_BYTES),
    ".docx": ("Word", docx.read, MAX_DOCUMENT_BYTES),
    ".docm": ("Word", docx.read, MAX_DOCUMENT_BYTES),
    ".md": ("Markdown", plain.read_markdown, MAX_TEXT_BYTES),
    ".markdown": ("Markdown", plain.read_markdown, MAX_TEXT_BYTES),
    ".txt": ("text", plain.read_text, MAX_TEXT_BYTES),
    ".text": ("text", plain.read_text, MAX_TEXT_BYTES),
    ".rst": ("reStructuredText", plain.read_rst, MAX_TEXT_BYTES),
    ".rtf": ("RTF", rtf.read, MAX_DOCUMENT_BYTES),
    ".html": ("HTML", html.read, MAX_TEXT_BYTES),
    ".htm": ("HTML", html.read, MAX_TEXT_BYTES),
    ".xhtml": ("HTML", html.read, MAX_TEXT_BYTES),
    "": ("text", plain.read_text, MAX_TEXT_BYTES),
}
SUFFIXES = frozenset(_KINDS)
_NO_TITLE = re.compile(r"(?:untitled|word document|document ?\d*|title|powerpoint presentation)$", re.IGNORECASE)


class Document(msgspec.Struct, frozen=True):
    """A file's text. ``path`` is as given, ``passages`` are in reading order, ``notes`` say what is missing."""

    path: str
    title: str
    kind: str
    passages: tuple[Passage, ...]
    notes: tuple[str, ...] = ()

    @property
    def chars(self) -> int:
        """How much text there is."""
        return sum(len(passage.text) for passage in self.passages)


def read_document(path: Path, key: str = "") -> Document:
    """Read one document. Raises Unreadable with the reason; OSError when the file cannot be opened.

    ``key`` is the path to show, where it is not ``path`` itself.
    """
    suffix = path.suffix.lower()
    known = _KINDS.get(suffix)
    if known is None:
        raise Unreadable(f"{suffix} is not a supported kind of document yet")
    _kind, _reader, limit = known
    data = read_bytes(path, max_bytes=limit)
    return parse_document(data, key or str(path), kind_of=suffix)


def parse_document(data: bytes, path: str, *, kind_of: str | None = None) -> Document:
    """Read a document's bytes; the kind goes by ``kind_of`` (a suffix), else by the path. Raises Unreadable."""
    name = PurePosixPath(path)
    suffix = name.suffix.lower() if kind_of is None else kind_of
    if not data.strip(b"\0 \t\r\n"):
        raise Unreadable("it is empty")
    if data.startswith(b"%PDF-"):  # whatever it is called
        suffix = ".pdf"
    kind, reader, _limit = _KINDS.get(suffix) or _KINDS[""]
    extract = reader(data)
    named = extract.title and not _NO_TITLE.match(extract.title)
    title = extract.title if named else name.stem.replace("_", " ") or name.name
    return Document(path, title, kind, extract.passages, extract.notes)
