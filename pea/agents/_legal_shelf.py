"""The contracts among a workspace's documents as the legal agent works on them: found, read, reviewed, compared.

Everything here is plain and synchronous; the agent runs it off the event loop.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import msgspec

from pea.agents import _legal_text as text
from pea.agents._legal_days import contract_days
from pea.agents._legal_views import (
    Change,
    Comparison,
    Contracts,
    Deadlines,
    Obligation,
    Obligations,
    Review,
)
from pea.agents._library import named
from pea.workspace.contracts import is_contract, read_contract
from pea.workspace.contracts_clauses import hold_against
from pea.workspace.contracts_dates import find_length
from pea.workspace.contracts_facts import Contract, Party
from pea.workspace.documents import Document
from pea.workspace.documents_store import SHARED
from pea.workspace.search_hits import Card
from pea.workspace.text import sentences

SIGNS_NEEDED = 4
MAX_COMPARED = 3_000
MAX_CHANGES = 200
MAX_OBLIGATIONS = 200
SIMILAR = 0.55
_SUBJECT = re.compile(
    r"^(?:\(?[\da-z]{1,3}[.)]\s*)*(?P<who>(?i:the|each|either|both|neither|no|a|der|die|das|jede)\s+(?:other\s+)?"
    r"(?:[A-Z][\w-]+(?:\s[A-Z][\w-]+)?|(?i:part(?:y|ies)|partei(?:en)?))|(?:[A-Z][\w&.-]+\s?){1,5}?)(?='s\s|\s)"
)
_DUTY = re.compile(
    r"\b(?:shall|must|agrees? to|undertakes?|is (?:obliged|required|responsible)|has to|will|muss|hat zu|verpflichtet|"
    r"delivers?|pays?|keeps?|holds?|orders?|replaces?|warrants?|deposits?|provides?|maintains?|ensures?)\b",
    re.IGNORECASE,
)
_RIGHT = re.compile(r"\b(?:may(?! not)|is entitled to|has the right to|can|darf|ist berechtigt)\b", re.IGNORECASE)


class Shelf:
    """Reads a workspace's documents through the reader that all agents share, and keeps what it found in them."""

    def __init__(self, workspace: Path, state: Path | None) -> None:
        self._place = (workspace, state)
        self._store = SHARED.open(workspace, state)
        self._read: dict[str, tuple[Card, Contract | None]] = {}

    def close(self) -> None:
        """Let go of the documents."""
        SHARED.release(*self._place)

    def refresh(self, budget_s: float) -> None:
        """Read what is new, for at most about ``budget_s`` seconds. Raises WorkspaceError without a workspace."""
        self._store.refresh(budget_s=budget_s)
        known = self._read
        fresh: dict[str, tuple[Card, Contract | None]] = {}
        for path, card in self._store.cards.items():
            old = known.get(path)
            fresh[path] = old if old is not None and old[0] is card else (card, self._contract(path))
        self._read = fresh

    @property
    def version(self) -> str:
        """Changes whenever the documents do."""
        return self._store.version

    def contracts(self) -> Contracts:
        """The documents that are contracts."""
        found = self._found()
        report = self._store.report()
        result = Contracts(tuple(found), len(self._read), report, self._notes(), "")
        return msgspec.structs.replace(result, text=text.contracts(result))

    def deadlines(self, today: date, days: int) -> Deadlines:
        """The days ahead in all contracts."""
        until = today + timedelta(days=days)
        every = [one for contract in self._found() for one in contract_days(contract, today)]
        ahead = sorted((one for one in every if one.day <= until), key=lambda one: (one.day, one.path, one.kind))
        result = Deadlines(tuple(ahead), until, self._store.report(), self._notes(), "")
        return msgspec.structs.replace(result, text=text.deadlines(result, today))

    def review(self, name: str, today: date) -> Review:
        """One contract held against the checklist. Raises InputError when no document is meant."""
        document = named(name, self._store)
        signs = is_contract(document)
        contract = read_contract(document, signs)
        unusual, missing = hold_against(_sentences(document))
        notes = list(document.notes)
        if signs < SIGNS_NEEDED:
            notes.append("it does not read like a contract")
        if not contract.parties:
            notes.append("the parties could not be made out")
        notes.append("a checklist is no legal advice")
        days = tuple(contract_days(contract, today))
        result = Review(contract, days, tuple(unusual), tuple(missing), tuple(notes), "")
        return msgspec.structs.replace(result, text=text.review(result))

    def obligations(self, name: str, who: str) -> Obligations:
        """What a contract obliges and entitles each side to."""
        document = named(name, self._store)
        wanted = who.strip().casefold()
        parties = read_contract(document, 0).parties
        roles = {party.name.casefold(): party.role.casefold() for party in parties}
        wanted = roles.get(wanted, wanted) or wanted
        found = [
            one
            for one in _obligations(document, parties)
            if not wanted or wanted in one.who.casefold() or re.search(r"\b(?:each|either|both|part)", one.who.lower())
        ]
        result = Obligations(document.path, tuple(found[:MAX_OBLIGATIONS]), document.notes, "")
        return msgspec.structs.replace(result, text=text.obligations(result))

    def compare(self, first: str, second: str) -> Comparison:
        """Two documents side by side."""
        one, other = named(first, self._store), named(second, self._store)
        before, after = list(_sentences(one))[:MAX_COMPARED], list(_sentences(other))[:MAX_COMPARED]
        changes, same = _changes(before, after)
        facts = _facts(read_contract(one, 0), read_contract(other, 0))
        notes = [*one.notes, *other.notes]
        if len(changes) > MAX_CHANGES:
            notes.append(f"only the first {MAX_CHANGES} of {len(changes):,} differences are listed")
        result = Comparison(one.path, other.path, tuple(facts), tuple(changes[:MAX_CHANGES]), same, tuple(notes), "")
        return msgspec.structs.replace(result, text=text.comparison(result))

    def _found(self) -> list[Contract]:
        return [contract for _, (_, contract) in sorted(self._read.items()) if contract is not None]

    def _contract(self, path: str) -> Contract | None:
        document = self._store.document(path)
        signs = is_contract(document) if document is not None else 0
        return read_contract(document, signs) if document is not None and signs >= SIGNS_NEEDED else None

    def _notes(self) -> tuple[str, ...]:
        pending = self._store.report().pending
        return (f"{pending} documents are not read yet; ask again for a fuller answer",) if pending else ()


