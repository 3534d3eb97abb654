"""Other people's working time: from the contacts, from their calendars in ``calendars/people``, else as the user's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from pathlib import Path, PurePosixPath

from pea.agents._hours import Diary, Person, diary_of
from pea.workspace.calendars import Event
from pea.workspace.contacts import Contacts
from pea.workspace.files_cache import ReadCache

FOLDER = "calendars/people/"  # ADDRESS.ics: what somebody has published of their calendar
CONTACTS_BUDGET_S = 1.0


def is_theirs(path: str) -> bool:
    """Whether a calendar file is another person's, so that it says nothing of the user's own time."""
    return path.startswith(FOLDER)


class Others:
    """Owns the address book as the calendar agent reads it."""

    def __init__(self, workspace: Path, cache: ReadCache | None) -> None:
        self._folder = workspace / FOLDER
        self._contacts = Contacts(workspace, cache=cache)

    def refresh(self) -> None:
        """Read contacts that are new or changed."""
        self._contacts.refresh(budget_s=CONTACTS_BUDGET_S)

    def unknown(self, people: Iterable[Person]) -> tuple[str, ...]:
        """A note if nobody knows what some of the people have on: neither is it said, nor is their calendar here."""
        here = {path.stem.lower() for path in self._folder.iterdir()} if self._folder.is_dir() else set[str]()
        names = [one.name or one.email for one in people if not one.busy and one.email.strip().lower() not in here]
        if not names:
            return ()
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return (f"what {shown} may have on is not known; calendars go into {FOLDER}ADDRESS.ics",)

    def diaries(
        self, people: Sequence[Person], theirs: Iterable[Event], zone: str, country: str
    ) -> tuple[list[Diary], tuple[str, ...]]:
        """The people's diaries in order, and what had to be assumed; ``zone`` and ``country`` are the user's."""
        busy: dict[str, list[Event]] = {}
        for event in theirs:
            if event.busy:
                busy.setdefault(PurePosixPath(event.path).stem.lower(), []).append(event)
        diaries: list[Diary] = []
        for person in people:
            email = person.email.strip().lower()
            taken = tuple((e.start.astimezone(UTC), e.end.astimezone(UTC)) for e in busy.get(email, ()))
            contact = self._contacts.by_email(email) if email else None
            diaries.append(diary_of(person, contact, zone=zone, country=country, busy=taken))
        return diaries, tuple(dict.fromkeys(diary.guessed for diary in diaries if diary.guessed))
