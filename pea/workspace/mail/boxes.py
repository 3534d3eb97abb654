"""Where mails lie: mbox files read by offsets, Maildir files with flags in their names, and single .eml files."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import OrderedDict, deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pea.workspace.files_report import Unreadable
from pea.workspace.mail import headers
from pea.workspace.mail.message import Mailbox, Message
from pea.workspace.mail.parse import MAX_MESSAGE_BYTES, parse_message

READER_VERSION = 1  # raise it when the same bytes begin to give another Message
MAX_MESSAGES = 20_000  # of one mbox file: the newest stand at its end
MAX_MBOX_BYTES = 8 << 30
CHUNK_BYTES = 1 << 20
_LOOK_AHEAD = 1_024
_REMEMBERED = 64  # mboxes whose beginnings are kept for when they grow
_MARK_BYTES = 4_096
_FLAGS = {"S": "seen", "R": "replied", "F": "flagged", "D": "draft", "T": "trashed", "P": "forwarded"}
_SEPARATOR = re.compile(rb"^From [^\r\n]{0,300}?\d\d?:\d\d(?::\d\d)?[^\r\n]{0,60}\r?$", re.MULTILINE)
_YEAR = re.compile(rb"\b(?:19|20)\d\d\b")
_FIELD = re.compile(rb"[!-9;-~]{1,100}[ \t]*:")
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_NOT_MAIL = frozenset(
    ".msf .dat .db .sqlite .index .lock .log .cache .tmp .json .ini .conf .bak .sbd .DS_Store".lower().split()
)
_CONTROL_FILES = re.compile(r"(?:dovecot|courier|maildir|subscriptions|\.|thumbs\.db|desktop\.ini)", re.IGNORECASE)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def accepts(path: PurePosixPath) -> bool:
    """Whether a file in the mail folder is worth opening: not an index, a lock or a Maildir's unfinished delivery."""
    if path.parent.name in ("cur", "new"):
        return True
    if path.parent.name == "tmp" or _CONTROL_FILES.match(path.name):
        return False
    return path.suffix.lower() not in _NOT_MAIL


class MailReader:
    """Reads a mail file of any kind; an mbox that only grew is read from its last mail on."""

    def __init__(self, *, max_messages: int = MAX_MESSAGES) -> None:
        self._max_messages = max_messages
        self._known: OrderedDict[Path, Mailbox] = OrderedDict()

    def __call__(self, path: Path) -> Mailbox:
        """The mails in a file. Raises Unreadable with the reason, OSError as usual."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("it is not a regular file")
            if not status.st_size:
                raise Unreadable("it is empty")
            head = file.read(65_536)
            _check(head)
            begin = len(head) - len(head.lstrip(b"\r\n"))
            if head.startswith(b"From ", begin) and path.parent.name not in ("cur", "new"):
                return self._mbox(path, file, begin, status.st_size)
            file.seek(0)
            data = file.read(MAX_MESSAGE_BYTES)
        flags, arrived = _maildir(path)
        return Mailbox((parse_message(data, flags=flags, arrived=arrived, size=status.st_size),))

    def _mbox(self, path: Path, file: BinaryIO, start: int, size: int) -> Mailbox:
        known = self._known.pop(path, None)
        kept, notes = deque[Message](maxlen=self._max_messages), list[str]()
        if known is not None and known.resume_at < size and _mark(file, known.resume_at) == known.mark:
            start = known.resume_at
            kept.extend(known.messages[:-1])
            notes = list(known.notes)
        offsets = deque(_separators(file, start), maxlen=self._max_messages + 1)
        if len(offsets) > self._max_messages:
            notes = [f"only its newest {self._max_messages:,} mails were read"]
            offsets.popleft()
        ends = (*list(offsets)[1:], size)
        for begin, end in zip(offsets, ends, strict=True):
            kept.append(_one(file, begin, end))
        last = offsets[-1] if offsets else 0
        box = Mailbox(tuple(kept), tuple(notes), last, _mark(file, last))
        self._known[path] = box
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return box


def raw_mails(path: Path) -> Iterator[bytes]:
    """Each mail of a file as it lies there, for what a Message does not keep; raises as ``MailReader`` does."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("it is not a regular file")
        head = file.read(65_536)
        _check(head)
        begin = len(head) - len(head.lstrip(b"\r\n"))
        if not head.startswith(b"From ", begin) or path.parent.name in ("cur", "new"):
            file.seek(0)
            yield file.read(MAX_MESSAGE_BYTES)
            return
        offsets = deque(_separators(file, begin), maxlen=MAX_MESSAGES)
        for start, end in zip(offsets, (*list(offsets)[1:], status.st_size), strict=True):
            file.seek(start)
            data = file.read(min(end - start, MAX_MESSAGE_BYTES))
            yield _ESCAPED.sub(rb"\1", data.partition(b"\n")[2])


