"""The documents folder is read once, follows changes, and comes back from damage by itself."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from pea.workspace import documents_store
from pea.workspace.documents_store import DocumentStore
from tests.absent import DATA, needs

FILES = DATA / "files" / "tika"


def write(root: Path, name: str, text: str) -> None:
    path = root / "documents" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def found(store: DocumentStore, query: str) -> list[str]:
    return [hit.path for hit in store.search(query, 10)[0]]


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    return DocumentStore(tmp_path, state=tmp_path / "state")


def test_changes_are_followed(tmp_path: Path, store: DocumentStore) -> None:
    """New, changed and removed files are what the next search sees."""
    write(tmp_path, "a.md", "# Apples\n\nred ones")
    write(tmp_path, "sub/b.txt", "pears")
    store.refresh()
    assert found(store, "apples") == ["documents/a.md"]
    write(tmp_path, "a.md", "# Plums\n\nblue ones, and more of them")
    (tmp_path / "documents/sub/b.txt").unlink()
    store.refresh()
    assert (found(store, "apples"), found(store, "plums"), found(store, "pears")) == ([], ["documents/a.md"], [])
    document = store.document("documents/a.md")
    assert document is not None
    assert document.title == "Plums"


def test_a_new_process_reads_nothing_again(
    tmp_path: Path, store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text and refusals are remembered; what was deleted meanwhile is forgotten."""
    write(tmp_path, "a.txt", "apples")
    write(tmp_path, "b.txt", "pears")
    write(tmp_path, "c.xlsx", "?")
    store.refresh()
    store.close()
    (tmp_path / "documents/b.txt").unlink()
    monkeypatch.setattr(documents_store, "read_document", lambda _path: pytest.fail("read again"))
    again = DocumentStore(tmp_path, state=tmp_path / "state")
    again.refresh()
    assert (found(again, "apples"), found(again, "pears")) == (["documents/a.txt"], [])
    assert [r.reason for r in again.report().refused] == [".xlsx is not a supported kind of document yet"]


def test_a_damaged_index_heals(tmp_path: Path, store: DocumentStore) -> None:
    """When the index is destroyed under a running store, it is made again from the files."""
    write(tmp_path, "a.txt", "apples")
    store.refresh()
    store._index._connection.execute("DROP TABLE passages")
    assert found(store, "apples") == ["documents/a.txt"]
    assert store.trouble


@needs(FILES)
def test_public_files_are_read_or_refused_by_name(tmp_path: Path) -> None:
    """Of 177 public documents 101 give text; each of the others is refused with its reason."""
    (tmp_path / "documents").mkdir()
    for path in FILES.iterdir():
        if path.suffix in (".pdf", ".docx", ".xlsx", ".pptx", ".rtf", ".txt"):
            shutil.copy(path, tmp_path / "documents")
    store = DocumentStore(tmp_path)
    store.refresh()
    report = store.report()
    print(report.text())
    read = Counter(Path(path).suffix for path in store.cards)
    assert read == {".docx": 43, ".pdf": 21, ".rtf": 35, ".txt": 2}
    assert report.refused_count == 76
    reasons = Counter(r.reason for r in store._folder.report().refused)
    assert not any("malformed (KeyError" in reason or "AttributeError" in reason for reason in reasons)


@needs(FILES)
@pytest.mark.parametrize(
    ("name", "title", "fragment", "place"),
    [
        ("testPDF.pdf", "Apache Tika - Apache Tika", "Apache Tika is a toolkit for detecting", "page 1"),
        ("testPDF-custommetadata.pdf", "Document title", "Hello World!", "page 1"),
        ("testPDF_bookmarks.pdf", "testPDF bookmarks", "This is a page about Denmark", "page 2"),
        ("testOptionalHyphen.pdf", "testOptionalHyphen", "optionalhyphen", "page 1"),
        ("testPDFTwoTextBoxes.pdf", "testPDFTwoTextBoxes", "Right column line 1", "page 1"),
        ("testPopupAnnotation.pdf", "testPopupAnnotation", "this is the note", "page 1, remark"),
        ("testPDF_acroform3.pdf", "pdf-form-with-signature-field", "aTextField: TIKA-1226", "form field"),
        ("testWORD.docx", "Sample Word Document", "Sample Word Document Title", "paragraph 1"),
        ("NullHeader.docx", "NullHeader", "Hundreds injured in Yemen protest", "paragraph 1"),
        ("testWORD_text_box.docx", "testWORD text box", "directly in the body of the document", "paragraph 1"),
        ("testWORD_missing_text.docx", "testWORD missing text", "Seasoned professional", "table 1, row 3"),
        ("footnotes.docx", "footnotes", "snoskoy", "paragraph 1"),
        ("testComment.docx", "testComment", "Here is some text.", "paragraph 1"),
        ("LICENSE.txt", "LICENSE", "Apache License", "line 2"),
    ],
)
def test_known_answers(tmp_path: Path, name: str, title: str, fragment: str, place: str) -> None:
    """Title, text and place of a dozen documents, checked by hand."""
    (tmp_path / "documents").mkdir()
    shutil.copy(FILES / name, tmp_path / "documents")
    store = DocumentStore(tmp_path)
    store.refresh()
    document = store.document(f"documents/{name}")
    assert document is not None
    assert document.title == title
    assert place in {p.place.partition(" under")[0] for p in document.passages if fragment in p.text}


@needs(FILES)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("testWORD_protected_passtika.docx", "it is encrypted: a password is needed"),
        ("protected_normal_case.docx", "it is encrypted: a password is needed"),
        ("testPDF_no_extract_no_accessibility_owner_user.pdf", "it is encrypted: a password is needed"),
        ("testOCR.pdf", "no text on its 1 page (scanned?)"),
        ("testWORD_truncated.docx", "it is broken: not a whole zip archive"),
        ("headerPic.docx", "it holds no text"),
        ("testEXCEL.xlsx", ".xlsx is not a supported kind of document yet"),
    ],
)
def test_known_refusals(tmp_path: Path, name: str, reason: str) -> None:
    """Why a file cannot be read is said in plain words."""
    (tmp_path / "documents").mkdir()
    shutil.copy(FILES / name, tmp_path / "documents")
    store = DocumentStore(tmp_path)
    store.refresh()
    assert [r.reason for r in store.report().refused] == [reason]
