"""What the security agent reads: mails' facts and findings, once per file and kept; documents' findings; who is known.

Everything here is plain and synchronous; the agent runs it off the event loop. Only masked findings are ever kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from pea.agents._people import PROVIDERS
from pea.workspace.calendars import Calendars, Event
from pea.workspace.contacts import Contacts
from pea.workspace.documents_store import SHARED as DOCUMENTS
from pea.workspace.files import Folder, SourceReport
from pea.workspace.files_cache import ReadCache
from pea.workspace.mail import Message, accepts
from pea.workspace.mail.boxes import MAX_MBOX_BYTES, raw_mails
from pea.workspace.mail.store import MAX_TOTAL_BYTES, mail_folders
from pea.workspace.mail.store import SHARED as MAIL
from pea.workspace.phishing import Known, MailFacts, facts_of
from pea.workspace.phishing_domains import domain_of, organisation
from pea.workspace.privacy import Finding, scan
from pea.workspace.search_hits import Card

READER = "security 1"  # raise it when the same mail begins to give other facts or findings
MAX_FINDINGS = 50  # kept of one mail


class Scanned(msgspec.Struct, frozen=True):
    """One mail: its facts, and the sensitive data in it, masked."""

    facts: MailFacts
    findings: tuple[Finding, ...]


class ScannedFile(msgspec.Struct, frozen=True):
    """A mail file's mails."""

    mails: tuple[Scanned, ...]


class Placed(msgspec.Struct, frozen=True):
    """A finding with its file and its place there."""

    finding: Finding
    path: str
    place: str


