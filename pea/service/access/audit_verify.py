"""Walks the audit log's chain from its oldest file to its newest, and says where it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from pea.errors import ConfigError
from pea.service.access.audit import GENESIS, Head, Record, audit_files, lines, unchained

MAX_BREAKS = 100


class Break(msgspec.Struct, frozen=True):
    """One place where the log is not what was written."""

    file: str
    line: int
    what: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What verifying found. ``first`` is above 1 when rotation has deleted what was before."""

    files: int
    records: int
    first: int
    head: Head
    breaks: tuple[Break, ...]
    expected: bool | None = None  # whether the hash that was noted elsewhere is in the chain; None: none was given

    @property
    def intact(self) -> bool:
        """Whether everything is as it was written."""
        return not self.breaks and self.expected is not False


def records(folder: Path) -> Iterator[tuple[Path, int, Record | str]]:
    """Every line with its place: its record, or what is wrong with it. Raises ConfigError without a log."""
    for path in _files(folder):
        for number, line in enumerate(lines(path), start=1):
            try:
                yield path, number, unchained(line)
            except ValueError as error:
                yield path, number, str(error)


def verify(folder: Path, expect: str | None = None) -> Verdict:
    """Check the whole chain; ``expect`` is a hash that was noted elsewhere. Raises ConfigError without a log.

    A line that a running service is just writing can look unfinished: verify again.
    """
    breaks: list[Break] = []
    count, first, before = 0, 0, Head()
    seen = expect is None or expect == GENESIS
    files = _files(folder)
    for path, number, found in records(folder):
        what = found if isinstance(found, str) else _gap(found, before, start=not count)
        if what is not None and len(breaks) < MAX_BREAKS:
            breaks.append(Break(path.name, number, what))
        if isinstance(found, str):
            before = Head(before.seq + 1, "")  # nothing can be said of the next one's `prev`
        else:
            first = first or found.seq
            before = Head(found.seq, found.hash)
            seen = seen or found.hash == expect
        count += 1
    expected = None if expect is None else seen
    return Verdict(files=len(files), records=count, first=first, head=before, breaks=tuple(breaks), expected=expected)


def _gap(record: Record, before: Head, *, start: bool) -> str | None:
    """What is wrong between a record and the one before it."""
    if start:
        return "it is the first record and names one before it" if record.seq == 1 and record.prev != GENESIS else None
    if record.seq != before.seq + 1:
        return f"record {record.seq} follows record {before.seq}: {_missing(record.seq - before.seq - 1)}"
    if before.hash and record.prev != before.hash:
        return "it does not continue the line before: that one was changed, or this one was put in"
    return None


def _missing(count: int) -> str:
    if count < 0:
        return "lines were moved or repeated"
    return f"{count} {'record is' if count == 1 else 'records are'} missing"


def _files(folder: Path) -> list[Path]:
    try:
        found = audit_files(folder)
    except OSError as error:
        found = []
        reason = error.strerror
    else:
        reason = "it is empty"
    if not found:
        fix = "give --state the folder of a service that ran; access.audit.on has to be true"
        raise ConfigError(f"no audit log is here: {reason}", where=str(folder), fix=fix)
    return found
