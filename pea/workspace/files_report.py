"""What an answer was made from: the files read, and the name and reason of each that was not."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from pea.errors import PeaError

REFUSALS_SHOWN = 50
REASON_LENGTH = 200


class Unreadable(PeaError):
    """A reader cannot make sense of a file; ``what`` is the reason in plain words, as the user will see it."""

    code: ClassVar[str] = "unreadable"


class Refusal(msgspec.Struct, frozen=True):
    """A file that was not read, or of which a part was not; ``path`` is relative to the workspace."""

    path: str
    reason: str


class SourceReport(msgspec.Struct, frozen=True):
    """Files read and refused, with names and reasons.

    ``read`` counts the files that are served, of which the last refresh found ``unchanged`` as they were; ``items``
    counts what is in them (events, messages). ``refused`` and ``notes`` (files served in part) are cut at 50 entries,
    their ``_count`` is the whole number. ``ignored`` files are of other kinds, ``pending`` ones wait for more time.
    """

    read: int = 0
    unchanged: int = 0
    items: int = 0
    refused: tuple[Refusal, ...] = ()
    refused_count: int = 0
    notes: tuple[Refusal, ...] = ()
    notes_count: int = 0
    ignored: int = 0
    pending: int = 0

    @property
    def nothing(self) -> bool:
        """Whether there was not even a file to refuse."""
        return not (self.read or self.refused_count or self.ignored or self.pending)

    def merged(self, *others: SourceReport) -> SourceReport:
        """The sum of several folders' reports."""
        every = (self, *others)
        return SourceReport(
            read=sum(r.read for r in every),
            unchanged=sum(r.unchanged for r in every),
            items=sum(r.items for r in every),
            refused=tuple(x for r in every for x in r.refused)[:REFUSALS_SHOWN],
            refused_count=sum(r.refused_count for r in every),
            notes=tuple(x for r in every for x in r.notes)[:REFUSALS_SHOWN],
            notes_count=sum(r.notes_count for r in every),
            ignored=sum(r.ignored for r in every),
            pending=sum(r.pending for r in every),
        )

    def text(self) -> str:
        """One line for a person: ``Read 12 files, refused 1: calendars/x.ics (it is empty)``."""
        line = f"Read {self.read} {'file' if self.read == 1 else 'files'}, refused {self.refused_count}"
        if self.refused:
            line += ": " + "; ".join(f"{r.path} ({r.reason})" for r in self.refused[:5])
            if self.refused_count > 5:
                line += f"; and {self.refused_count - 5} more"
        return line + (f"; {self.pending} not read yet" if self.pending else "")


class Complaints:
    """Refusals while they are gathered: all are counted, the first 50 are kept."""

    __slots__ = ("count", "first")

    def __init__(self) -> None:
        self.first: list[Refusal] = []
        self.count = 0

    def add(self, path: str, reason: str) -> None:
        """Note a file and what is wrong with it."""
        self.count += 1
        if len(self.first) < REFUSALS_SHOWN:
            self.first.append(Refusal(path, reason))


def plain_reason(error: BaseException) -> str:
    """Why a reader failed, in words for the user, on one line of at most 200 characters."""
    if isinstance(error, PeaError):
        text = error.what
    elif isinstance(error, PermissionError):
        text = "permission denied"
    elif isinstance(error, OSError):
        text = f"the system cannot read it: {error.strerror or error}"
    elif isinstance(error, MemoryError):
        text = "it needs more memory than there is"
    elif isinstance(error, RecursionError):
        text = "it is nested too deeply"
    elif isinstance(error, UnicodeError):
        text = "its text is in no known encoding"
    else:
        text = f"it is malformed ({type(error).__name__}: {error})"
    text = "".join(c if c.isprintable() else " " for c in text[: 8 * REASON_LENGTH])
    text = " ".join(text.split())
    return text if len(text) <= REASON_LENGTH else text[: REASON_LENGTH - 1] + "…"
