r"""RTF gives its paragraphs in whatever code page they were written, and nothing of what a reader does not show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.documents import parse_document, read_document
from pea.workspace.files import Unreadable
from tests.absent import DATA, needs

FILES = DATA / "files" / "tika"


def paragraphs(body: bytes) -> list[str]:
    return [p.text for p in parse_document(b"{\\rtf1\\ansi " + body + b"}", "a.rtf").passages]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"one\\par two", ["one", "two"]),
        (b"B{\\b er}lin", ["Berlin"]),
        (b"\\'fcber", ["über"]),
        (b"\\ansicpg1250 za\\'bf\\'f3\\'b3\\'e6", ["zażółć"]),
        (b"\\u8364?5", ["€5"]),
        (b"\\uc2\\u8364\\'80\\'805", ["€5"]),
        (b"\\u-10179?\\u-8704?", ["😀"]),
        (b"{\\fonttbl{\\f1\\fcharset204 Arial;}}\\f1\\'cf\\'f0\\'e8", ["При"]),
        (b"{\\*\\unknown secret}shown", ["shown"]),
        (b"{\\info{\\author A}}{\\pict 00ff}text", ["text"]),
        (b"a\\cell b\\row c\\cell d\\row", ["a | b", "c | d"]),
        (b"\\{x\\} \\\\ \\~", ["{x} \\"]),
        (b"before{\\pict\\bin5 }}}{{}after", ["beforeafter"]),
    ],
)
def test_text(body: bytes, expected: list[str]) -> None:
    """Control words, code pages, Unicode with its replacement, skipped destinations, tables and binary runs."""
    assert paragraphs(body) == expected


def test_what_follows_the_document_is_ignored() -> None:
    """Bytes after the last brace are no text."""
    assert [p.text for p in parse_document(b"{\\rtf1 in}out", "a.rtf").passages] == ["in"]


def test_the_title_is_the_one_in_its_information() -> None:
    """The title stands in the information group and is not part of the text."""
    document = parse_document(b"{\\rtf1{\\info{\\title Terms}}words}", "a.rtf")
    assert (document.title, [p.text for p in document.passages]) == ("Terms", ["words"])


def test_braces_without_end_are_bounded() -> None:
    """A hundred thousand open groups cost no recursion."""
    assert paragraphs(b"{" * 100_000 + b"deep") == ["deep"]


@given(st.lists(st.sampled_from([b"{", b"}", b"\\", b"\\par ", b"\\u55357?", b"\\'e", b"\\bin99999 ", b"\\*", b"x"])))
@settings(max_examples=200, deadline=None)
def test_any_tokens_are_read_or_refused(tokens: list[bytes]) -> None:
    """Broken RTF is read as far as it goes, or refused."""
    try:
        assert paragraphs(b"".join(tokens))
    except Unreadable as error:
        reason = error.what
    else:
        reason = ""
    assert reason in ("", "it holds no text")


@needs(FILES)
@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("testRTF.rtf", "Test d\u2019indexation Word"),
        ("testRTF-ms932.rtf", "テスト"),
        ("testRTFJapanese.rtf", "ゾルゲの処刑記録"),
        ("testFontAfterBufferedText.rtf", "Уважаемый клиент!"),
        ("testRTFWindowsCodepage1250.rtf", "zażółć gęślą jaźń"),
        ("testRTFUnicodeGothic.rtf", "𐌲𐌿𐍄𐌹𐍃𐌺"),
        ("testRTFUnicodeUCNControlWordCharacterDoubling.rtf", "年"),
        ("testRTFIgnoredControlWord.rtf", "The quick brown fox jumps over the lazy dog"),
        ("testRTFHexEscapeInsideWord.rtf", "ESPÍRITO SANTO"),
        ("testRTFTableCellSeparation.rtf", "a | b"),
        ("testRTFWordPadCzechCharacters.rtf", "Článek týdne"),
        ("testRTFWithCurlyBraces.rtf", "{ some text inside curly brackets }"),
    ],
)
def test_known_answers(name: str, fragment: str) -> None:
    """A dozen public files, checked by hand."""
    assert any(fragment in p.text for p in read_document(FILES / name).passages)
