"""How things stand between the user and a person: last contact each way, lately discussed, and what is open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from pea.agents import _promises
from pea.agents._letter_views import Contacted
from pea.agents._people import Me, is_mine
from pea.workspace.mail import Message, Thread, when

OPEN_DAYS = 180  # what was asked or promised longer ago is not brought up again
SUBJECTS, OPEN = 5, 5


def with_people(
    threads: Iterable[Thread], me: Me, people: Sequence[str], now: datetime, name_of: Callable[[str], str | None]
) -> tuple[Contacted, ...]:
    """The people by their addresses, in the order asked for; threads come newest first."""
    theirs: dict[str, list[Thread]] = {email: [] for email in people}
    for thread in threads:
        for email in {a for message in thread.messages for a in _addresses(message)} & theirs.keys():
            theirs[email].append(thread)
    return tuple(_person(email, found, me, now, name_of(email)) for email, found in theirs.items())


def _addresses(message: Message) -> Iterable[str]:
    sender = (message.sender,) if message.sender is not None else ()
    return (address.email for address in (*sender, *message.to, *message.cc))


def _person(email: str, threads: list[Thread], me: Me, now: datetime, name: str | None) -> Contacted:
    past = [m for t in threads for m in t.messages if m.date is not None and m.date <= now]
    sent = [m for m in past if m.sender is not None and m.sender.email == email]
    got = [m for m in past if is_mine(m, me) and any(a.email == email for a in (*m.to, *m.cc))]
    written = next((m.sender.name for m in sorted(sent, key=when, reverse=True) if m.sender and m.sender.name), "")
    found = _promises.find(threads, me, now - timedelta(days=OPEN_DAYS), now)
    name = name or written or email
    questions = [one.asked for mine, one in found.questions if not mine and one.who in (written, name, email)]
    promises = [
        f"{'you' if mine else one.who}: \u201c{one.said}\u201d"
        for mine, one in found.promises
        if not one.kept_by and (mine or one.who in (written, name, email))
    ]
    return Contacted(
        email=email,
        name=name,
        last_from=max((m.date for m in sent if m.date is not None), default=None),
        last_to=max((m.date for m in got if m.date is not None), default=None),
        mails=len(sent) + len(got),
        subjects=tuple(dict.fromkeys(t.subject for t in threads))[:SUBJECTS],
        questions=tuple(questions[:OPEN]),
        promises=tuple(promises[:OPEN]),
    )


def history_text(people: Iterable[Contacted], now: datetime) -> str:
    """How things stand, for a person."""
    lines: list[str] = []
    for one in people:
        days = [
            f"{what} {one_day.astimezone(now.tzinfo):%d %b %Y}"
            for what, one_day in (("wrote", one.last_from), ("heard from you", one.last_to))
            if one_day is not None
        ]
        lines.append(f"{one.name} <{one.email}>: {', '.join(days) or 'no mail exchanged'}")
        lines += [f"  lately: {'; '.join(one.subjects)}"] if one.subjects else []
        lines += [f"  asks: {question}" for question in one.questions]
        lines += [f"  promised by {promise}" for promise in one.promises]
    return "\n".join(lines)
