"""The mail of a workspace as the communication agent works on it: read, sorted into threads, ranked, shown.

Everything here is plain and synchronous; the agent runs it off the event loop.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path

import msgspec

from pea import InputError
from pea.agents import _history, _promises
from pea.agents._asks import read as read_asks
from pea.agents._drafts import draft_of
from pea.agents._feedback import Feedback, features_of, learn
from pea.agents._letter_views import Correction, Draft, Formality, History, Intent, Promises, Wanted
from pea.agents._mail_views import (
    Owes,
    Reason,
    ThreadMail,
    ThreadView,
    Triage,
    Waiting,
    count,
    thread_text,
    triage_text,
)
from pea.agents._people import Me, circle, identify, is_machine, is_mine
from pea.agents._triage import Ranking, rank
from pea.workspace.contacts import Contacts
from pea.workspace.files import SourceReport
from pea.workspace.files_cache import ReadCache
from pea.workspace.mail import Message, Thread, base_subject, threads, when
from pea.workspace.mail.store import SHARED

SHOWN_IN_THREAD = 100
FEEDBACK_FILE = "feedback.sqlite"
CONTACTS_BUDGET_S = 1.0
WEIGHING_BUDGET_S = 3.0  # of a triage's ten seconds, most of which may have gone into reading


class Mail(msgspec.Struct, frozen=True):
    """The mail as last read: messages, conversations, the user."""

    messages: tuple[Message, ...] = ()
    threads: tuple[Thread, ...] = ()
    me: Me = Me(frozenset())


class Inbox:
    """Owns what was read of one workspace's mail; ``state`` is the folder that keeps it between runs."""

    def __init__(self, workspace: Path, state: Path | None, *, emails: Iterable[str] = (), name: str = "") -> None:
        self._emails = tuple(emails)
        self._name = name
        self._mail: Mail | None = None
        self._partial = 0  # triages that did not come to an end: what they answered is not to be remembered
        self._cache = None if state is None else ReadCache(state / "mail.sqlite")
        self._contacts = Contacts(workspace, cache=self._cache)
        self._place = (workspace, state)
        self._store = SHARED.open(workspace, state)
        self._seen = ""
        self._feedback = Feedback(None if state is None else state / FEEDBACK_FILE)

    def close(self) -> None:
        """Let go of the mail, which other agents may still read, close the contacts and corrections."""
        self._feedback.close()
        SHARED.release(*self._place)
        if self._cache is not None:
            self._cache.close()

    def refresh(self, budget_s: float) -> None:
        """Read what is new, for at most about ``budget_s`` seconds. Raises WorkspaceError without a workspace."""
        self._store.refresh(budget_s=budget_s)
        self._contacts.refresh(budget_s=CONTACTS_BUDGET_S)
        # Another agent may have read what is new first: whether anything changed is told by the version.
        version = self._store.version
        if version != self._seen or self._mail is None:
            self._seen = version
            messages = self._store.messages
            me = identify(messages, self._emails, self._name)
            self._mail = Mail(messages, tuple(threads(messages)), me)

    @property
    def version(self) -> str:
        """Changes whenever mail, contacts or corrections do, and when an answer was not the whole one."""
        return f"{self._store.version}|{self._contacts.version}|{self._feedback.version}|{self._partial}"

    def triage(self, limit: int, since: date, now: datetime) -> Triage:
        """Sort the conversations since a day, as they stand at ``now``."""
        mail, report = self._mail or Mail(), self._store.report()
        people = circle(mail.messages, mail.me, self._name_of)
        start = datetime.combine(since, time.min, tzinfo=now.tzinfo)
        learned = learn(self._feedback.all(), now)
        ranking = rank(mail.threads, mail.me, people, now, start, learned=learned, budget_s=WEIGHING_BUDGET_S)
        self._partial += ranking.unweighed > 0
        result = Triage(
            self._placed(ranking.answer[:limit]),
            self._placed(ranking.reading[:limit]),
            self._placed(ranking.suspicious[:limit]),
            ranking.unanswered[:limit],
            len(ranking.answer),
            ranking.bulk,
            ranking.answered,
            ranking.older,
            ranking.future,
            tuple(sorted(mail.me.emails)),
            mail.me.guessed,
            since,
            report,
            _notes(mail, ranking, report, since),
            "",
        )
        return msgspec.structs.replace(result, text=triage_text(result))

    def thread(self, wanted: str, now: datetime) -> ThreadView:
        """A conversation by a message id or its subject. Raises InputError with the nearest subject."""
        mail = self._mail or Mail()
        thread, notes = find_thread(mail.threads, wanted)
        mails = tuple(self._thread_mail(message, mail.me) for message in thread.messages[-SHOWN_IN_THREAD:])
        names = (m.sender.shown for m in thread.messages if m.sender)
        view = ThreadView(
            thread.subject,
            mails,
            tuple(dict.fromkeys(names)),
            *turn(thread, mail.me),
            self._store.report(),
            (*notes, *_of_me(mail.me)),
            "",
        )
        return msgspec.structs.replace(view, text=thread_text(view, now))

    def promises(self, since: date, now: datetime) -> Promises:
        """Promises and open questions since a day."""
        mail, report = self._mail or Mail(), self._store.report()
        start = datetime.combine(since, time.min, tzinfo=now.tzinfo)
        found = _promises.find(mail.threads, mail.me, start, now)
        still = [(mine, one) for mine, one in found.promises if not one.kept_by]
        result = Promises(
            mine=tuple(one for mine, one in still if mine),
            theirs=tuple(one for mine, one in still if not mine),
            questions=tuple(one for mine, one in found.questions if not mine),
            asked=tuple(one for mine, one in found.questions if mine),
            kept=len(found.promises) - len(still),
            since=since,
            notes=_of_me(mail.me),
            sources=report,
            text="",
        )
        return msgspec.structs.replace(result, text=_promises.promises_text(result))

    def history(self, people: tuple[str, ...], now: datetime) -> History:
        """How things stand with people, by their addresses."""
        mail, report = self._mail or Mail(), self._store.report()
        wanted = dict.fromkeys(person.strip().lower() for person in people)
        found = _history.with_people(mail.threads, mail.me, tuple(wanted), now, self._name_of)
        return History(found, report, _history.history_text(found, now))

    def draft(
        self, wanted: str, intent: Intent, points: tuple[str, ...], by: str, formality: Formality | None
    ) -> Draft:
        """A reply to the newest mail of somebody else in a conversation. Raises InputError when there is none."""
        mail = self._mail or Mail()
        thread, _ = find_thread(mail.threads, wanted)
        key = wanted.strip().strip("<>")
        theirs = [m for m in thread.messages if not is_mine(m, mail.me)]
        message = next((m for m in theirs if m.id == key), theirs[-1] if theirs else None)
        if message is None:
            raise InputError("only you have written in this conversation", where="message")
        before = sorted((m for m in mail.messages if m.date is not None), key=when, reverse=True)
        questions = read_asks(message.text).questions
        return draft_of(
            thread, message, before, mail.me, intent, points=points, questions=questions, by=by, formality=formality
        )

    def correct(self, wanted_mail: str, wanted: Wanted, now: datetime) -> Correction:
        """Keep what the user wanted of a conversation. Raises InputError when no mail is meant."""
        mail = self._mail or Mail()
        thread, _ = find_thread(mail.threads, wanted_mail)
        people = circle(mail.messages, mail.me, self._name_of)
        long_ago = datetime.min.replace(tzinfo=UTC)
        ranking = rank((thread,), mail.me, people, now, long_ago)
        item = next(iter((*ranking.answer, *ranking.reading, *ranking.suspicious)), None) or _bare(thread)
        return self._feedback.add(item.message_id, thread.subject, wanted, features_of(thread.id, item), now)

    def corrections(self) -> list[Correction]:
        """What was corrected, the newest first."""
        return self._feedback.all()

    def undo(self, number: int) -> Correction:
        """Take a correction back. Raises InputError when there is none of that number."""
        return self._feedback.undo(number)

    def _thread_mail(self, message: Message, me: Me) -> ThreadMail:
        asks = read_asks(message.text)
        return ThreadMail(
            message.id,
            message.sender.shown if message.sender else "(no sender)",
            message.sender.email if message.sender else "",
            tuple(address.shown for address in (*message.to, *message.cc)),
            message.date,
            is_mine(message, me),
            message.text,
            (*asks.questions, *asks.requests),
            tuple(attachment.name or attachment.type for attachment in message.attachments),
            message.notes,
            self._store.place(message.id),
        )

    def _placed(self, items: Iterable[Waiting]) -> tuple[Waiting, ...]:
        return tuple(msgspec.structs.replace(item, path=self._store.place(item.message_id)) for item in items)

    def _name_of(self, email: str) -> str | None:
        contact = self._contacts.by_email(email)
        return contact.name if contact else None


