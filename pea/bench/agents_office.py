"""A large office of files for the agents' bench: mails in conversations, events, documents, all from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import msgspec

NOW = datetime(2026, 5, 12, 5, 30, tzinfo=UTC)  # 07:30 in Berlin
ME = "nora.brandt@havelmark.example"
YEARS = 6
PER_MBOX = 5_000
IN_MAILDIR = 0.4  # of the mails; the rest lies in mbox archives
_split = str.split
_FIRST = _split("Ada Bo Chloé Dmitri Emil Fatou Grace Hiro Ines Jan Karla Luis Marta Nils Olga Pia Rahul Sven Tom Uma")
_LAST = _split("Abel Berg Costa Dubois Ek Frei Garcia Hahn Ito Jensen Klein Lund Moser Novak Ott Petrov Roth Sato Voss")
_SUBJECTS = _split(
    "budget contract pilot rollout audit forecast invoice hiring roadmap pricing tender warranty migration insurance "
    "safety permit turbine boiler grid substation heat pump meter storage pipeline survey maintenance"
)
_WORDS = _split(
    "the plan for this quarter depends on what the supplier says about delivery and price we looked at the figures "
    "again and the second option seems safer because the permit may be late in that case cost rises by a tenth and "
    "customers have to wait until autumn which nobody wants the team will meet on site to decide how to go on with "
    "testing and who is to write the report for the board before summer"
)
_ASKS = (
    "Could you confirm the budget by Friday?", "Can we meet next week to decide?", "Please send me the signed copy.",
    "What do you think about the second option?", "Thanks, that settles it.", "For your information only.",
)  # fmt: skip


class Size(msgspec.Struct, frozen=True):
    """How much there is of each kind."""

    mails: int = 50_000
    events: int = 5_000
    documents: int = 2_000


def make(folder: Path, size: Size, seed: int = 20260512) -> None:
    """Write the workspace."""
    chance = random.Random(seed)
    people = [f"{a} {b}" for a in _FIRST for b in _LAST]
    _mails(folder / "mail", size.mails, people, chance)
    _events(folder / "calendars", size.events, people, chance)
    _documents(folder / "documents", size.documents, chance)
    settings = f"workspace: .\ntoday: 2026-05-12T07:30\nuser:\n  name: Nora Brandt\n  emails: [{ME}]\n"
    (folder / "pea.yaml").write_text(settings + "  timezone: Europe/Berlin\n  country: DE\n  home: Berlin\n")


def _mails(folder: Path, count: int, people: list[str], chance: random.Random) -> None:
    inbox = folder / "INBOX" / "cur"
    inbox.mkdir(parents=True)
    in_maildir = int(count * IN_MAILDIR)
    archive: list[bytes] = []
    written = 0
    for number, (date, data) in enumerate(_conversations(count, people, chance)):
        if number >= count - in_maildir:
            (inbox / f"{int(date.timestamp())}.{number}.host:2,S").write_bytes(data)
            continue
        archive.append(f"From x@x.example {date:%a %b %d %H:%M:%S %Y}\n".encode() + data + b"\n")
        if len(archive) == PER_MBOX or number == count - in_maildir - 1:
            (folder / f"archive-{written:02}.mbox").write_bytes(b"".join(archive))
            archive, written = [], written + 1


def _conversations(count: int, people: list[str], chance: random.Random) -> Iterator[tuple[datetime, bytes]]:
    """Mails by date, about three to a conversation, every fifth from a list or a machine."""
    gap = timedelta(days=365 * YEARS) / count
    recent: list[tuple[str, str, str]] = []
    for number in range(count):
        date = NOW - gap * (count - number)
        message = f"m{number}@havelmark.example"
        who = chance.choice(people)
        email = f"{who.replace(' ', '.').lower().replace('é', 'e')}@partner{len(who) % 40}.example"
        machine = chance.random() < 0.2
        if recent and chance.random() < 0.65 and not machine:
            parent, subject, other = chance.choice(recent[-40:])
            mine = chance.random() < 0.5
            sender, to = (ME, other) if mine else (other, ME)
            refs = f"In-Reply-To: <{parent}>\r\nReferences: <{parent}>\r\n"
            subject = subject if subject.startswith("Re: ") else f"Re: {subject}"
        else:
            sender, to, refs = email, ME, ""
            subject = f"{chance.choice(_SUBJECTS)} {chance.choice(_SUBJECTS)} {chance.randrange(1000)}".capitalize()
            other = email
        if not machine:
            recent = [*recent[-60:], (message, subject, other if sender == ME else sender)]
        headers = "List-Id: <news.partner.example>\r\nPrecedence: bulk\r\n" if machine else ""
        name = "Nora Brandt" if sender == ME else who
        yield (
            date,
            (
                f"From: {name} <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: {format_datetime(date)}\r\n"
                f"Message-ID: <{message}>\r\n{refs}{headers}MIME-Version: 1.0\r\n"
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
                f"Hello,\r\n\r\n{_prose(chance, chance.randint(2, 12))}\r\n\r\n{chance.choice(_ASKS)}\r\n\r\n"
                f"Best regards\r\n{name}\r\n"
            ).encode(),
        )


def _prose(chance: random.Random, sentences: int) -> str:
    said: list[str] = []
    for _ in range(sentences):
        start = chance.randrange(len(_WORDS))
        words = [_WORDS[(start + n) % len(_WORDS)] for n in range(chance.randint(6, 16))]
        words.insert(chance.randrange(len(words)), chance.choice(_SUBJECTS))
        said.append(" ".join(words).capitalize() + ".")
    return " ".join(said)


def _events(folder: Path, count: int, people: list[str], chance: random.Random) -> None:
    folder.mkdir(parents=True)
    names = ("work", "private", "board", "travel")
    made: dict[str, list[str]] = {name: [] for name in names}
    for number in range(count):
        day = NOW.date() + timedelta(days=chance.randint(-365 * YEARS, 180))
        hour, length = chance.randint(8, 17), chance.choice((30, 45, 60, 90))
        start = datetime(day.year, day.month, day.day, hour, chance.choice((0, 15, 30)))  # noqa: DTZ001 - a floating time
        end = start + timedelta(minutes=length)
        # Of a hundred, one repeats: as many series as a busy person has.
        rule = f"RRULE:FREQ=WEEKLY;COUNT={chance.randint(20, 100)}\r\n" if number % 100 == 0 else ""
        guests = "".join(
            f"ATTENDEE;CN={who};PARTSTAT=ACCEPTED:mailto:{who.split()[0].lower()}@partner.example\r\n"
            for who in chance.sample(people, chance.randint(0, 4))
        )
        title = f"{chance.choice(_SUBJECTS)} {chance.choice(_SUBJECTS)}".capitalize()
        made[names[number % len(names)]].append(
            f"BEGIN:VEVENT\r\nUID:e{number}@havelmark.example\r\nDTSTAMP:20260101T000000Z\r\n"
            f"DTSTART;TZID=Europe/Berlin:{start:%Y%m%dT%H%M%S}\r\nDTEND;TZID=Europe/Berlin:{end:%Y%m%dT%H%M%S}\r\n"
            f"SUMMARY:{title}\r\nLOCATION:{chance.choice(('Room 4', 'Berlin', 'Hamburg', ''))}\r\n{rule}{guests}"
            "END:VEVENT\r\n"
        )
    for name, events in made.items():
        text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//PEA bench//EN\r\n" + "".join(events) + "END:VCALENDAR\r\n"
        (folder / f"{name}.ics").write_text(text, newline="")


def _documents(folder: Path, count: int, chance: random.Random) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        title = f"{chance.choice(_SUBJECTS)} {chance.choice(_SUBJECTS)} {number}".capitalize()
        parts = [_prose(chance, chance.randint(4, 10)) for _ in range(chance.randint(5, 25))]
        kind = number % 3
        if kind == 0:
            text = f"# {title}\n\n" + "\n\n".join(f"## Part {n}\n\n{part}" for n, part in enumerate(parts, 1))
        elif kind == 1:
            text = f"{title}\n\n" + "\n\n".join(parts)
        else:
            text = (
                f"<html><title>{title}</title><body>" + "".join(f"<p>{part}</p>" for part in parts) + "</body></html>"
            )
        (folder / f"{number:04}-{title.split()[0].lower()}{('.md', '.txt', '.html')[kind]}").write_text(text)
