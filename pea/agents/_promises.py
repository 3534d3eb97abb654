"""What people promised in mails, and what was asked and not answered: in their own sentences, with the day named.

A promise is a sentence in the first person and the future (``I'll send``, ``we will get back``, ``ich schicke``) that
is no question and no condition. It counts as kept when its author later writes in the conversation that something is
attached, sent or done, or attaches a file; that is a reading of words, and ``kept_by`` quotes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import msgspec

from pea.agents._asks import read as read_asks
from pea.agents._asks import said_to_reader
from pea.agents._deadlines import find_deadline
from pea.agents._letter_views import Promise, Promises, Question
from pea.agents._people import Me, is_machine, is_mine
from pea.workspace.mail import Message, Thread

MOST_PROMISES = 200
MOST_CHARS = 300

_PROMISE = re.compile(
    r"\b(?:i|we)\s*(?:['\u2019]ll|\s(?:will|shall|am going to|are going to|promise to|can have))\s+(?:(?:then|also|now|"
    r"gladly|certainly|definitely|of course|have|let you)\s+)*(?:be (?:back|sending|in touch)|send|share|get|give|"
    r"write|call|ring|reply|respond|answer|check|look|review|read|prepare|draft|forward|confirm|book|arrange|"
    r"organi[sz]e|schedule|update|provide|deliver|bring|sign|pay|fix|finish|complete|submit|follow|come back|know|ask|"
    r"talk|make|set up|add|put|take care|see to|introduce|invite|do (?:it|that|so))\w*\b"
    r"|\b(?:you['\u2019]ll|you will) (?:have|get|receive|hear)\b"
    r"|\b(?:ich|wir)\s+(?:werden?|schicken?|senden?|melden?|pr(?:ü|ue)fen?|liefern?|k(?:ü|ue)mmern?|rufen?|antworten?|"
    r"bringen?|erledigen?|best(?:ä|ae)tigen?)\b"
    r"|\bje (?:vous|t['\u2019]|te) (?:enverrai|envoie|r[ée]pondrai|appellerai|confirmerai|tiens)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\b(?:if|unless|wenn|falls|sofern|si)\b", re.IGNORECASE)
_KEPT = re.compile(
    r"\b(?:attached|enclosed|as promised|here (?:is|are)|i(?:['\u2019]ve| have) (?:sent|done|signed|booked|checked|"
    r"paid|finished|reviewed|shared|updated|confirmed)|(?:it|that) is done|done\b|anbei|im anhang|"
    r"wie versprochen|erledigt|ci-joint)",
    re.IGNORECASE,
)


class Found(msgspec.Struct, frozen=True):
    """All promises and open questions of some conversations."""

    promises: tuple[tuple[bool, Promise], ...]  # whether it is the user's own
    questions: tuple[tuple[bool, Question], ...]


def find(threads: Iterable[Thread], me: Me, since: datetime, now: datetime) -> Found:
    """The promises made and the questions left open since a moment; mails dated in the future are left out."""
    promises: list[tuple[bool, Promise]] = []
    questions: list[tuple[bool, Question]] = []
    for thread in threads:
        mails = [m for m in thread.messages if m.date is not None and m.date <= now + timedelta(hours=1)]
        if not mails or (mails[-1].date or since) < since:
            continue
        for index, message in enumerate(mails):
            if message.date is None or message.date < since or is_machine(message) or message.sender is None:
                continue
            promises += [(is_mine(message, me), p) for p in _made(thread, message, mails[index + 1 :], me, now)]
        questions += [(is_mine(mails[-1], me), q) for q in _open(thread, mails, me, since, now)]
    promises.sort(key=lambda one: (one[1].due or date.max, one[1].sent))
    questions.sort(key=lambda one: one[1].sent)
    return Found(tuple(promises[:MOST_PROMISES]), tuple(questions[:MOST_PROMISES]))


def _made(thread: Thread, message: Message, later: Sequence[Message], me: Me, now: datetime) -> list[Promise]:
    found: list[Promise] = []
    sent = (message.date or now).astimezone(now.tzinfo)
    for sentence in said_to_reader(message.text):
        if not promises_something(sentence):
            continue
        due = find_deadline((sentence,), sent.replace(tzinfo=None), is_request=lambda _sentence: True)
        sender = message.sender
        found.append(
            Promise(
                who=sender.shown if sender else "",
                to=tuple(a.shown for a in message.to if a.email not in me.emails or not is_mine(message, me))[:5],
                said=sentence[:MOST_CHARS],
                subject=thread.subject,
                sent=sent,
                due=due.day if due else None,
                due_words=due.words if due else "",
                late=due is not None and due.day < now.date(),
                kept_by=_kept(message, later),
                message_id=message.id,
            )
        )
    return found


def promises_something(sentence: str) -> bool:
    """Whether a sentence binds its author to do something."""
    if sentence.rstrip("\"'\u201d) ").endswith("?") or len(sentence) > 600:
        return False
    match = _PROMISE.search(sentence)
    # "If it rains we will call you" binds nobody yet; "we will call you if it rains" does not either.
    return match is not None and _CONDITION.search(sentence) is None


def _kept(message: Message, later: Sequence[Message]) -> str:
    """The words, or the file, by which the author of a promise later seems to have kept it."""
    author = message.sender.email if message.sender else ""
    for other in later:
        if other.sender is None or other.sender.email != author:
            continue
        if other.attachments:
            return f"attached {other.attachments[0].name or 'a file'}"
        for sentence in said_to_reader(other.text):
            if _KEPT.search(sentence):
                return sentence[:MOST_CHARS]
    return ""


def _open(thread: Thread, mails: Sequence[Message], me: Me, since: datetime, now: datetime) -> list[Question]:
    """The questions of the side that wrote last, since the other side's last mail."""
    last = mails[-1]
    mine = is_mine(last, me)
    found: list[Question] = []
    for message in reversed(mails):
        if is_mine(message, me) != mine:
            break
        if is_machine(message) or message.date is None or message.date < since or "replied" in message.flags:
            continue
        to_me = any(a.email in me.emails for a in message.to)
        if not mine and not to_me:
            continue
        sent = message.date.astimezone(now.tzinfo)
        found += [
            Question(
                message.sender.shown if message.sender else "(no sender)",
                tuple(a.shown for a in message.to)[:5], question[:MOST_CHARS], thread.subject, sent,
                max(0, (now.date() - sent.date()).days), message.id,
            )
            for question in read_asks(message.text).questions
        ]  # fmt: skip
    return found


def promises_text(found: Promises) -> str:
    """Promises and questions for a person."""
    lines = [f"Since {found.since:%d %b %Y}, {found.kept} promises seem to have been kept."]
    for title, promises in (("You promised:", found.mine), ("Promised to you:", found.theirs)):
        lines += [title] * bool(promises)
        for one in promises[:20]:
            due = f" (by {one.due:%a %d %b}{', late' if one.late else ''})" if one.due else ""
            who = ", ".join(one.to) if promises is found.mine else one.who
            lines.append(f"- {who}, {one.sent:%d %b}: \u201c{one.said}\u201d{due} [{one.subject}]")
    for title, questions in (("You are asked:", found.questions), ("You asked:", found.asked)):
        lines += [title] * bool(questions)
        for question in questions[:20]:
            who = ", ".join(question.to) if questions is found.asked else question.who
            lines.append(f"- {who}, {question.sent:%d %b}: \u201c{question.asked}\u201d [{question.subject}]")
    if len(lines) == 1:
        lines.append("Nothing is open.")
    return "\n".join([*lines, *(f"Note: {note}." for note in found.notes), found.sources.text()])