def _bare(thread: Thread) -> Waiting:
    """A conversation that was not weighed (a machine's, or answered), as far as it can be corrected."""
    last = thread.last
    email = last.sender.email if last.sender else ""
    reasons = (Reason(0, "sent to many or by a machine"),) if is_machine(last) else ()
    shown = last.sender.shown if last.sender else ""
    return Waiting(last.id, thread.subject, shown, email, last.date, (), None, "", "", 0, reasons, "", 1)


def find_thread(found: tuple[Thread, ...], wanted: str) -> tuple[Thread, list[str]]:
    """The conversation of a message id, or the newest with a subject; InputError with the nearest subject."""
    key = wanted.strip().strip("<>")
    for thread in found:
        if any(message.id == key for message in thread.messages):
            return thread, []
    subject = base_subject(wanted).casefold()
    same = [t for t in found if t.subject.casefold() == subject]
    same = same or [t for t in found if len(subject) > 2 and subject in t.subject.casefold()]
    if same:
        others = len(same) - 1
        return same[0], [f"{others} older conversations fit “{wanted}” as well"] if others else []
    close = difflib.get_close_matches(subject, [t.subject.casefold() for t in found], n=1, cutoff=0.5)
    near = next((t.subject for t in found if close and t.subject.casefold() == close[0]), None)
    fix = f"did you mean {near!r}?" if near else "give a Message-ID, or a part of the subject"
    raise InputError(f"no mail has the id or subject {wanted!r}", where="message", fix=fix)


