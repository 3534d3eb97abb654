"""What the audit log says of one request, and how each line is chained to the one before it.

A line is a JSON object whose last member ``hash`` is the SHA-256 of the object without it; ``prev`` is the hash of the
line before. So a line that was changed, taken out, put in or moved breaks the chain at that place. The chain goes on
from file to file. Someone who may write the files can compute a whole new chain: that is found by a hash noted
elsewhere, which is why the service logs the last one when it stops and when a file is full (`pea audit verify
--expect`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

GENESIS = "0" * 64
MAX_LINE = 16_384
MAX_TEXT = 512
FOLDER = "audit"

_FILE = re.compile(r"audit-(\d{6,12})\.jsonl", re.ASCII)
_TAIL = re.compile(rb',"hash":"([0-9a-f]{64})"\}\Z')

Event = Literal["request", "requests", "opened", "closed", "torn", "lost"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened.

    ``requests`` stands for ``count`` like ones within a minute; ``torn`` for bytes that a crash left; ``lost`` for
    ``count`` requests, refused or given up by who asked, that found no room while the log could not be written.
    """

    event: Event
    at: str  # RFC 3339, UTC
    operation: str = ""
    method: str = ""
    path: str = ""
    status: int = 0
    token: str = ""
    name: str = ""
    remote: str = ""
    subject: str = ""  # what was made: the answer's Location
    trace_id: str = ""
    count: int = 1
    detail: str = ""


class Record(Entry, frozen=True, kw_only=True, omit_defaults=True):
    """An entry in its place in the chain."""

    seq: int
    prev: str
    hash: str = ""


class Head(msgspec.Struct, frozen=True):
    """The chain's end: the last line's number and hash."""

    seq: int = 0
    hash: str = GENESIS


def chained(entry: Entry, head: Head) -> tuple[bytes, Head]:
    """The line that tells of an entry after ``head``, and the new head."""
    record = Record(seq=head.seq + 1, prev=head.hash, **msgspec.structs.asdict(entry))
    body = msgspec.json.encode(record)
    mark = hashlib.sha256(body).hexdigest()
    return body[:-1] + b',"hash":"%b"}\n' % mark.encode(), Head(head.seq + 1, mark)


def unchained(line: bytes) -> Record:
    """A line's record. Raises ValueError, with what is wrong, when the line is not what `chained` made."""
    line = line.removesuffix(b"\n")
    found = _TAIL.search(line)
    if found is None:
        raise ValueError("it is not a whole line of this log")
    if hashlib.sha256(line[: found.start()] + b"}").hexdigest().encode() != found[1]:
        raise ValueError("it was changed: its hash does not fit what it says")
    try:
        return msgspec.json.decode(line, type=Record)
    except msgspec.DecodeError as error:
        raise ValueError(f"it is not a record: {error}") from None


def audit_files(folder: Path) -> list[Path]:
    """The log's files, the oldest first; OSError when the folder cannot be listed."""
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := _FILE.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def audit_name(number: int) -> str:
    """The name of the file that begins with record ``number``."""
    return f"audit-{number:09d}.jsonl"


def lines(path: Path) -> Iterator[bytes]:
    """A file's lines, each of `MAX_LINE` bytes at most: a longer one comes in pieces, none of which is a record."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            yield line


def cut(text: str) -> str:
    """A text of a request, bounded and such that UTF-8 can carry it."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()
