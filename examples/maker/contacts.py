"""Contacts: the people of the story as vCards, in the three versions that address books still write."""

from __future__ import annotations

import quopri
from pathlib import Path

from maker.story import Cast, Person


def write(folder: Path, people: Cast) -> None:
    """Write one file per circle of people: vCard 4.0 at work, 3.0 for partners, 2.1 from an old telephone."""
    for name, card in (("team", _version_4), ("partners", _version_3), ("family", _version_2)):
        circle = [person for person in people.values() if person.card == name]
        text = "".join("\r\n".join([*card(person), ""]) for person in circle)
        (folder / f"{name}.vcf").write_bytes(text.encode())


def _version_4(person: Person) -> list[str]:
    return [
        "BEGIN:VCARD",
        "VERSION:4.0",
        f"UID:urn:contact:{person.key}",
        f"FN:{person.name}",
        f"N:{_structured(person.name)}",
        f"ORG:{person.org}",
        f"TITLE:{person.title}",
        f"EMAIL;TYPE=work;PREF=1:{person.email}",
        f"TEL;VALUE=uri;TYPE=work:tel:{person.phone.replace(' ', '-')}",
        "END:VCARD",
    ]


def _version_3(person: Person) -> list[str]:
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{person.name}", f"N:{_structured(person.name)}"]
    if person.org:
        lines.append(f"ORG:{person.org}")
    title = person.title.replace(",", "\\,")
    lines += [f"TITLE:{title}", f"EMAIL;TYPE=INTERNET,WORK:{person.email}", f"TEL;TYPE=WORK,VOICE:{person.phone}"]
    if person.city:
        lines.append(f"ADR;TYPE=WORK:;;;{person.city};;;")
    if person.birthday:
        lines.append(f"BDAY:{person.birthday}")
    return [*lines, "END:VCARD"]


def _version_2(person: Person) -> list[str]:
    lines = ["BEGIN:VCARD", "VERSION:2.1", f"N:{_structured(person.name)}", f"FN:{person.name}"]
    lines += [f"TEL;CELL:{person.phone}", f"EMAIL;INTERNET:{person.email}"]
    if person.city:
        city = quopri.encodestring(person.city.encode()).decode().replace("\n", "")
        lines.append(f"ADR;HOME;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:;;;{city};;;")
    lines.append(f"BDAY:{person.birthday.replace('-', '')}")
    return [*lines, "END:VCARD"]


def _structured(name: str) -> str:
    first, _, last = name.rpartition(" ")
    return f"{last};{first};;;"