def turn(thread: Thread, me: Me) -> tuple[Owes, str]:
    """Whose turn it is in a conversation, and why."""
    last = thread.last
    asks = read_asks(last.text)
    who = last.sender.shown if last.sender else "its sender"
    what = (*asks.questions, *asks.requests)
    if is_mine(last, me):
        if what:
            return "they", f"you asked last: “{what[0]}”"
        return "nobody", "you wrote last and asked nothing"
    if is_machine(last):
        return "nobody", f"{who} writes to many or is a machine"
    if "replied" in last.flags:
        return "nobody", "you have answered (the mail is marked as replied)"
    if asks.closes:
        return "nobody", f"{who} thanks or agrees, which closes the matter"
    # A question stands until the user answers it, even when its sender wrote again meanwhile.
    since_mine = []
    for message in reversed(thread.messages):
        if is_mine(message, me):
            break
        since_mine.append(message)
    for message in since_mine:
        found = read_asks(message.text)
        if found.any:
            asker = message.sender.shown if message.sender else "its sender"
            return "you", f"{asker} asked: “{(*found.questions, *found.requests)[0]}”"
    return "nobody", f"{who} wrote last and asked nothing"


def _notes(mail: Mail, ranking: Ranking, report: SourceReport, since: date) -> tuple[str, ...]:
    notes = list(_of_me(mail.me))
    if report.pending:
        notes.append(f"{report.pending} mail files are not read yet; ask again for a fuller answer")
    if ranking.unweighed:
        older = count(ranking.unweighed, "older conversation")
        notes.append(f"{older} could not be weighed in the time; ask again for a fuller answer")
    if ranking.future:
        notes.append(f"{count(ranking.future, 'mail')} dated in the future left out")
    newest = when(mail.threads[0].last) if mail.threads else None
    if newest is not None and newest.date() < since:
        notes.append(f"the newest mail is of {newest:%d %b %Y}; set since to look further back than {since:%d %b %Y}")
    if not mail.messages:
        notes.append("there is no mail")
    return tuple(notes)


def _of_me(me: Me) -> tuple[str, ...]:
    if not me.emails:
        return ("whose mail this is is not known: set user.emails",)
    if me.guessed:
        return (
            f"you are taken to be {', '.join(sorted(me.emails))}, to whom most mail goes; set user.emails to be sure",
        )
    return ()
