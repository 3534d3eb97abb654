"""Plain text, Markdown and reStructuredText: paragraphs with their line, under the heading above them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pea.workspace.files_report import Unreadable
from pea.workspace.text.decode import decode
from pea.workspace.text.passages import Extract, Passage, bounded

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}#{1,6}(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_ADORNMENT = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*$")
_ITEM = re.compile(r"\s{0,12}(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_ROW_RULE = re.compile(r"[\s|:+=-]+$")
_LINK = re.compile(r"!?\[([^\[\]]{0,500})\](?:\([^()\s]{0,1000}(?:[ \t]+\"[^\"]{0,200}\")?\)|\[[^\[\]]{0,200}\])")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|__)(?=\S)([^*\n]{1,500}?)(?<=\S)\1(?![\w*])")
_CODE = re.compile(r"`{1,2}([^`\n]{1,500})`{1,2}")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,300}>")

Line = tuple[int, str]


def read_text(data: bytes) -> Extract:
    """Paragraphs of a plain text, each with its first line's number. Raises Unreadable when there is none."""
    lines = _lines(data)
    return _extract(_paragraphs(lines, _no_heading), "")


def read_markdown(data: bytes) -> Extract:
    """Paragraphs, list items and headings of a Markdown text, marks taken off; front matter gives the title."""
    lines, title = _front_matter(_lines(data))
    return _extract(_paragraphs(lines, _markdown_heading, _without_marks), title)


def read_rst(data: bytes) -> Extract:
    """Paragraphs and headings of a reStructuredText file."""
    return _extract(_paragraphs(_lines(data), _rst_heading), "")


def _lines(data: bytes) -> list[Line]:
    return list(enumerate(decode(data).split("\n"), 1))


def _extract(found: Iterator[Passage], title: str) -> Extract:
    extract = bounded(found, title)
    if not extract.passages:
        raise Unreadable("it holds no text")
    if not title:
        first = next((p.text for p in extract.passages if p.heading), "")
        extract = Extract(extract.passages, first[:200], extract.notes)
    return extract


Heading = Callable[[str, str], tuple[str, int] | None]


def _no_heading(_line: str, _following: str) -> None:
    return None


def _markdown_heading(line: str, following: str) -> tuple[str, int] | None:
    """The heading that begins at ``line`` and how many lines it takes, or None."""
    atx = _ATX.match(line)
    if atx:
        return atx[1] or "", 1
    if line.strip() and _SETEXT.match(following) and not _ITEM.match(line) and "|" not in line:
        return line.strip(), 2
    return None


def _rst_heading(line: str, following: str) -> tuple[str, int] | None:
    mark = _ADORNMENT.match(following)
    if line.strip() and not line[0].isspace() and mark and len(following.rstrip()) >= len(line.rstrip()):
        return ("" if _ADORNMENT.match(line) else line.strip()), 2
    if _ADORNMENT.match(line):  # the line above a heading, or a transition
        return "", 1
    return None


def _paragraphs(lines: list[Line], heading_at: Heading, clean: Callable[[str], str] = str.strip) -> Iterator[Passage]:
    """Split at blank lines, headings and, in lists, items; code between fences stays as it is."""
    heading, fence, skip = "", "", 0
    held: list[Line] = []

    def passage() -> Iterator[Passage]:
        text = clean("\n".join(line for _, line in held)) if held else ""
        if text:
            yield Passage(text, _place(held[0][0], heading))
        held.clear()

    for index, (number, line) in enumerate(lines):
        if skip:
            skip -= 1
            continue
        mark = _FENCE.match(line) if clean is _without_marks else None
        if mark or fence:
            if mark and not fence:
                yield from passage()
                fence = mark[1]
            elif mark and fence and line.strip().startswith(fence):
                yield from passage()
                fence = ""
            else:
                held.append((number, line))
            continue
        found = heading_at(line, lines[index + 1][1] if index + 1 < len(lines) and not held else "")
        if found:
            yield from passage()
            text, skip = clean(found[0]), found[1] - 1
            if text:
                heading = text[:80]
                yield Passage(text, _place(number, ""), heading=True)
        elif not line.strip():
            yield from passage()
        else:
            if held and _ITEM.match(line):
                yield from passage()
            held.append((number, line))
    yield from passage()


def _place(number: int, heading: str) -> str:
    return f"line {number}" + (f" under “{heading}”" if heading else "")


def _without_marks(text: str) -> str:
    rows = [row for row in text.split("\n") if not ("|" in row and _ROW_RULE.match(row))]
    text = "\n".join(row.strip().strip("|").strip().lstrip("> ") if "|" in row else row for row in rows)
    text = _LINK.sub(r"\1", text)
    text = _EMPHASIS.sub(r"\2", text)
    text = _CODE.sub(r"\1", text)
    return _TAG.sub("", text).strip()


def _front_matter(lines: list[Line]) -> tuple[list[Line], str]:
    """Take ``---`` front matter off; its ``title:`` is the document's."""
    if not lines or lines[0][1].strip() != "---":
        return lines, ""
    for index, (_, line) in enumerate(lines[1:200], 1):
        if line.strip() in ("---", "..."):
            fields = (text for _, text in lines[1:index])
            title = next((text[6:].strip().strip("\"'") for text in fields if text.lower().startswith("title:")), "")
            return lines[index + 1 :], title
    return lines, ""
