"""Reading a whole workspace once, into the same caches and indexes that the agents go on from."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from pea.workspace.calendars import Calendars
from pea.workspace.contacts import Contacts
from pea.workspace.documents_store import SHARED as DOCUMENTS
from pea.workspace.files import Done, SourceReport
from pea.workspace.files_cache import ReadCache
from pea.workspace.mail.store import SHARED as MAIL

KINDS = ("calendars", "contacts", "mail", "documents")


class Indexed(msgspec.Struct, frozen=True):
    """One kind of files: what was read and refused, and how long it took."""

    kind: str
    sources: SourceReport
    seconds: float


def index(workspace: Path, state: Path, done: Done, clock: Callable[[], float] = time.monotonic) -> Iterator[Indexed]:
    """Read every kind in turn; what has been read before is only looked at. Raises WorkspaceError without a workspace.

    ``done`` is told the bytes of each file as it is finished with.
    """
    for kind in KINDS:
        began = clock()
        yield Indexed(kind, _READERS[kind](workspace, state, done), clock() - began)


def sizes(workspace: Path) -> dict[str, int]:
    """The bytes that each kind's folder holds, hidden files left out: what a progress bar goes up to."""
    found = dict.fromkeys(KINDS, 0)
    for kind in KINDS:
        for folder, _, names in os.walk(workspace / kind):
            for name in names:
                if not name.startswith("."):
                    try:
                        found[kind] += os.lstat(Path(folder, name)).st_size
                    except OSError:  # it went away meanwhile, or is closed to us: the reader says so
                        continue
    return found


def _calendars(workspace: Path, state: Path, done: Done) -> SourceReport:
    cache = ReadCache(state / "read.sqlite")
    try:
        calendars = Calendars(workspace, cache=cache)
        calendars.refresh(done=done)
        return calendars.report()
    finally:
        cache.close()


def _contacts(workspace: Path, state: Path, done: Done) -> SourceReport:
    cache = ReadCache(state / "mail.sqlite")
    try:
        contacts = Contacts(workspace, cache=cache)
        contacts.refresh(done=done)
        return contacts.report()
    finally:
        cache.close()


def _mail(workspace: Path, state: Path, done: Done) -> SourceReport:
    store = MAIL.open(workspace, state)
    try:
        store.refresh(done=done)
        return store.report()
    finally:
        MAIL.release(workspace, state)


def _documents(workspace: Path, state: Path, done: Done) -> SourceReport:
    store = DOCUMENTS.open(workspace, state)
    try:
        store.refresh(done=done)
        return store.report()
    finally:
        DOCUMENTS.release(workspace, state)


_READERS: dict[str, Callable[[Path, Path, Done], SourceReport]] = {
    "calendars": _calendars,
    "contacts": _contacts,
    "mail": _mail,
    "documents": _documents,
}
