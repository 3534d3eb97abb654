"""HTML becomes passages: blocks apart, quotes marked with ``>``, what a reader would not see left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple

from pea.workspace.files_report import Unreadable
from pea.workspace.text.decode import decode
from pea.workspace.text.passages import Extract, Passage, bounded

MAX_HTML_CHARS = 1_000_000
MAX_TAG_CHARS = 2_000
_UNSEEN = {"script", "style", "head", "template", "noscript", "svg", "math", "object", "select", "iframe"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_BLOCKS = _HEADINGS | {
    "address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt", "fieldset", "figure",
    "footer", "form", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul",
}  # fmt: skip
_APART = _HEADINGS | {"p", "table", "ul", "ol", "dl", "blockquote", "pre", "hr"}  # a blank line stands around these
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])", re.IGNORECASE)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_DATA_URI = re.compile(r"data:[\w/+.-]{0,100};base64,[A-Za-z0-9+/=\s]*")
# The parser of CPython ≤ 3.13.5 is quadratic in tags that never end; such a "<" is no tag but a character.
_ENDLESS_TAG = re.compile(rf"<(?![^>]{{0,{MAX_TAG_CHARS}}}>)")
_BREAKS = re.compile(r"[ \t\r\n\f]+")
_SPACE = re.compile(r"[^\S\n]+")


class Block(NamedTuple):
    """The text between two block tags; ``depth`` of quotation, ``apart`` when a blank line belongs above it."""

    text: str
    heading: bool
    depth: int
    apart: bool


def read(data: bytes) -> Extract:
    """Passages of an HTML file, placed by the heading above them. Raises Unreadable when no text is in it."""
    declared = _META_CHARSET.search(data[:4096])
    text = decode(data, declared[1].decode("ascii", "replace") if declared else "")
    blocks, title = parse(text)
    notes = ("only the first 1,000,000 characters were read",) if len(text) > MAX_HTML_CHARS else ()
    extract = bounded(_placed(blocks), title, notes)
    if not extract.passages:
        raise Unreadable("it holds no text")
    return extract


def to_text(html: str) -> str:
    """The text of an HTML mail body, one line per block, quoted blocks begun with ``> `` as in plain-text mail."""
    blocks, _ = parse(html)
    lines: list[str] = []
    before = 0
    for block in blocks:
        if lines and (block.apart or block.depth != before):
            lines.append(("> " * min(block.depth, before)).rstrip())
        lines.extend(("> " * block.depth + line).rstrip() for line in block.text.split("\n"))
        before = block.depth
    return "\n".join(lines).strip("\n")


def parse(html: str) -> tuple[list[Block], str]:
    """Blocks in order, and the title; bounded and linear in time."""
    reader = _Reader()
    clean = _DATA_URI.sub("", _without_comments(html[:MAX_HTML_CHARS]))
    reader.feed(_ENDLESS_TAG.sub("&lt;", clean))
    reader.close()
    reader.end_block()
    return reader.blocks, reader.title.strip()


def _without_comments(html: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := html.find("<!--", at)) >= 0:
        kept.append(html[at:start])
        end = html.find("-->", start + 4)
        if end < 0:
            kept.append(html[start + 4 :])
            return "".join(kept).replace("<!--", "")
        at = end + 3
    kept.append(html[at:])
    return "".join(kept)


def _placed(blocks: list[Block]) -> Iterator[Passage]:
    heading = ""
    for number, block in enumerate(blocks, 1):
        if block.heading:
            heading = block.text.replace("\n", " ")[:80]
        place = f"paragraph {number}" + (f" under “{heading}”" if heading and not block.heading else "")
        yield Passage(block.text, place, block.heading)


class _Reader(HTMLParser):
    """Collects blocks; holds no tree, so depth of nesting costs nothing."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.title = ""
        self._parts: list[str] = []
        self._unseen: list[str] = []  # the element that hides, then those of the same name inside it
        self._quotes = 0
        self._heading = False
        self._apart = False
        self._pre = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a block, or begin to look away."""
        if tag == "title":
            self._in_title = True
        if self._unseen:
            if tag == self._unseen[0]:
                self._unseen.append(tag)
            elif tag == "body" and self._unseen[0] == "head":  # a head that was never closed
                self._unseen.clear()
            return
        if tag in _VOID:
            self._void(tag)
            return
        if tag in _UNSEEN or _hides(attrs):
            self._unseen.append(tag)
            return
        if tag in ("td", "th") and self._parts:
            self._parts.append(" \u00a0")
        if tag not in _BLOCKS:
            return
        self.end_block()
        self._apart = self._apart or tag in _APART
        self._heading = tag in _HEADINGS
        if tag == "li":
            self._parts.append("- ")
        elif tag == "blockquote":
            self._quotes = min(self._quotes + 1, 20)
        elif tag == "pre":
            self._pre += 1

    def handle_endtag(self, tag: str) -> None:
        """Close a block, or look again."""
        if tag == "title":
            self._in_title = False
        if self._unseen:
            if tag == self._unseen[0]:
                self._unseen.pop()
            return
        if tag in _BLOCKS:
            self.end_block()
            self._apart = self._apart or tag in _APART
            if tag == "blockquote":
                self._quotes = max(0, self._quotes - 1)
            elif tag == "pre":
                self._pre = max(0, self._pre - 1)
            self._heading = False

    def handle_data(self, data: str) -> None:
        """Text, if a reader would see it."""
        if self._in_title and len(self.title) < 500:
            self.title += " ".join(data.split())
        elif not self._unseen:
            self._parts.append(data if self._pre else _BREAKS.sub(" ", data))

    def end_block(self) -> None:
        """File what was collected as one block."""
        text = "".join(self._parts).replace(" \u00a0", " | ")
        lines = [_SPACE.sub(" ", line).strip(" ") if not self._pre else line.rstrip() for line in text.split("\n")]
        text = "\n".join(lines).strip("\n")
        if text.strip(" -|"):
            self.blocks.append(Block(text, self._heading, self._quotes, self._apart))
            self._apart = False
        self._parts.clear()

    def _void(self, tag: str) -> None:
        if tag == "br":
            self._parts.append("\n")
        elif tag == "hr":
            self.end_block()
            self._apart = True


def _hides(attrs: list[tuple[str, str | None]]) -> bool:
    return any(name == "hidden" or (name == "style" and value and _HIDDEN_STYLE.search(value)) for name, value in attrs)
