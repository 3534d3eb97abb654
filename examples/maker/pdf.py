"""PDF: pages of text drawn object by object (ISO 32000-1), a locked one, and a picture of text."""

from __future__ import annotations

import io
import re
import textwrap
import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from maker.letters import drawn

WIDTH, HEIGHT, MARGIN = 595, 842, 64  # A4 in points
SIZE, LEADING, COLUMNS = 10.5, 15, 84


def text(story: dict[str, Any]) -> bytes:
    """A document of the story's pages, in Helvetica; lines with columns are set in Courier."""
    pages = [_page(page["text"].strip("\n").splitlines()) for page in story["page"]]
    fonts = b"/Font << " + b" ".join(
        b"/%s << /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>" % font
        for font in ((b"F1", b"Helvetica"), (b"F2", b"Helvetica-Bold"), (b"F3", b"Courier"))
    )
    return _document([(page, fonts + b" >>") for page in pages], story)


def locked(story: dict[str, Any], password: str) -> bytes:
    """The same, encrypted so that only the password opens it (RC4 with 128 bits, as older programs still do)."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import ArrayObject, ByteStringObject

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(text(story))))
    identifier = ByteStringObject(b"havelmark-salary")
    writer._ID = ArrayObject((identifier, identifier))  # the key is derived from it, so it must not change
    writer.encrypt(password, algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    # pypdf draws the second identifier at random; nothing depends on it.
    return re.sub(rb"(/ID \[ <([0-9a-f]+)> )<[0-9a-f]+>", rb"\1<\2>", buffer.getvalue())


def scan(lines: Sequence[str]) -> bytes:
    """One page that is nothing but a grey picture of ``lines``, as a scanner makes it."""
    width, height, pixels = drawn(lines)
    image = _stream(
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
        b" /Filter /FlateDecode" % (width, height),
        zlib.compress(pixels, 9),
    )
    page = b"q %d 0 0 %d %d %d cm /Im1 Do Q" % (460, 460 * height // width, MARGIN, HEIGHT // 2)
    story = {"title": "", "author": "Scanner", "created": datetime(2026, 5, 11, 14, 55)}  # noqa: DTZ001  PDF local time
    return _document([(page, b"/XObject << /Im1 %d 0 R >>")], story, image)


def _page(lines: Sequence[str]) -> bytes:
    """The content stream of one page."""
    drawn_lines: list[tuple[str, bytes]] = []
    for line in lines:
        if line.startswith("# "):
            drawn_lines.append(("/F2 13 Tf", _literal(line[2:])))
        elif "   " in line:
            drawn_lines.append(("/F3 9.5 Tf", _literal(line)))
        else:
            drawn_lines += [(f"/F1 {SIZE} Tf", _literal(piece)) for piece in textwrap.wrap(line, COLUMNS) or [""]]
    body = b"".join(font.encode() + b" " + literal + b" Tj T*\n" for font, literal in drawn_lines)
    return b"BT %d TL %d %d Td\n" % (LEADING, MARGIN, HEIGHT - MARGIN) + body + b"ET"


def _literal(line: str) -> bytes:
    data = line.encode("cp1252")
    for character in (b"\\", b"(", b")"):
        data = data.replace(character, b"\\" + character)
    return b"(" + data + b")"


def _stream(dictionary: bytes, data: bytes) -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (dictionary, len(data), data)


def _document(pages: Sequence[tuple[bytes, bytes]], story: dict[str, Any], image: bytes | None = None) -> bytes:
    """The file: catalogue, page tree, information, pages, and the picture as the last object."""
    first = 4
    numbers = [first + 2 * index for index in range(len(pages))]
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d /MediaBox [0 0 %d %d] >>" % (kids, len(pages), WIDTH, HEIGHT),
        b"<< /Title %s /Author %s /CreationDate (D:%s) >>"
        % (_literal(story["title"]), _literal(story["author"]), f"{story['created']:%Y%m%d%H%M%S}".encode()),
    ]
    picture = first + 2 * len(pages)
    for number, (content, resources) in zip(numbers, pages, strict=True):
        named = resources if image is None else resources % picture
        page = b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R /Resources << %s >> >>" % (number + 1, named)
        objects += [page, _stream(b"", content)]
    if image is not None:
        objects.append(image)
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    data, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R /Info 3 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table) + trailer
