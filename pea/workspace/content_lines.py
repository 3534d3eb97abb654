"""Content lines, the syntax that iCalendar (RFC 5545), vCard (RFC 6350) and their elders share, read forgivingly.

Real files are folded wrongly, mix encodings and line ends, and carry garbage: whatever still has the form
``NAME;PARAM=value:text`` is kept, and what had to be guessed is said in a note.
"""

from __future__ import annotations

import codecs
import quopri
import re

import msgspec

from pea.workspace.files_report import Unreadable

MAX_LINE_CHARS = 1 << 20
MAX_LINES = 2_000_000
MAX_PARAMS = 200

# Two returns before a newline come from mail gateways; a bound, so that a file of returns alone stays cheap.
_FOLD = re.compile(rb"(?:\r{0,2}\n|\r)[ \t]")
_BREAK = re.compile(r"\r{0,2}\n|\r")
_BYTES_BREAK = re.compile(rb"\r{0,2}\n|\r")
_NAME = re.compile(r"(?:[A-Za-z0-9-]+\.)?([A-Za-z][A-Za-z0-9-]*)(?=[;:])")
_PARAM = re.compile(r';([^=:;"]*)(?:=((?:"[^"]*"|[^";:,])*(?:,(?:"[^"]*"|[^";:,])*)*))?')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CARET = re.compile(r"\^([n^'])")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class ContentLine(msgspec.Struct, frozen=True):
    """One logical line: its name in capitals, parameters (names in capitals) and value, still escaped."""

    name: str
    params: dict[str, tuple[str, ...]]
    value: str

    def param(self, name: str) -> str:
        """The first value of a parameter, or nothing."""
        return self.params.get(name, ("",))[0]

    def text(self) -> str:
        """The value as text: quoted-printable decoded (vCard 2.1), backslashes taken away."""
        if self.param("ENCODING").upper() == "QUOTED-PRINTABLE" or "QUOTED-PRINTABLE" in self.params:
            return unescape(_from_quoted_printable(self.value, self.param("CHARSET")))
        return unescape(self.value)


def logical_lines(data: bytes) -> tuple[list[str], list[str]]:
    """Decode and unfold a file into its logical lines, with notes on what had to be guessed.

    Raises Unreadable when the file is empty or is not text.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise Unreadable("it is empty")
    notes: list[str] = []
    charset, data = _charset(data)
    if charset is not None and charset != "utf-8":
        text = data.decode(charset, "replace")
        data = text.encode("utf-8", "replace")
    # Unfolded before decoding: a fold may stand in the middle of a character.
    data = _FOLD.sub(b"", data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\n".join(_decode_line(line) for line in _BYTES_BREAK.split(data))
        notes.append("some text is not UTF-8 and was read as Windows-1252")
    if text.count("\0") > len(text) // 8:
        raise Unreadable("it is not a text file")
    lines = [line[:MAX_LINE_CHARS] for line in _BREAK.split(text.replace("\0", "")) if line and not line.isspace()]
    if len(lines) > MAX_LINES:
        notes.append(f"it has more than {MAX_LINES:,} lines; the rest were not read")
    return _join_soft_breaks(lines[:MAX_LINES]), notes


def parse_line(line: str) -> ContentLine | None:
    """Read one logical line; None when it has not the form of one."""
    line = line.lstrip("\ufeff \t")
    head = _NAME.match(line)
    if head is None:
        return None
    params: dict[str, tuple[str, ...]] = {}
    at, given_so_far = head.end(), 0
    while line.startswith(";", at):
        match = _PARAM.match(line, at)
        given_so_far += 1
        if match is None or match.end() == at or given_so_far > MAX_PARAMS:
            return None
        name, given = match[1].strip().upper(), match[2]
        values = ("",) if given is None else tuple(_from_caret(v) for v in _split_values(given))
        params[name] = params.get(name, ()) + values
        at = match.end()
    if not line.startswith(":", at):
        return None
    return ContentLine(head[1].upper(), params, line[at + 1 :])


def unescape(text: str) -> str:
    r"""Take away the escapes of a text value: ``\n``, ``\,``, ``\;`` and ``\\``."""
    return _ESCAPE.sub(lambda m: "\n" if m[1] in "nN" else m[1], text) if "\\" in text else text


def split_escaped(text: str, separator: str) -> list[str]:
    """Split a structured value at separators that are not escaped, and unescape the parts."""
    if "\\" not in text:
        return text.split(separator)
    parts, start = list[str](), 0
    for match in re.finditer(rf"\\.|{re.escape(separator)}", text, re.DOTALL):
        if match[0] == separator:
            parts.append(text[start : match.start()])
            start = match.end()
    return [unescape(part) for part in (*parts, text[start:])]


def _charset(data: bytes) -> tuple[str | None, bytes]:
    """The encoding a file declares by its first bytes, and the file without the mark."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name, data[len(mark) :]
    start = data[:64]
    if start[1::2].count(0) > len(start) // 3:
        return "utf-16-le", data
    if start[::2].count(0) > len(start) // 3:
        return "utf-16-be", data
    return None, data


def _decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return line.decode("cp1252")
        except UnicodeDecodeError:
            return line.decode("latin-1")


def _join_soft_breaks(lines: list[str]) -> list[str]:
    """Join what quoted-printable broke with a ``=`` at the end of the line (vCard 2.1, vCalendar 1.0)."""
    joined: list[str] = []
    soft = False
    for line in lines:
        if soft:
            joined[-1] = joined[-1][:-1] + line
        else:
            joined.append(line)
        soft = line.endswith("=") and "QUOTED-PRINTABLE" in joined[-1].partition(":")[0].upper()
    return joined


def _split_values(given: str) -> list[str]:
    if '"' not in given:
        return given.split(",")
    return [value.strip('"') for value in re.findall(r'(?:"[^"]*"|[^",])+', given)]


def _from_caret(value: str) -> str:
    """Take away the escapes of a parameter value (RFC 6868)."""
    return _CARET.sub(lambda m: {"n": "\n", "^": "^", "'": '"'}[m[1]], value) if "^" in value else value


def _from_quoted_printable(value: str, charset: str) -> str:
    data = quopri.decodestring(value.encode("utf-8", "replace"))
    for name in (charset or "utf-8", "cp1252"):
        try:
            return data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("latin-1")
