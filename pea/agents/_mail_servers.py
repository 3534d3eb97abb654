"""Mail on servers: fetched over IMAP; drafts saved and mails sent once a person has approved them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from pea import Context, InputError, capability
from pea.agents._servers import OnServers, SyncReport

if TYPE_CHECKING:
    from pea.connect.mails import Letter

Line = Annotated[str, msgspec.Meta(max_length=990)]
Addresses = Annotated[tuple[Line, ...], msgspec.Meta(max_length=100)]
Body = Annotated[str, msgspec.Meta(min_length=1, max_length=40_000)]


class SentMail(msgspec.Struct, frozen=True):
    """A mail that was sent or saved. ``again``: it had been before, and was only found so; ``filed``: the folder."""

    account: str
    message_id: str
    recipients: tuple[str, ...]
    again: bool
    filed: str
    text: str


class MailServers(OnServers):
    """What the communication agent does with IMAP and SMTP accounts."""

    kinds: ClassVar[tuple[str, ...]] = ("imap", "smtp")

    @capability("communication.sync", timeout="15m", idempotent=True, writes=True)
    async def sync(self, ctx: Context, accounts: tuple[str, ...] = ()) -> SyncReport:
        """Fetch what changed in the mail on servers."""
        return await self.bring_up_to_date(ctx, accounts)

    @capability("communication.send", timeout="5m", resumable=True)
    async def send(
        self,
        ctx: Context,
        to: Addresses,
        subject: Line,
        body: Body,
        cc: Addresses = (),
        bcc: Addresses = (),
        in_reply_to: Line = "",
        account: Line = "",
    ) -> SentMail:
        """Send a mail, once a person has approved every word of it: ``pea tasks approve``. It is never sent twice."""
        own = await self.connectors(ctx)
        from pea.connect import Uncertain, mails
        from pea.connect.outbox import Outbox

        name, settings = own.pick(account, "smtp")
        letter = _letter(ctx, settings.sender, to, cc, bcc, subject, body, in_reply_to)
        approval = await ctx.approve(f"Send {subject!r} {mails.lines(letter)}?", {"account": name, "mail": letter})
        message = mails.message_id(letter, approval.key)
        data = mails.compose(letter, key=approval.key, at=datetime.fromtimestamp(approval.asked, ctx.settings.zone))
        outbox = Outbox(Path(ctx.settings.state) / "connect" / "outbox.db")
        try:
            again = await own.smtp(name).send(
                outbox, key=approval.key, message_id=message,
                sender=letter.sender, recipients=letter.recipients, data=data,
            )  # fmt: skip
        except Uncertain:
            if not await self._is_filed(ctx, message):  # many servers file what they take by themselves
                raise
            again = True
        filed = await self._file(ctx, message, data)
        await ctx.store.append("mail.sent", message_id=message, recipients=len(letter.recipients))
        text = f"sent {subject!r} {mails.lines(letter)}" + (f"; a copy is in {filed}" if filed else "")
        return SentMail(name, message, letter.recipients, again, filed, text)

    @capability("communication.save_draft", timeout="2m", resumable=True)
    async def save_draft(
        self,
        ctx: Context,
        to: Addresses,
        subject: Line,
        body: Body,
        cc: Addresses = (),
        in_reply_to: Line = "",
        account: Line = "",
    ) -> SentMail:
        """Save a mail among the drafts on the server, once a person has approved it; nothing is sent."""
        own = await self.connectors(ctx)
        from pea.connect import filing, mails

        name, settings = own.pick(account, "imap")
        letter = _letter(ctx, settings.sender, to, cc, (), subject, body, in_reply_to)
        approval = await ctx.approve(
            f"Save the draft {subject!r} {mails.lines(letter)}?", {"account": name, "mail": letter}
        )
        message = mails.message_id(letter, approval.key)
        data = mails.compose(letter, key=approval.key, at=datetime.fromtimestamp(approval.asked, ctx.settings.zone))
        async with own.turn(name):
            kept = await filing.keep(own.imap(name), settings.drafts, message, data, draft=True)
        text = f"{subject!r} is among the drafts in {kept.folder}"
        return SentMail(name, message, letter.recipients, kept.again, kept.folder, text)

    async def _is_filed(self, ctx: Context, message: str) -> bool:
        own = await self.connectors(ctx)
        from pea.connect import filing

        boxes = [(name, one) for name, one in own.accounts.items() if one.kind == "imap"]
        return any([await filing.there(own.imap(name), one.sent or "Sent", message) for name, one in boxes])

    async def _file(self, ctx: Context, message: str, data: bytes) -> str:
        """Keep a copy among the sent mail, once; the folder, or empty. That it was sent does not depend on it."""
        own = await self.connectors(ctx)
        from pea import PeaError
        from pea.connect import filing

        for name, account in own.accounts.items():
            if account.kind == "imap" and account.sent:
                try:
                    async with own.turn(name):
                        return (await filing.keep(own.imap(name), account.sent, message, data)).folder
                except PeaError as error:
                    ctx.log.warning("a sent mail could not be filed", account=name, reason=str(error))
                return ""
        return ""


def _letter(
    ctx: Context,
    sender: str,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
    subject: str,
    body: str,
    in_reply_to: str,
) -> Letter:
    from pea.connect.mails import Letter, check

    own = sender or next(iter(ctx.settings.user.emails), "")
    if not own:
        raise InputError("nobody to send it from", where="user.emails", fix="set user.emails, or the account's sender")
    letter = Letter(sender=own, to=to, cc=cc, bcc=bcc, subject=subject, body=body, in_reply_to=in_reply_to)
    check(letter)
    return letter
