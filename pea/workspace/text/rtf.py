r"""RTF: paragraphs out of groups and control words, each run of bytes read in its font's code page.

By Microsoft's Rich Text Format Specification 1.9.1: destinations a reader does not show are skipped with their
groups, ``\uN`` replaces the next ``\ucN`` characters, and bytes mean what the font's ``\fcharset`` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from pea.workspace.files_report import Unreadable
from pea.workspace.text.passages import Extract, Passage, bounded

MAX_DEPTH = 1_000  # groups inside one another; deeper ones are read as if they were not there
_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)|\\",
    re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNSEEN = frozenset(
    (
        "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "objdata", "themedata", "datastore", "fldinst",
        "colorschememapping", "latentstyles", "listtable", "listoverridetable", "rsidtbl", "generator", "xmlnstbl",
        "bkmkstart", "bkmkend", "nonshppict", "filetbl", "revtbl", "pgdsctbl", "template", "listtext", "pntext",
        "list", "listlevel", "leveltext", "levelnumbers", "listname", "listoverride", "panose", "falt", "atnid",
        "atnauthor", "atnref", "atndate",
    )
)  # fmt: skip
_BREAKS = {
    "par": "\n",
    "sect": "\n",
    "page": "\n",
    "row": "\n",
    "line": " ",
    "cell": " | ",
    "tab": "\t",
    "nestcell": " | ",
}
_SIGNS = {
    "lquote": "\u2018", "rquote": "\u2019", "ldblquote": "\u201c", "rdblquote": "\u201d", "bullet": "•",
    "endash": "\u2013", "emdash": "\u2014", "enspace": " ", "emspace": " ",
}  # fmt: skip
_SYMBOLS = {b"~": "\u00a0", b"_": "-", b"\\": "\\", b"{": "{", b"}": "}", b"\n": "\n", b"\r": "\n"}
_CHARSETS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250",
}  # fmt: skip


class _Group(msgspec.Struct):
    """What holds inside a pair of braces."""

    destination: str = ""
    unseen: bool = False
    charset: str = ""
    replaced: int = 1  # characters that stand in for one \\uN


def read(data: bytes) -> Extract:
    """Paragraphs of an RTF file, each with its number. Raises Unreadable when it is none, or holds no text."""
    if not data.lstrip()[:5].startswith(b"{\\rtf"):
        raise Unreadable("it is not RTF")
    reader = _Reader()
    text = _CONTROL.sub("", "".join(reader.pieces(data)))
    paragraphs = (" ".join(part.strip(" |\t").split()) for part in text.split("\n"))
    found = (Passage(part, f"paragraph {number}") for number, part in enumerate(filter(None, paragraphs), 1))
    extract = bounded(found, " ".join("".join(reader.title).split())[:200])
    if not extract.passages:
        raise Unreadable("it holds no text")
    return extract


class _Reader:
    """Walks the tokens once; groups are a stack, never recursion."""

    def __init__(self) -> None:
        self.title: list[str] = []
        self._group = _Group()
        self._outer: list[_Group] = []
        self._charset = "cp1252"
        self._fonts: dict[int, str] = {}
        self._font = 0  # the one that the font table is telling of
        self._skip = 0  # characters still to be passed over after a \\uN
        self._bytes = bytearray()
        self._high = ""  # the first half of a surrogate pair

    def pieces(self, data: bytes) -> Iterator[str]:
        """The text in order; the title goes into ``title``."""
        at = 0
        while match := _TOKEN.match(data, at):
            word, number, hexadecimal, symbol, brace, plain = match.groups()
            at = match.end()
            if word == b"bin":  # so many bytes of anything follow, braces and backslashes among them
                at += max(0, int(number or 0))
                continue
            if plain is not None or hexadecimal is not None:
                raw = plain if plain is not None else bytes.fromhex(hexadecimal.decode())
                kept = raw[self._skip :]
                self._skip = max(0, self._skip - len(raw))
                self._bytes += kept
                self._high = "" if kept else self._high
                continue
            if word or symbol or brace:
                yield from self._show(self._decoded())
            if brace:
                self._skip = 0
                self._brace(brace)
                if not self._outer:  # what follows the last brace is no part of the document
                    break
            elif word:
                yield from self._show(self._word(word.decode().lower(), number))
            elif symbol == b"*":  # it means "skip what you do not know" only where a group begins
                self._group.unseen = self._group.unseen or data[match.start() - 1 : match.start()] == b"{"
            elif symbol:
                yield from self._show(_SYMBOLS.get(symbol, ""))
        yield from self._show(self._decoded())

    def _show(self, text: str) -> Iterator[str]:
        if self._group.destination == "title":
            self.title.append(text)
        elif text and not self._group.unseen:
            yield text

    def _decoded(self) -> str:
        data, self._bytes = bytes(self._bytes), bytearray()
        return data.decode(self._group.charset or self._charset, "replace")

    def _brace(self, brace: bytes) -> None:
        if brace == b"{":
            if len(self._outer) < MAX_DEPTH:
                self._outer.append(self._group)
                inner = "" if self._group.destination == "title" else self._group.destination
                self._group = msgspec.structs.replace(self._group, destination=inner)
        elif self._outer:
            self._group = self._outer.pop()

    def _word(self, word: str, digits: bytes | None) -> str:
        """What a control word shows; most only change the state."""
        number = int(digits) if digits else 0
        group = self._group
        if word in _UNSEEN:
            group.unseen, group.destination = True, word
        elif word == "title" and group.destination == "info":
            group.destination = "title"
        elif word == "shppict":
            group.unseen = True
        elif word == "ansicpg":
            self._charset = _known(f"cp{number}") or self._charset
        elif word == "mac":
            self._charset = "mac_roman"
        elif word == "uc":
            group.replaced = max(0, min(number, 10))
        elif word == "u":
            return self._unicode(number)
        elif word == "f" and group.destination == "fonttbl":
            self._font = number
        elif word == "fcharset":
            self._fonts[self._font] = _CHARSETS.get(number, "")
        elif word == "f":
            group.charset = self._fonts.get(number, "")
        elif word == "plain":
            group.charset = ""
        return _BREAKS.get(word) or _SIGNS.get(word, "")

    def _unicode(self, number: int) -> str:
        self._skip = self._group.replaced
        code = number + 0x10000 if number < 0 else number
        if 0xD800 <= code < 0xDC00:
            self._high = chr(code)
            return ""
        high, self._high = self._high, ""
        if 0xDC00 <= code < 0xE000:
            pair = (high + chr(code)).encode("utf-16-le", "surrogatepass")
            return pair.decode("utf-16-le", "replace") if high else "\ufffd"
        return chr(code) if 0 < code < 0x110000 else ""


def _known(charset: str) -> str:
    try:
        "".encode(charset)
    except LookupError:
        return ""
    return charset