def _check(head: bytes) -> None:
    """Raise Unreadable when the beginning of a file shows that it is no mail."""
    if not head.strip(b"\0 \t\r\n"):
        raise Unreadable("it is empty")
    if head.startswith(_OLE):
        raise Unreadable("Outlook .msg files are not supported yet")
    lines = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").splitlines()[:50]
    if not any(_FIELD.match(line) or line.startswith(b"From ") for line in lines):
        raise Unreadable("it is not a mail: no header fields at its beginning")


def _separators(file: BinaryIO, start: int) -> Iterator[int]:
    """Offsets of the mbox separators from ``start`` on (RFC 4155, appendix A), read in chunks.

    A ``From `` line counts when it carries a time and a year and stands first, after a blank line, or before a header:
    prose that begins so does not.
    """
    yield start
    file.seek(start)
    base, window, done = start, b"", start + 1
    while True:
        chunk = file.read(CHUNK_BYTES)
        window += chunk
        # A separator is judged with the line after it; what is too near the end waits for the next chunk.
        limit = base + (max(0, len(window) - _LOOK_AHEAD) if chunk else len(window))
        for match in _SEPARATOR.finditer(window):
            if done <= base + match.start() < limit and _separates(window, match):
                yield base + match.start()
        if not chunk:
            return
        done = max(done, limit)
        keep = max(0, limit - 4 - base)
        base, window = base + keep, window[keep:]


def _separates(window: bytes, match: re.Match[bytes]) -> bool:
    if not _YEAR.search(match[0]):
        return False
    before = window[max(0, match.start() - 4) : match.start()]
    following = window[match.end() : match.end() + 102].removeprefix(b"\n")
    return before.endswith((b"\n\n", b"\n\r\n")) or _FIELD.match(following) is not None


def _one(file: BinaryIO, begin: int, end: int) -> Message:
    file.seek(begin)
    data = file.read(min(end - begin, MAX_MESSAGE_BYTES))
    separator, _, rest = data.partition(b"\n")
    arrived = _arrival(separator)
    return parse_message(_ESCAPED.sub(rb"\1", rest), arrived=arrived, size=max(0, end - begin - len(separator) - 1))


def _arrival(separator: bytes) -> datetime | None:
    """The date of a separator, ``From who Mon Jun  1 04:28:28 2009``, which is in UTC by RFC 4155."""
    words = separator.decode("latin-1").split()
    for index in range(len(words) - 1, 0, -1):
        try:
            return datetime.strptime(" ".join(words[index : index + 5]), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        except ValueError:
            continue
    return headers.date_of(" ".join(words[2:]))


def _maildir(path: Path) -> tuple[tuple[str, ...], datetime | None]:
    """The flags and the delivery time that a Maildir file's name holds (https://cr.yp.to/proto/maildir.html)."""
    if path.parent.name not in ("cur", "new"):
        return (), None
    name, _, info = path.name.rpartition(":2,")
    flags = tuple(_FLAGS[letter] for letter in dict.fromkeys(info) if letter in _FLAGS) if name else ()
    seconds = path.name.partition(".")[0]
    arrived = None
    if seconds.isascii() and seconds.isdigit() and len(seconds) <= 10:
        arrived = datetime.fromtimestamp(int(seconds), UTC)
        arrived = arrived if arrived.year >= headers.FIRST_YEAR else None
    return flags, arrived


def _mark(file: BinaryIO, offset: int) -> str:
    """A digest of the file's first bytes and of those before ``offset``: they stay when an mbox only grows."""
    file.seek(0)
    digest = hashlib.sha256(file.read(min(_MARK_BYTES, offset)))
    file.seek(max(0, offset - _MARK_BYTES))
    digest.update(file.read(min(_MARK_BYTES, offset)))
    return digest.hexdigest()[:32]
