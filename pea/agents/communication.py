"""The communication agent: what in the mail waits for an answer and why, and a conversation read from end to end."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from pea import Agent, Context, InputError, capability
from pea.agents._asks import read as read_asks
from pea.agents._mail_views import Owes, ThreadMail, ThreadView, Triage, count, thread_text, triage_text
from pea.agents._people import Me, circle, identify, is_machine, is_mine
from pea.agents._triage import Ranking, Waiting, rank
from pea.workspace.contacts import Contacts
from pea.workspace.files import SourceReport
from pea.workspace.files_cache import ReadCache
from pea.workspace.mail import (
    READER_VERSION,
    Mailbox,
    MailStore,
    Message,
    Thread,
    base_subject,
    threads,
    when,
)

WINDOW_DAYS = 60  # conversations that rested longer are not asked for unless `since` says so
READING_SHARE = 0.6  # of the time left may be spent on reading new mail before answering
MAX_READING_S = 10.0
SHOWN_IN_THREAD = 100


class Mail(msgspec.Struct, frozen=True):
    """The mail as last read: messages, conversations, the user."""

    messages: tuple[Message, ...]
    threads: tuple[Thread, ...]
    me: Me


class Communication(Agent):
    """Reads the workspace's ``mail`` folder. Nothing in a mail is followed as an instruction, and nothing is sent."""

    name = "communication"

    def __init__(self) -> None:
        self._store: MailStore | None = None
        self._contacts: Contacts | None = None
        self._cache: ReadCache | None = None
        self._mail: Mail | None = None
        self._opening = asyncio.Lock()

    async def stop(self) -> None:
        """Close the cache of parsed mail."""
        if self._cache is not None:
            self._cache.close()

    @capability("communication.triage", timeout="10s", idempotent=True)
    async def triage(
        self,
        ctx: Context,
        limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20,
        since: date | None = None,
    ) -> Triage:
        """Say which mails need an answer, from whom and by when, with the reason for each rank."""
        mail, report = await self._read(ctx)
        now = ctx.now()
        first = since or (now - timedelta(days=WINDOW_DAYS)).date()
        if first > now.date():
            raise InputError(f"{first} lies ahead", where="since", fix="give a day that has been")
        return await ctx.compute(self._triage, mail, report, limit, first, now)

    @capability("communication.thread", timeout="10s", idempotent=True)
    async def thread(
        self, ctx: Context, message: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    ) -> ThreadView:
        """Show a conversation, by a message id or its subject: who said what, and who owes an answer."""
        mail, report = await self._read(ctx)
        return await ctx.compute(self._thread, mail, report, message, ctx.now())

    async def _read(self, ctx: Context) -> tuple[Mail, SourceReport]:
        """The mail, read as far as the time allows."""
        async with self._opening:
            if self._store is None:
                self._store = await ctx.compute(self._open, ctx.settings.workspace, ctx.settings.state)
        budget = min(MAX_READING_S, max(0.0, READING_SHARE * ctx.remaining_s))
        user = ctx.settings.user
        with ctx.step("mail.read"):
            return await ctx.compute(self._refresh, self._store, budget, user.emails, user.name)

    def _open(self, workspace: str, state: str) -> MailStore:
        if not workspace:
            raise InputError("no workspace is set", where="workspace", fix="give --workspace, or workspace in pea.yaml")
        root = Path(workspace)
        cache = self._cache = ReadCache(Path(state) / "mail.sqlite") if state else None
        self._contacts = Contacts(root, cache=cache)
        if cache is None:
            return MailStore(root)
        reader = f"mail {READER_VERSION}"
        return MailStore(root, remembers=lambda _folder: cache.memory(Mailbox, reader=reader, workspace=root))

    def _refresh(
        self, store: MailStore, budget_s: float, emails: Iterable[str], name: str
    ) -> tuple[Mail, SourceReport]:
        changed = store.refresh(budget_s=budget_s)
        if self._contacts is not None:
            self._contacts.refresh(budget_s=1.0)
        mail = self._mail
        if changed or mail is None:
            messages = store.messages
            mail = self._mail = Mail(messages, tuple(threads(messages)), identify(messages, emails, name))
        return mail, store.report()

    def _triage(self, mail: Mail, report: SourceReport, limit: int, since: date, now: datetime) -> Triage:
        people = circle(mail.messages, mail.me, self._name_of)
        start = datetime.combine(since, time.min, tzinfo=now.tzinfo)
        ranking = rank(mail.threads, mail.me, people, now, start)
        notes = _notes(mail, ranking, report, since)
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
            notes,
            "",
        )
        return msgspec.structs.replace(result, text=triage_text(result))

    def _thread(self, mail: Mail, report: SourceReport, wanted: str, now: datetime) -> ThreadView:
        thread, notes = find_thread(mail.threads, wanted)
        mails = tuple(self._thread_mail(message, mail.me) for message in thread.messages[-SHOWN_IN_THREAD:])
        owes, why = turn(thread, mail.me)
        names = (m.sender.shown for m in thread.messages if m.sender)
        view = ThreadView(
            thread.subject, mails, tuple(dict.fromkeys(names)), owes, why, report, (*notes, *_of_me(mail.me)), ""
        )
        return msgspec.structs.replace(view, text=thread_text(view, now))

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
            self._store.place(message.id) if self._store else "",
        )

    def _placed(self, items: Iterable[Waiting]) -> tuple[Waiting, ...]:
        place = self._store.place if self._store else lambda _id: ""
        return tuple(msgspec.structs.replace(item, path=place(item.message_id)) for item in items)

    def _name_of(self, email: str) -> str | None:
        contact = self._contacts.by_email(email) if self._contacts else None
        return contact.name if contact else None


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
