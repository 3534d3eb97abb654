"""What the communication agent answers: as data, and in plain words."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from pea.workspace.files_report import SourceReport

Owes = Literal["you", "they", "nobody"]


class Reason(msgspec.Struct, frozen=True):
    """Points given to a conversation, and why."""

    points: int
    why: str


class Waiting(msgspec.Struct, frozen=True):
    """A conversation that waits for the user (or, under ``reading``, one that only wants to be read).

    ``asks`` are the sender's own sentences. ``due`` is the day named in them, ``due_at`` the hour if there is one,
    ``due_words`` how it was put. ``reasons`` add up to ``score``.
    """

    message_id: str
    subject: str
    sender: str
    sender_email: str
    sent: datetime | None
    asks: tuple[str, ...]
    due: date | None
    due_at: str
    due_words: str
    score: int
    reasons: tuple[Reason, ...]
    path: str
    mails: int


class Unanswered(msgspec.Struct, frozen=True):
    """Something the user asked and nobody answered yet."""

    message_id: str
    subject: str
    to: tuple[str, ...]
    asked: str
    sent: datetime | None
    days: int


class Triage(msgspec.Struct, frozen=True):
    """Conversations sorted by what they want of the user.

    ``answer`` wait for a reply, ``reading`` only want to be read, ``suspicious`` look like traps, ``unanswered`` are
    the user's own questions that met silence; the counts tell what was left aside, ``waiting`` how many there are to
    answer beyond the limit too. ``me`` are the addresses taken for the user's.
    """

    answer: tuple[Waiting, ...]
    reading: tuple[Waiting, ...]
    suspicious: tuple[Waiting, ...]
    unanswered: tuple[Unanswered, ...]
    waiting: int
    bulk: int
    answered: int
    older: int
    future: int
    me: tuple[str, ...]
    me_guessed: bool
    since: date
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


class ThreadMail(msgspec.Struct, frozen=True):
    """One mail of a conversation; ``said`` is what its sender wrote this time, without quotes and signature."""

    message_id: str
    sender: str
    sender_email: str
    to: tuple[str, ...]
    sent: datetime | None
    mine: bool
    said: str
    asks: tuple[str, ...]
    attachments: tuple[str, ...]
    notes: tuple[str, ...]
    path: str


class ThreadView(msgspec.Struct, frozen=True):
    """A conversation in order; ``owes`` says whose turn it is (``you``, ``they``, ``nobody``), ``why`` the reason."""

    subject: str
    mails: tuple[ThreadMail, ...]
    participants: tuple[str, ...]
    owes: Owes
    why: str
    sources: SourceReport
    notes: tuple[str, ...]
    text: str


def triage_text(result: Triage) -> str:
    """The triage for a person."""
    if result.waiting:
        lines = [
            f"{count(result.waiting, 'conversation')} {'waits' if result.waiting == 1 else 'wait'} for your answer."
        ]
    else:
        lines = [f"Nothing waits for your answer since {result.since:%a %d %b %Y}."]
    for number, item in enumerate(result.answer, 1):
        due = f", by {item.due:%a %d %b}{' ' + item.due_at if item.due_at else ''}" if item.due else ""
        lines.append(f"{number}. {item.sender}: {item.subject}{due}")
        lines += [f"   “{_short(ask)}”" for ask in item.asks[:2]]
        lines.append("   Because: " + "; ".join(reason.why for reason in item.reasons) + ".")
    if result.unanswered:
        lines.append("Waiting for others:")
        lines += [
            f"- {', '.join(one.to[:3])}: {one.subject} (you asked {count(one.days, 'day')} ago)"
            for one in result.unanswered[:5]
        ]
    if result.suspicious:
        lines.append("Beware:")
        lines += [f"- {one.sender}: {one.subject} ({one.reasons[0].why})" for one in result.suspicious[:5]]
    if result.reading:
        lines.append("To read:")
        lines += [f"- {item.sender}: {item.subject}" for item in result.reading[:5]]
        if len(result.reading) > 5:
            lines.append(f"- and {len(result.reading) - 5} more")
    lines.append(f"Left aside: {result.bulk} from lists or machines, {result.answered} answered, {result.older} older.")
    return "\n".join((*lines, *(f"Note: {note}." for note in result.notes), result.sources.text()))


def thread_text(view: ThreadView, now: datetime) -> str:
    """The conversation for a person."""
    lines = [f"{view.subject}: {count(len(view.mails), 'mail')}"]
    for mail in view.mails:
        at = f"{mail.sent.astimezone(now.tzinfo):%a %d %b %Y %H:%M}" if mail.sent else "no date"
        lines.append(f"{'You' if mail.mine else mail.sender}, {at}:")
        lines += [f"  {line}".rstrip() for line in (mail.said or "(no words of their own)").split("\n")]
        if mail.attachments:
            lines.append(f"  Attached: {', '.join(mail.attachments)}")
        lines += [f"  Note: {note}." for note in mail.notes]
    owes = {"you": "It is your turn", "they": "It is their turn", "nobody": "Nobody owes an answer"}[view.owes]
    return "\n".join((*lines, f"{owes}: {view.why}.", *(f"Note: {note}." for note in view.notes)))


def count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _short(text: str) -> str:
    return text if len(text) <= 160 else text[:159].rstrip() + "…"
