"""The user's contacts, from vCards of any version (2.1, RFC 2426, RFC 6350), each card read for itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from pea.workspace.content_lines import ContentLine, logical_lines, parse_line, split_escaped
from pea.workspace.files import Changes, Done, Folder, SourceReport, Unreadable, read_bytes
from pea.workspace.files_cache import ReadCache

READER = "contacts/1"  # change the number whenever the same bytes would be read otherwise
MAX_FILE_BYTES = 32 << 20
MAX_CARDS = 50_000
MAX_VALUE = 300
MAX_VALUES = 20
MAX_LINES = 1_000

_DIGITS = re.compile(r"\d")
_EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


class Contact(msgspec.Struct, frozen=True):
    """One person or organisation; addresses of mail in lower case, the preferred one first."""

    name: str
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    organization: str = ""
    title: str = ""
    birthday: str = ""  # as far as it is given: 1985-04-12, or --04-12 without a year
    address: str = ""
    zone: str = ""
    categories: tuple[str, ...] = ()
    note: str = ""
    uid: str = ""
    path: str = ""


class ContactFile(msgspec.Struct, frozen=True):
    """What one .vcf file holds, and what in it could not be used."""

    contacts: tuple[Contact, ...]
    notes: tuple[str, ...] = ()


class Contacts:
    """The contacts of a workspace, read as they change; safe to use from several threads."""

    def __init__(self, workspace: Path, *, cache: ReadCache | None = None) -> None:
        self._folder: Folder[ContactFile] = Folder(
            workspace,
            "contacts",
            read=lambda path: parse(read_bytes(path, max_bytes=MAX_FILE_BYTES)),
            accepts=lambda path: path.suffix.lower() in (".vcf", ".vcard"),
            count=lambda file: len(file.contacts),
            notes=lambda file: file.notes,
            max_file_bytes=MAX_FILE_BYTES,
            memory=None if cache is None else cache.memory(ContactFile, reader=READER, workspace=workspace),
        )
        self._by_email: Mapping[str, Contact] = MappingProxyType({})
        self._all: tuple[Contact, ...] = ()

    def refresh(self, *, budget_s: float | None = None, done: Done | None = None) -> Changes:
        """Read files that are new or changed."""
        changes = self._folder.refresh(budget_s=budget_s, done=done)
        if changes:
            self._all = tuple(
                msgspec.structs.replace(contact, path=path)
                for path, file in self._folder.items.items()
                for contact in file.contacts
            )
            # The first card with an address has it, as in a paper address book.
            self._by_email = MappingProxyType({e: c for c in reversed(self._all) for e in c.emails})
        return changes

    @property
    def version(self) -> str:
        """Changes whenever what was read does; see `Folder.version`."""
        return self._folder.version

    def report(self) -> SourceReport:
        """Files read and refused."""
        return self._folder.report()

    @property
    def all(self) -> tuple[Contact, ...]:
        """Every contact, in the order of files."""
        return self._all

    def by_email(self, address: str) -> Contact | None:
        """Whose address this is."""
        return self._by_email.get(address.strip().lower())

    def named(self, name: str) -> tuple[Contact, ...]:
        """The contacts whose name contains all the words of ``name``, in any order and case."""
        words = set(name.casefold().split())
        return tuple(c for c in self._all if words and words <= set(c.name.casefold().replace(",", " ").split()))


def parse(data: bytes) -> ContactFile:
    """Read the bytes of a .vcf file; Unreadable when it is empty, is not text or holds no card."""
    lines, notes = logical_lines(data)
    contacts: list[Contact] = []
    card: list[ContentLine] | None = None
    depth = cards = 0
    for line in lines:
        parsed = parse_line(line)
        if parsed is None:
            continue
        word = parsed.value.strip().upper()
        if parsed.name == "BEGIN" and word == "VCARD":
            if card is not None and depth == 1 and not (card and card[-1].name == "AGENT"):
                notes.append("a card is not closed before the next begins")
                _keep(card, contacts, notes)
                depth = 0
            depth += 1  # version 2.1 may carry a card within a card (an agent's): its lines are not this person's
            card = [] if depth == 1 else card
            cards += 1
        elif parsed.name == "END" and word == "VCARD":
            depth = max(0, depth - 1)
            if depth == 0 and card is not None:
                _keep(card, contacts, notes)
                card = None
        elif card is not None and depth == 1 and len(card) < MAX_LINES:
            card.append(parsed)
    if card:
        notes.append("the file ends in the middle of a card")
        _keep(card, contacts, notes)
    if not cards:
        raise Unreadable("it holds no contact")
    return ContactFile(tuple(contacts), tuple(dict.fromkeys(notes)))


def _keep(card: list[ContentLine], contacts: list[Contact], notes: list[str]) -> None:
    contact = _contact(card)
    if contact is None:
        notes.append("a card has neither a name nor an address and was left out")
    elif len(contacts) >= MAX_CARDS:
        notes.append(f"it holds more than {MAX_CARDS:,} cards; the rest were not read")
    else:
        contacts.append(contact)


def _contact(card: Iterable[ContentLine]) -> Contact | None:
    by_name: dict[str, list[ContentLine]] = {}
    for line in card:
        by_name.setdefault(line.name, []).append(line)

    def first(name: str) -> str:
        return next((text for line in by_name.get(name, ()) if (text := _clean(line.text()))), "")

    emails = [m[0].lower() for line in _preferred(by_name.get("EMAIL", ())) if (m := _EMAIL.search(line.text()))]
    phones = [_phone(line.text()) for line in _preferred(by_name.get("TEL", ()))]
    organization = " · ".join(_parts(by_name, "ORG"))
    name = first("FN") or _from_structured(by_name) or organization or first("NICKNAME") or next(iter(emails), "")
    if not name:
        return None
    return Contact(
        name=name,
        emails=tuple(dict.fromkeys(emails))[:MAX_VALUES],
        phones=tuple(dict.fromkeys(phone for phone in phones if phone))[:MAX_VALUES],
        organization=organization,
        title=first("TITLE") or first("ROLE"),
        birthday=_birthday(first("BDAY")),
        address=", ".join(_parts(by_name, "ADR")),
        zone=first("TZ"),
        categories=tuple(_parts(by_name, "CATEGORIES", ","))[:MAX_VALUES],
        note=first("NOTE"),
        uid=first("UID"),
    )


def _preferred(lines: Iterable[ContentLine]) -> list[ContentLine]:
    """Preferred values first: PREF=1 (4.0), TYPE=PREF (3.0) or a bare PREF (2.1)."""

    def rank(line: ContentLine) -> int:
        types = {value.upper() for value in line.params.get("TYPE", ())}
        number = line.param("PREF")
        if number.isascii() and number.isdigit() and len(number) < 4:
            return int(number)
        return 1 if "PREF" in line.params or "PREF" in types else 101

    return sorted(lines, key=rank)


def _parts(by_name: Mapping[str, list[ContentLine]], name: str, separator: str = ";") -> list[str]:
    """The parts of the first structured value of this name that are not empty."""
    for line in by_name.get(name, ()):
        quoted = "QUOTED-PRINTABLE" in line.params or line.param("ENCODING").upper() == "QUOTED-PRINTABLE"
        value = line.text() if quoted else line.value
        parts = [clean for part in split_escaped(value, separator) if (clean := _clean(part))]
        if parts:
            return parts
    return []


def _from_structured(by_name: Mapping[str, list[ContentLine]]) -> str:
    """``N:Family;Given;Additional;Prefix;Suffix`` as it is spoken."""
    for line in by_name.get("N", ()):
        quoted = "QUOTED-PRINTABLE" in line.params or line.param("ENCODING").upper() == "QUOTED-PRINTABLE"
        parts = [_clean(part) for part in split_escaped(line.text() if quoted else line.value, ";")]
        family, given, additional, prefix, suffix = (parts + [""] * 5)[:5]
        spoken = " ".join(part for part in (prefix, given, additional, family, suffix) if part)
        if spoken:
            return spoken
    return ""


def _phone(text: str) -> str:
    text = _clean(text.removeprefix("tel:"))
    return text if _DIGITS.search(text) else ""


def _birthday(text: str) -> str:
    match = re.match(r"(\d{4}|--)-?(\d{2})-?(\d{2})(?:T.*)?$", text)
    if match is None:
        return ""
    return f"{match[1]}-{match[2]}-{match[3]}" if match[1] != "--" else f"--{match[2]}-{match[3]}"


def _clean(text: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in text[: 4 * MAX_VALUE])
    return " ".join(text.split())[:MAX_VALUE]
