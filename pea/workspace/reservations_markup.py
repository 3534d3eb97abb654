"""What a web page or HTML mail says to machines: JSON-LD and microdata items as plain dictionaries.

Both come from strangers: depth, size and number are bounded, nothing is fetched, what cannot be read is passed over.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import msgspec

from pea.workspace.reservations import Item

MAX_HTML_CHARS = 2_000_000
MAX_BLOCKS = 50
MAX_ITEMS = 200
MAX_DEPTH = 12

_BLOCK = re.compile(
    r"<script[^>]{0,200}type\s*=\s*[\"']?application/ld\+json[^>]{0,200}>(.*?)</script", re.IGNORECASE | re.DOTALL
)
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)


def items(html: str) -> list[Item]:
    """The items of a page, each with its ``@type`` (the last part of its address), in the page's order."""
    html = html[:MAX_HTML_CHARS]
    found: list[Item] = []
    for block in list(_BLOCK.finditer(html))[:MAX_BLOCKS]:
        try:
            found += _flat(msgspec.json.decode(block[1].strip().encode("utf-8", "replace")), 0)
        except (msgspec.DecodeError, RecursionError):  # not JSON: nothing is said
            continue
    if "itemtype" in html.lower():
        parser = _Microdata()
        parser.feed(html)
        parser.close()
        found += parser.found
    return found[:MAX_ITEMS]


def _flat(value: Any, depth: int) -> list[Item]:
    """The items of a JSON-LD document, which may stand in lists and under ``@graph``."""
    if depth > MAX_DEPTH:
        return []
    if isinstance(value, list):
        return [item for one in value[:MAX_ITEMS] for item in _flat(one, depth + 1)]
    if not isinstance(value, dict):
        return []
    inner = _flat(value["@graph"], depth + 1) if "@graph" in value else []
    return [value, *inner] if "@type" in value else inner


class _Microdata(HTMLParser):
    """Collects top items of HTML microdata (https://html.spec.whatwg.org/#microdata), nested ones inside them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Item] = []
        self._open: list[tuple[str, Item | None, str, list[str] | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("itemprop", "")
        item: Item | None = None
        text: list[str] | None = None
        if "itemscope" in given and len(self._open) < 500:
            item = {"@type": given.get("itemtype", "").rstrip("/").rpartition("/")[2]}
            parent = self._parent()
            if parent is not None and name:
                _add(parent, name, item)
            elif len(self.found) < MAX_ITEMS:
                self.found.append(item)
        elif name:
            parent = self._parent()
            stated = given.get("content") or given.get("datetime") or (given.get("href") or given.get("src"))
            if parent is not None and stated:
                _add(parent, name, stated[:2_000])
            elif tag not in _VOID:
                text = []
        if tag not in _VOID:
            self._open.append((tag, item, name, text))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if all(open_tag != tag for open_tag, *_ in self._open):
            return
        while self._open:
            open_tag, _item, name, text = self._open.pop()
            parent = self._parent()
            if text is not None and parent is not None:
                _add(parent, name, " ".join("".join(text).split())[:2_000])
            if open_tag == tag:
                return

    def handle_data(self, data: str) -> None:
        for _tag, _item, _name, text in self._open:
            if text is not None and len(text) < 100:
                text.append(data)

    def _parent(self) -> Item | None:
        return next((item for _tag, item, _name, _text in reversed(self._open) if item is not None), None)


def _add(item: Item, name: str, value: Any) -> None:
    for one in name.split()[:5]:
        item.setdefault(one, value)
