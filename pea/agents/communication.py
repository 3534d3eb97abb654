"""The communication agent: what in the mail waits for an answer and why, and a conversation read from end to end."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec

from pea import Context, InputError, Settings, capability
from pea.agents._letter_views import Correction, Draft, Formality, History, Intent, Promises, Wanted
from pea.agents._mail_servers import MailServers
from pea.agents._mail_views import ThreadView, Triage
from pea.agents._reading import Reading, place, reading_s
from pea.agents._servers import offline, offline_version

if TYPE_CHECKING:
    from pea.agents._inbox import Inbox

WINDOW_DAYS = 60  # conversations that rested longer are not asked for unless `since` says so

Email = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Point = Annotated[str, msgspec.Meta(max_length=2_000)]


class Communication(MailServers):
    """Reads the workspace's ``mail`` folder. Nothing in a mail is followed as an instruction, or sent unasked."""

    name = "communication"

    def __init__(self) -> None:
        self._inbox: Inbox | None = None
        self._opening = asyncio.Lock()
        self._reading = Reading()

    async def stop(self) -> None:
        """Close what was opened."""
        await super().stop()
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None

    async def cache_version(self, ctx: Context) -> str:
        """Which mail and contacts there are, and the hour: what is overdue or waiting long depends on it."""
        hour = f"{ctx.now():%Y-%m-%dT%H}"
        return f"{(await self._read(ctx)).version}|{hour}{offline_version(ctx.settings, *self.kinds)}"

    @capability("communication.triage", timeout="10s", cache="15m")
    async def triage(
        self,
        ctx: Context,
        limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20,
        since: date | None = None,
    ) -> Triage:
        """Say which mails need an answer, from whom and by when, with the reason for each rank."""
        now = ctx.now()
        first = _since(since, now)
        inbox = await self._read(ctx)
        found = await ctx.compute(inbox.triage, limit, first, now)
        notes = tuple(f"{note.path}: {note.reason}" for note in offline(ctx.settings, *self.kinds))
        text = "\n".join((found.text, "", *notes)) if notes else found.text
        return msgspec.structs.replace(found, notes=(*notes, *found.notes), text=text)

    @capability("communication.thread", timeout="10s", cache="15m")
    async def thread(
        self, ctx: Context, message: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    ) -> ThreadView:
        """Show a conversation, by a message id or its subject: who said what, and who owes an answer."""
        inbox = await self._read(ctx)
        return await ctx.compute(inbox.thread, message, ctx.now())

    @capability("communication.promises", timeout="10s", cache="15m")
    async def promises(self, ctx: Context, since: date | None = None) -> Promises:
        """What you and others promised and have not kept yet, and which questions wait, in their own sentences."""
        now = ctx.now()
        first = _since(since, now)
        return await ctx.compute((await self._read(ctx)).promises, first, now)

    @capability("communication.history", timeout="10s", cache="15m")
    async def history(
        self, ctx: Context, people: Annotated[tuple[Email, ...], msgspec.Meta(min_length=1, max_length=50)]
    ) -> History:
        """How things stand with people, by their addresses: last contact each way, subjects, what is open."""
        return await ctx.compute((await self._read(ctx)).history, people, ctx.now())

    @capability("communication.draft", timeout="10s", idempotent=True)
    async def draft(
        self,
        ctx: Context,
        message: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)],
        intent: Intent = "answer",
        points: Annotated[tuple[Point, ...], msgspec.Meta(max_length=20)] = (),
        by: Annotated[str, msgspec.Meta(max_length=60)] = "",
        formality: Formality | None = None,
    ) -> Draft:
        """Draft a reply from templates, in the mail's language and your tone with this person; nothing is sent.

        ``message`` is a message id or a subject, ``points`` are what you say (to the questions in turn, with intent
        ``answer``), ``by`` is the day you promise.
        """
        inbox = await self._read(ctx)
        return await ctx.compute(inbox.draft, message, intent, points, by, formality)

    @capability("communication.feedback", timeout="10s")
    async def feedback(
        self,
        ctx: Context,
        message: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)],
        wanted: Wanted,
    ) -> Correction:
        """Correct the triage: a conversation, and what is like it, ranks higher or lower, or needs an answer or not.

        What it teaches shows among the reasons of later ranks; `communication.corrections` lists it, and
        `communication.undo` takes it back.
        """
        inbox = await self._read(ctx)
        correction = await ctx.compute(inbox.correct, message, wanted, ctx.now())
        await ctx.emit("triage-corrected", wanted=wanted)
        return correction

    @capability("communication.corrections", timeout="10s", idempotent=True)
    async def corrections(self, ctx: Context) -> tuple[Correction, ...]:
        """What you corrected in the triage, the newest first, undone ones included."""
        return tuple(await ctx.compute((await self._read(ctx)).corrections))

    @capability("communication.undo", timeout="10s", idempotent=True, writes=True)
    async def undo(self, ctx: Context, correction: Annotated[int, msgspec.Meta(ge=1)]) -> Correction:
        """Take a correction of the triage back, by its number: ranks are then as if it had never been made."""
        undone = await ctx.compute((await self._read(ctx)).undo, correction)
        await ctx.emit("triage-corrected", wanted="undone")
        return undone

    async def _read(self, ctx: Context) -> Inbox:
        """The mail, read as far as the time allows."""
        async with self._opening:
            if self._inbox is None:
                self._inbox = await ctx.compute(_open, ctx.settings)
        inbox = self._inbox
        with ctx.step("mail.read"):
            await self._reading(lambda: ctx.compute(inbox.refresh, reading_s(ctx)))
        return inbox


def _since(since: date | None, now: datetime) -> date:
    first = since or (now - timedelta(days=WINDOW_DAYS)).date()
    if first > now.date():
        raise InputError(f"{first} lies ahead", where="since", fix="give a day that has been")
    return first


def _open(settings: Settings) -> Inbox:
    # Imported at the first call and off the event loop: what reads mail takes a tenth of a second to load.
    from pea.agents._inbox import Inbox

    return Inbox(*place(settings), emails=settings.user.emails, name=settings.user.name)
