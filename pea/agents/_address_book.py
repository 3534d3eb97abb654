"""The people of a workspace as several agents see them: contacts, where each is, and the customs there."""

from __future__ import annotations

import threading
from pathlib import Path

from pea.agents._whereabouts import Whereabouts, whereabouts
from pea.workspace.contacts import Contact, Contacts
from pea.workspace.customs import FILE as CUSTOMS_FILE
from pea.workspace.customs import Customs, own, shipped
from pea.workspace.files import SourceReport
from pea.workspace.files_cache import ReadCache
from pea.workspace.one_file import OneFile
from pea.workspace.shared import Shared


class AddressBook:
    """Owns what was read of contacts and customs; safe to use from several threads."""

    def __init__(self, workspace: Path, state: Path | None) -> None:
        self._cache = None if state is None else ReadCache(state / "contacts.sqlite")
        self._contacts = Contacts(workspace, cache=self._cache)
        self._customs: OneFile[Customs] = OneFile(workspace, CUSTOMS_FILE, own, shipped())
        self._where: dict[str, Whereabouts] = {}
        self._lock = threading.Lock()

    def refresh(self, budget_s: float) -> None:
        """Read what is new, for at most about ``budget_s`` seconds. Raises WorkspaceError without a workspace."""
        with self._lock:
            if self._contacts.refresh(budget_s=budget_s):
                self._where = {}
            self._customs.refresh()

    def close(self) -> None:
        """Close the cache of what was read."""
        if self._cache is not None:
            self._cache.close()

    @property
    def version(self) -> str:
        """Changes whenever a contact or a custom does."""
        return f"{self._contacts.version}|{self._customs.version}"

    @property
    def customs(self) -> Customs:
        """The customs in use: the user's over the shipped."""
        return self._customs.value

    @property
    def all(self) -> tuple[Contact, ...]:
        """Every contact."""
        return self._contacts.all

    def by_email(self, email: str) -> Contact | None:
        """Whose address this is."""
        return self._contacts.by_email(email)

    def find(self, who: str) -> tuple[Contact, ...]:
        """The contacts that an address or some words of a name mean."""
        one = self._contacts.by_email(who) if "@" in who else None
        return (one,) if one is not None else self._contacts.named(who)

    def where(self, contact: Contact | None, email: str = "") -> Whereabouts:
        """Where a person is, and what tells it; remembered until the contacts change."""
        key = f"{contact.uid}|{contact.name}|{contact.path}" if contact is not None else email
        found = self._where.get(key)
        if found is None:
            found = whereabouts(contact, email)
            if len(self._where) < 100_000:
                self._where[key] = found
        return found

    def report(self) -> SourceReport:
        """What was read and refused."""
        return self._contacts.report().merged(self._customs.report())


# What the agents of one process read contacts through.
BOOKS: Shared[AddressBook] = Shared(AddressBook, AddressBook.close)
