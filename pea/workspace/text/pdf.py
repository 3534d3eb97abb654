"""PDF: text page by page through pypdf, within bounds of pages and time checked between drawing operators."""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pea.workspace.files_report import Unreadable, plain_reason
from pea.workspace.text.passages import Extract, Passage, bounded

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_PAGES = 2_000
MAX_SECONDS = 10.0
MAX_REMARKS = 500  # annotations on one page, fields of one form
_HYPHENATED = re.compile(r"(?<=[a-zà-ÿ])-\n(?=[a-zà-ÿ])")
_BLANK = re.compile(r"\n[ \t]*\n+")


class _OutOfTime(Exception):
    """The time for this file is used up."""


def read(data: bytes, *, max_seconds: float = MAX_SECONDS, clock: Callable[[], float] = time.monotonic) -> Extract:
    """Paragraphs of a PDF, each with its page. Raises Unreadable: encrypted, damaged, or no text (scanned?)."""
    import pypdf
    from pypdf.errors import DependencyError, EmptyFileError, FileNotDecryptedError

    # pypdf logs a line for each oddity of a damaged file; the outcome says what the user needs to know.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        notes = _unlock(reader)
        pages = len(reader.pages)
    except (FileNotDecryptedError, DependencyError) as error:
        raise Unreadable("it is encrypted: a password is needed") from error
    except EmptyFileError as error:
        raise Unreadable("it is empty") from error
    except Unreadable:
        raise
    except Exception as error:  # pypdf raises all sorts of errors on damaged files
        raise Unreadable(f"it is a damaged PDF: {plain_reason(error)}") from error
    if pages > MAX_PAGES:
        notes.append(f"only the first {MAX_PAGES:,} of {pages:,} pages were read")
    found = bounded(_passages(reader, min(pages, MAX_PAGES), notes, clock, clock() + max_seconds), _title(reader))
    if not found.passages:
        why = f" ({notes[-1]})" if notes else ""
        raise Unreadable(f"no text on its {pages} {'page' if pages == 1 else 'pages'} (scanned?){why}")
    return Extract(found.passages, found.title, (*notes, *found.notes))


def _unlock(reader: PdfReader) -> list[str]:
    """Open with the empty password, which is what a reader programme does; Unreadable when it takes another."""
    if not reader.is_encrypted:
        return []
    if not reader.decrypt(""):
        raise Unreadable("it is encrypted: a password is needed")
    permissions = reader.user_access_permissions
    allowed = permissions is None or bool(permissions & type(permissions).EXTRACT)
    return [] if allowed else ["its author asks that text not be copied out of it"]


def _passages(
    reader: PdfReader, pages: int, notes: list[str], clock: Callable[[], float], until: float
) -> Iterator[Passage]:
    def check(*_drawing: Any) -> None:
        if clock() > until:
            raise _OutOfTime

    failed = 0
    for number in range(1, pages + 1):
        try:
            check()
            text = reader.pages[number - 1].extract_text(visitor_operand_before=check)
        except _OutOfTime:
            notes.append(f"reading stopped at page {number} of {pages}: it took too long")
            break
        except Exception as error:  # noqa: BLE001 - one damaged page is noted, the others are read
            failed += 1
            if failed == 1:
                notes.append(f"page {number} cannot be read: {plain_reason(error)}")
            continue
        text = _HYPHENATED.sub("", text.replace("\u00ad\n", "").replace("\u00ad", "").replace("\0", ""))
        for paragraph in _BLANK.split(text):
            lines = (" ".join(line.split()) for line in paragraph.split("\n"))
            yield Passage("\n".join(line for line in lines if line), f"page {number}")
        yield from _remarks(reader.pages[number - 1], number)
    yield from _fields(reader)
    if failed > 1:
        notes.append(f"{failed} pages cannot be read")


def _remarks(page: Any, number: int) -> Iterator[Passage]:
    """What readers wrote on a page: the contents of its annotations, each once."""
    try:
        remarks = [note.get_object().get("/Contents") for note in list(page.get("/Annots") or ())[:MAX_REMARKS]]
        texts = dict.fromkeys(" ".join(str(text).split()) for text in remarks if text)
    except Exception:  # noqa: BLE001 - damaged annotations cost only themselves
        return
    for text in texts:
        yield Passage(text, f"page {number}, remark")


def _fields(reader: PdfReader) -> Iterator[Passage]:
    """What was filled into a form."""
    try:
        filled = {k: str(v).strip() for k, v in (reader.get_form_text_fields() or {}).items() if v}
    except Exception:  # noqa: BLE001 - a damaged form costs only its fields
        return
    for name, value in list(filled.items())[:MAX_REMARKS]:
        if value:
            yield Passage(f"{name}: {value}", "form field")


def _title(reader: PdfReader) -> str:
    try:
        title = reader.metadata.title if reader.metadata else ""
        return " ".join(str(title or "").split())[:200]
    except Exception:  # noqa: BLE001 - a damaged information dictionary costs the title, not the text
        return ""
