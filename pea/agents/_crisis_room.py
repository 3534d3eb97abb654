"""What must be at hand before a crisis: playbooks, people by role, their clocks; read ahead, off everybody's way."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from pea.agents._address_book import BOOKS, AddressBook
from pea.agents._crisis_letters import language_of
from pea.agents._culture_days import day_off
from pea.agents._word_pattern import word_pattern
from pea.workspace.contacts import Contact
from pea.workspace.customs import Customs
from pea.workspace.files import Refusal, SourceReport, plain_reason
from pea.workspace.playbooks import Playbooks, Shelf
from pea.workspace.playbooks_letters import LANGUAGES
from pea.workspace.playbooks_letters import shipped as letters

P = ParamSpec("P")
T = TypeVar("T")

MAX_PEOPLE = 2_000  # with a title, a firm or a category: they are looked through for each role
MAX_HELD = 50  # people of one role or audience
DAYS_AHEAD = 8
READING_S = 5.0
FRESH_S = 2.0
THREADS = 2  # one reads, one reckons
# Who assists the chief executive is not the chief executive.
_ASSISTS = re.compile(r"\b(?:assistant|secretary|assistenz|assistentin) (?:to|of|der|des|von)\b[^,;]*")


class Member(msgspec.Struct, frozen=True):
    """Somebody as a crisis needs them: how to reach them and when their offices work; ``off`` are days off ahead."""

    name: str
    email: str
    phone: str
    country: str
    zone: str
    told: str  # title, firm and categories in small letters: what roles and audiences are found by
    domain: str
    off: tuple[tuple[str, str], ...] = ()
    language: str = ""  # to write in, by their country's official language; empty where that is not one
    spoken: str = ""  # its English name, or those of the several there are

    def day_off(self, local: datetime) -> str:
        """Why they do not work on a day, by their own calendar."""
        return next((why for day, why in self.off if day == local.date().isoformat()), "")


class Room(msgspec.Struct, frozen=True):
    """All of it, as read at one time; ``whole`` is false before the first reading has ended."""

    shelf: Shelf
    customs: Customs
    members: tuple[Member, ...] = ()
    report: SourceReport = SourceReport()
    left_out: int = 0
    whole: bool = True

    def holders(self, titles: Iterable[str], people: Iterable[str], domains: frozenset[str]) -> list[Member]:
        """Who fits a role, best first: people by name, then by the order of the words, one's own before others."""
        named = [m for one in people for m in self.members if one.casefold() in (m.email, m.name.casefold())]
        patterns = [word_pattern(word) for word in titles]
        found = [
            (rank, m.domain not in domains, at, m)
            for at, m in enumerate(self.members)
            if (rank := next((n for n, pattern in enumerate(patterns) if pattern.search(m.told)), None)) is not None
        ]
        found.sort(key=lambda one: (one[1], one[0], one[2]))
        return list(dict.fromkeys([*named, *(m for *_, m in found)]))[:MAX_HELD]


class Desk:
    """Reads what a room holds with threads of its own: a crisis does not queue behind what others read."""

    def __init__(self, workspace: Path, state: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = (workspace, state)
        self._clock = clock
        self._begun = float("-inf")
        self._thread = ThreadPoolExecutor(THREADS, thread_name_prefix="pea-crisis")
        self._book: AddressBook | None = None
        self._playbooks = Playbooks(workspace)
        self._key: object = None
        self._room: Room | None = None
        self._reading: asyncio.Future[Room] | None = None

    async def room(self, now: datetime, wait_s: float) -> Room:
        """The room as it is now; as it was last read when reading takes longer than ``wait_s``.

        What was read within two seconds is not read again: the parts of one response see the same room.
        """
        if self._reading is None or (self._reading.done() and self._clock() - self._begun >= FRESH_S):
            self._begun = self._clock()
            self._reading = self._run(self._read, now)
        await asyncio.wait([self._reading], timeout=wait_s)
        if not self._reading.done():
            return self._room or Room(self._playbooks.shelf, _customs(), whole=False)
        error = self._reading.exception()
        if error is None:
            return self._reading.result()
        # A disk that is gone is no reason to be silent: what was read before, or is shipped, and why there is no more.
        known = self._room or Room(self._playbooks.shelf, _customs())
        refused = SourceReport(refused=(Refusal(str(self._place[0]), plain_reason(error)),), refused_count=1)
        return msgspec.structs.replace(known, report=refused.merged(known.report))

    @property
    def has_read(self) -> bool:
        """Whether there is a room to fall back on."""
        return self._room is not None

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a plain function in one of the agent's own threads."""
        return await self._run(function, *args, **kwargs)

    async def close(self) -> None:
        """Wait for what is being read, and let go of the contacts."""
        if self._reading is not None and not self._reading.done():
            await asyncio.wait([self._reading])
        if self._book is not None:
            await self._run(BOOKS.release, *self._place)
            self._book = None
        self._thread.shutdown(wait=False)

    def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))

    def _read(self, now: datetime) -> Room:
        if self._book is None:
            self._book = BOOKS.open(*self._place)
        book = self._book
        book.refresh(READING_S)
        self._playbooks.refresh(READING_S)
        key = (book.version, self._playbooks.version, now.date())
        if self._room is None or key != self._key:
            told = [contact for contact in book.all if contact.emails or contact.phones]
            told = [one for one in told if one.title or one.categories or one.organization]
            members = tuple(_member(one, book, now) for one in told[:MAX_PEOPLE])
            for language in {one.language for one in members if one.language in LANGUAGES}:
                letters(language)  # read ahead, so that a letter waits for no file
            report = book.report().merged(self._playbooks.report())
            left_out = max(0, len(told) - MAX_PEOPLE)
            self._room, self._key = Room(self._playbooks.shelf, book.customs, members, report, left_out), key
        return self._room


def _member(contact: Contact, book: AddressBook, now: datetime) -> Member:
    where = book.where(contact)
    email = contact.emails[0] if contact.emails else ""
    local = now.astimezone(ZoneInfo(where.zone)) if where.zone else now
    days = [local.date() + timedelta(days=ahead) for ahead in range(DAYS_AHEAD)]
    off = tuple((day.isoformat(), why) for day in days if where.country and (why := day_off(day, where.country)))
    title = _ASSISTS.sub("assistant", contact.title.casefold())
    told = " · ".join((title, contact.organization.casefold(), *map(str.casefold, contact.categories)))
    phone = contact.phones[0] if contact.phones else ""
    language, spoken = language_of(where.country, book.customs)
    domain = email.rpartition("@")[2]
    return Member(contact.name, email, phone, where.country, where.zone, told, domain, off, language, spoken)


def _customs() -> Customs:
    from pea.workspace.customs import shipped

    return shipped()