class SecurityFiles:
    """Owns what the scans read of one workspace; ``state`` is the folder that keeps it between runs."""

    def __init__(self, workspace: Path, state: Path | None, emails: Iterable[str], name: str) -> None:
        self._workspace = workspace
        self._place = (workspace, state)
        self._emails = frozenset(email.strip().lower() for email in emails if email.strip())
        self._name = name
        self._cache = None if state is None else ReadCache(state / "security.sqlite")
        self._mail: dict[str, Folder[ScannedFile]] = {}
        self._boxes = MAIL.open(*self._place)
        self._documents = DOCUMENTS.open(*self._place)
        self._contacts = Contacts(workspace, cache=self._cache)
        self._calendars = Calendars(workspace, cache=self._cache)
        self._in_documents: dict[str, tuple[Card, tuple[Placed, ...]]] = {}
        self._pending = 0

    def close(self) -> None:
        """Let go of the shared readers, and close the cache."""
        MAIL.release(*self._place)
        DOCUMENTS.release(*self._place)
        if self._cache is not None:
            self._cache.close()

    def refresh(self, budget_s: float) -> None:
        """Read and scan what is new, for about ``budget_s`` seconds. Raises WorkspaceError without a workspace."""
        until = time.monotonic() + budget_s

        def left() -> float:
            return max(0.0, until - time.monotonic())

        self._boxes.refresh(budget_s=left() / 3)
        self._documents.refresh(budget_s=left() / 3)
        self._contacts.refresh(budget_s=left())
        self._calendars.refresh(budget_s=left())
        names = mail_folders(self._workspace)
        self._mail = {name: self._mail.get(name) or self._folder(name) for name in names}
        for folder in self._mail.values():
            folder.refresh(budget_s=left() * 0.8)
        self._scan_documents(until)

    @property
    def version(self) -> str:
        """Changes whenever what was read does, or was not all read yet."""
        mail = "+".join(folder.version for folder in self._mail.values())
        parts = (mail, self._documents.version, self._calendars.version, self._contacts.version, str(self._pending))
        return "|".join(parts)

    @property
    def mails(self) -> Iterator[tuple[str, Scanned]]:
        """Every mail once, with its file."""
        seen: set[str] = set()
        for folder in self._mail.values():
            for path, file in folder.items.items():
                for mail in file.mails:
                    if mail.facts.id not in seen:
                        seen.add(mail.facts.id)
                        yield path, mail

    @property
    def messages(self) -> tuple[Message, ...]:
        """Every mail as its reader sees it."""
        return self._boxes.messages

    def place_of(self, message: Message) -> str:
        """The file a mail was read from."""
        return self._boxes.place(message.id)

    def findings(self) -> Iterator[Placed]:
        """All sensitive data: in mails by subject, in documents by page or paragraph."""
        for path, mail in self.mails:
            for one in mail.findings:
                yield Placed(one, path, f"mail “{mail.facts.subject[:60]}”")
        for _, placed in self._in_documents.values():
            yield from placed

    def documents(self) -> Iterator[tuple[str, str]]:
        """Each document's path and text."""
        for path in self._documents.cards:
            document = self._documents.document(path)
            if document is not None:
                yield path, "\n".join(passage.text for passage in document.passages)

    def events(self, now: datetime, days: int) -> tuple[Event, ...]:
        """What the calendars hold from as many days ago to as many ahead; ``now`` is aware."""
        span = timedelta(days=days)
        return self._calendars.between(now - span, now + span, now.tzinfo or UTC, budget_s=3.0).events

    @property
    def mine(self) -> frozenset[str]:
        """The user's own addresses."""
        return self._emails

    @property
    def inside(self) -> frozenset[str]:
        """The user's own organisations: those of their addresses, mail providers left out."""
        return frozenset(organisation(domain_of(email)) for email in self._emails) - PROVIDERS

    def known(self) -> Known:
        """Whom the user knows: from sent mail, contacts and their own addresses."""
        written: set[str] = set()
        for message in self._boxes.messages:
            if message.sender is not None and message.sender.email in self._emails:
                written.update(address.email for address in (*message.to, *message.cc))
        names: dict[str, str] = {}
        people = {email for contact in self._contacts.all for email in contact.emails}
        for contact in self._contacts.all:
            if contact.emails and " " in contact.name:
                names[contact.name.casefold()] = contact.emails[0].lower()
        if self._name and self._emails:
            names[self._name.casefold()] = min(self._emails)
        trusted = {organisation(domain_of(one)) for one in (*written, *people, *self._emails) if "@" in one}
        return Known(self._emails, frozenset(written), frozenset(trusted) - PROVIDERS, names)

    def mail_report(self) -> SourceReport:
        """What was read of the mail."""
        reports = [folder.report() for folder in self._mail.values()] or [SourceReport()]
        return reports[0].merged(*reports[1:])

    def report(self) -> SourceReport:
        """What was read of mail, documents and calendars."""
        whole = self.mail_report().merged(self._documents.report(), self._calendars.report())
        return msgspec.structs.replace(whole, pending=whole.pending + self._pending)

    def _folder(self, name: str) -> Folder[ScannedFile]:
        return Folder(
            self._workspace,
            name,
            read=_read_mails,
            accepts=accepts,
            count=lambda file: len(file.mails),
            max_file_bytes=MAX_MBOX_BYTES,
            max_total_bytes=MAX_TOTAL_BYTES,
            memory=None
            if self._cache is None
            else self._cache.memory(ScannedFile, reader=READER, workspace=self._workspace),
        )

    def _scan_documents(self, until: float) -> None:
        cards = self._documents.cards
        known, self._pending = self._in_documents, 0
        fresh: dict[str, tuple[Card, tuple[Placed, ...]]] = {}
        for path, card in cards.items():
            old = known.get(path)
            if old is not None and old[0] is card:
                fresh[path] = old
            elif time.monotonic() >= until:
                self._pending += 1
            else:
                document = self._documents.document(path)
                passages = document.passages if document is not None else ()
                placed = [Placed(one, path, p.place) for p in passages for one in scan(p.text).findings]
                fresh[path] = (card, tuple(placed[: 10 * MAX_FINDINGS]))
        self._in_documents = fresh


def _read_mails(path: Path) -> ScannedFile:
    mails = []
    for data in raw_mails(path):
        facts, text = facts_of(data)
        # A number that a thread quotes again and again is one finding.
        once = {(one.kind, one.masked): one for one in scan(text).findings}
        mails.append(Scanned(facts, tuple(once.values())[:MAX_FINDINGS]))
    return ScannedFile(tuple(mails))