def _sentences(document: Document) -> Iterator[tuple[str, str]]:
    for passage in document.passages:
        for sentence in sentences(passage.text):
            yield sentence, passage.place


def _obligations(document: Document, parties: tuple[Party, ...]) -> Iterator[Obligation]:
    named = {name.casefold() for party in parties for name in (party.name, party.role) if name}
    for passage in document.passages:
        if passage.heading:
            continue
        for sentence in sentences(passage.text):
            subject = _SUBJECT.match(sentence)
            if subject is None or not _is_side(subject["who"], named):
                continue
            rest = sentence[subject.end() : subject.end() + 160]
            right, duty = _RIGHT.search(rest), _DUTY.search(rest)
            if right is None and duty is None:
                continue
            kind = "right" if right is not None and (duty is None or right.start() < duty.start()) else "duty"
            length = find_length(sentence)
            who = " ".join(subject["who"].split())
            within = length.written if length is not None else ""
            yield Obligation(who, "right" if kind == "right" else "duty", sentence[:400], passage.place, within)


def _is_side(who: str, named: set[str]) -> bool:
    """Whether a sentence's subject is a side of the contract: by name or role, or as "each party"."""
    bare = re.sub(
        r"^(?:the|each|either|both|neither|no|a|der|die|das|jede)\s+(?:other\s+)?", "", who.strip().casefold()
    )
    return bare in named or bare.startswith("part") or (not named and who.strip() != bare and bare != who.casefold())


def _changes(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> tuple[list[Change], int]:
    """Sentences that differ, in order; those of one place that are alike are one change."""
    matcher = difflib.SequenceMatcher(None, [s for s, _ in before], [s for s, _ in after], autojunk=False)
    changes: list[Change] = []
    same = 0
    for operation, i1, i2, j1, j2 in matcher.get_opcodes():
        if operation == "equal":
            same += i2 - i1
            continue
        new = list(after[j1:j2])
        for old, place in before[i1:i2]:
            twin = max(new[:50], key=lambda one: _alike(old, one[0]), default=None)
            if twin is not None and _alike(old, twin[0]) >= SIMILAR:
                new.remove(twin)
                changes.append(Change("changed", old, place, *twin))
            else:
                changes.append(Change("removed", old, place, "", ""))
        changes += [Change("added", "", "", *one) for one in new]
    return changes, same


def _alike(one: str, other: str) -> float:
    """The share of words that two sentences have in common (Jaccard)."""
    first, second = set(one.casefold().split()), set(other.casefold().split())
    return len(first & second) / len(first | second) if first or second else 1.0


def _facts(one: Contract, other: Contract) -> Iterator[str]:
    for name in ("begins", "ends", "term", "renews", "renewal", "notice", "law", "courts"):
        before, after = text.value(getattr(one, name)), text.value(getattr(other, name))
        if before != after:
            yield f"{name}: {before or 'not said'} → {after or 'not said'}"
    first, second = ({party.name for party in each.parties} for each in (one, other))
    if first != second:
        yield f"parties: {', '.join(sorted(first)) or 'not said'} → {', '.join(sorted(second)) or 'not said'}"
