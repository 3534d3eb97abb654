"""Documents: agreements, memos, notes and policies, and three files out of which no text can be had."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from maker import pdf
from maker.story import STORY, Cast, table

COPIED = {".md", ".html", ".txt"}
ZIP_TIME = (2026, 5, 8, 13, 30, 0)


def write(folder: Path, people: Cast) -> None:  # noqa: ARG001  every maker is called alike
    """Write every document of the story into ``folder``."""
    for source in sorted((STORY / "documents").iterdir()):
        if source.suffix in COPIED:
            (folder / source.name).write_bytes(source.read_bytes())
    (folder / "greyfriars-master-supply-agreement.docx").write_bytes(_docx(table("documents/agreement.toml")))
    (folder / "interview-guide-field-service.docx").write_bytes(_docx(table("documents/interview-guide.toml")))
    (folder / "q2-budget-memo.pdf").write_bytes(pdf.text(table("documents/memo.toml")))
    (folder / "salary-bands-2026.pdf").write_bytes(pdf.locked(table("documents/salaries.toml"), "not in this folder"))
    (folder / "delivery-note-scan.pdf").write_bytes(pdf.scan(table("documents/scan.toml")["lines"]))
    (folder / "call-notes-hudson.txt").write_bytes(b"")  # begun during a call, never written


def _docx(story: dict[str, Any]) -> bytes:
    import docx

    document = docx.Document()
    properties = document.core_properties
    properties.title, properties.author = story["title"], story["author"]
    properties.created = properties.modified = story["created"]
    properties.comments = ""
    document.add_heading(story["title"], level=0)
    document.add_paragraph(story["subtitle"])
    for paragraph in story["opening"]:
        document.add_paragraph(paragraph)
    for clause in story["clause"]:
        document.add_heading(clause["heading"], level=1)
        for paragraph in clause["text"]:
            document.add_paragraph(paragraph)
        _table(document, clause.get("table", []))
    buffer = io.BytesIO()
    document.save(buffer)
    return _with_fixed_times(buffer.getvalue())


def _table(document: Any, rows: list[list[str]]) -> None:
    if not rows:
        return
    grid = document.add_table(rows=0, cols=len(rows[0]))
    for row in rows:
        for cell, text in zip(grid.add_row().cells, row, strict=True):
            cell.text = text


def _with_fixed_times(data: bytes) -> bytes:
    """The same zip archive, uncompressed and with one time for every entry: python-docx writes the present."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, source.read(name))
    return buffer.getvalue()
