"""Header fields as they come: encoded words, eight-bit text, addresses and dates of every age and make."""

from __future__ import annotations

import base64
import binascii
import email.utils
import quopri
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone

from pea.workspace.mail.message import Address
from pea.workspace.text.decode import decode_as

MAX_HEADER_CHARS = 32_768
MAX_ADDRESSES = 200
MAX_REFERENCES = 100
MAX_MARKS = 300
FIRST_YEAR, LAST_YEAR = 1971, 2100  # a mail dated outside is misdated
_WORD = re.compile(r"=\?([^?*\s]{1,40})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?]*)\?=")
_LOOSE = re.compile(r"[^\s<>,;:\"()\[\]@]{1,128}@[^\s<>,;:\"()\[\]@]{1,255}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_ID = re.compile(r"<([^<>\s]{1,500})>")
_APPLE_DATE = re.compile(r"(\d{1,2} \w{3,9} \d{4}) at (\d\d?:\d\d(?::\d\d)?)\s*(?:GMT|UTC)?([+-]\d{1,2})?", re.ASCII)


def unfold(raw: str) -> str:
    """A raw header value (surrogates standing for eight-bit bytes) as text on one line, encoded words decoded."""
    raw = raw[:MAX_HEADER_CHARS]
    if not raw.isascii():
        raw = decode_as(raw.encode("utf-8", "surrogateescape"))
    return " ".join(_CONTROL.sub(" ", decode_words(raw)).split())


def decode_words(text: str) -> str:
    """Decode RFC 2047 encoded words, with RFC 2231 language tags; neighbours in one charset are joined first.

    A character cut in two by the sender's folding is thus whole again; what is malformed stays as it was written.
    """
    out: list[str] = []
    run, charset, end = bytearray(), "", 0
    for match in _WORD.finditer(text):
        between = text[end : match.start()]
        data = _word_bytes(match[2], match[3])
        if data is None:
            continue
        if (run and between.strip()) or match[1].lower() != charset or not run:
            out.append(decode_as(bytes(run), charset) if run else "")
            run.clear()
        if between.strip() or not charset:
            out.append(between)
        run += data
        charset, end = match[1].lower(), match.end()
    if run:
        out.append(decode_as(bytes(run), charset))
    out.append(text[end:])
    return "".join(out)


def _word_bytes(encoding: str, text: str) -> bytes | None:
    data = text.encode("utf-8", "surrogateescape")
    if encoding in "qQ":
        return quopri.decodestring(data, header=True)
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return None


def addresses(raws: Iterable[str]) -> tuple[Address, ...]:
    """The mailboxes of address headers; one without an ``@`` is kept as a name; an empty group is none."""
    found: dict[Address, None] = {}
    for raw in raws:
        text = raw[:MAX_HEADER_CHARS]
        if not text.isascii():
            text = decode_as(text.encode("utf-8", "surrogateescape"))
        text = " ".join(_CONTROL.sub(" ", text).split())
        own = [one for one in (_address(decode_words(name), where) for name, where in _pairs(text)) if one is not None]
        if text and not own and not text.endswith(":;"):
            own = [Address("", decode_words(text[:1_000]).strip('<>" ')[:200])]
        found.update(dict.fromkeys(own[: MAX_ADDRESSES - len(found)]))
    return tuple(found)


def _pairs(text: str) -> list[tuple[str, str]]:
    """Names and addresses by the standard parser; by their looks alone where that one gives up."""
    # It recurses at each of these marks, and takes the square of their number in time.
    if sum(map(text.count, "([:")) < MAX_MARKS:
        pairs = [pair for pair in email.utils.getaddresses([text]) if any(pair)]
        if pairs:  # it gives none at all for a list with one bad member
            return pairs
    return [("", where) for where in _LOOSE.findall(text)]


def _address(name: str, where: str) -> Address | None:
    name = " ".join(name.split()).strip("'\" ")[:200]
    where = where.strip().strip("'")[:320]
    if "@" in where and " " not in where:
        return Address(where.lower(), "" if name.lower() == where.lower() else name)
    plain = name or decode_words(where)
    return Address("", plain) if plain else None


def message_ids(*raws: str) -> tuple[str, ...]:
    """Message ids in order of mention, each once; the newest are kept when there are too many."""
    found: dict[str, None] = {}
    for raw in raws:
        ids = _ID.findall(raw[:MAX_HEADER_CHARS])
        # Old programs wrote the bare id: it is one when it has an @ and no space.
        bare = [] if ids else [word for word in raw.split()[:1] if "@" in word]
        found.update(dict.fromkeys(ids or bare))
    return tuple(found)[-MAX_REFERENCES:]


def date_of(raw: str) -> datetime | None:
    """A date header as an aware time, or None when it is none or absurd (before 1971, after 2100)."""
    text = " ".join(raw[:200].split())
    apple = _APPLE_DATE.search(text)
    if apple:
        hours = int(apple[3] or 0)
        text = f"{apple[1]} {apple[2]} {'+' if hours >= 0 else '-'}{abs(hours):02d}00"
    try:
        parts = email.utils.parsedate_tz(text)
        if parts is None:
            return None
        shift = timedelta(seconds=parts[9] or 0)
        zone = timezone(shift) if shift and abs(shift) < timedelta(hours=24) else UTC
        moment = datetime(*parts[:6], tzinfo=zone)
        return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def received_date(raws: Iterable[str]) -> datetime | None:
    """When the first (topmost, nearest to us) Received header that can be read says that the mail came in."""
    for raw in raws:
        found = date_of(raw.rpartition(";")[2])
        if found is not None:
            return found
    return None
