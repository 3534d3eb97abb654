"""What agents share that keep their part of the workspace like the user's servers: syncing, and saying what is old."""

from __future__ import annotations

from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

import msgspec

from pea import Agent, Context, InputError, Settings
from pea.workspace.files import Refusal

if TYPE_CHECKING:
    from pea.connect import Connectors, Synced

MODULES = ("pea.connect.connectors", "pea.connect.writing", "pea.connect.mails", "pea.connect.smtp")
SHARE = 0.9  # of the time left may go into fetching; what is not fetched by then is fetched by the next sync


class SyncedAccount(msgspec.Struct, frozen=True):
    """One account after a sync; ``problem`` is None when it went well, and ``last_good`` when it last did."""

    account: str
    kind: str
    items: int
    added: int
    changed: int
    removed: int
    pending: int
    notes: tuple[str, ...]
    problem: str | None
    fix: str | None
    last_good: datetime | None


class SyncReport(msgspec.Struct, frozen=True):
    """Every account after a sync, what happened as events, and the same as lines for people."""

    accounts: tuple[SyncedAccount, ...]
    events: tuple[str, ...]
    text: str


class OnServers(Agent):
    """An agent with accounts of some kinds; its connections are opened when first needed and closed by `stop`."""

    kinds: ClassVar[tuple[str, ...]] = ()
    _connectors: Connectors | None = None

    async def stop(self) -> None:
        """Close the connections."""
        if self._connectors is not None:
            await self._connectors.aclose()
            self._connectors = None

    async def connectors(self, ctx: Context) -> Connectors:
        """The accounts, with their connections."""
        if self._connectors is None:
            for module in MODULES:  # off the loop: what speaks to servers takes half a second to load
                await ctx.compute(import_module, module)
            from pea.connect import Connectors

            if self._connectors is None:
                self._connectors = Connectors(ctx.settings, *self.kinds)
        return self._connectors

    async def bring_up_to_date(self, ctx: Context, only: tuple[str, ...] = ()) -> SyncReport:
        """Sync the accounts, or some; what depends on what changed leaves the caches."""
        own = await self.connectors(ctx)
        mine = tuple(name for name in only if name in own.accounts)
        if only and not mine:
            others = ", ".join(sorted(own.accounts)) or "none"
            raise InputError(
                f"none of {', '.join(only)} is an account here", where="accounts", fix=f"there are: {others}"
            )
        synced = await own.sync(mine, within_s=max(1.0, SHARE * min(ctx.remaining_s, 3_600.0)))
        events = tuple(dict.fromkeys(event for one in synced for event in one.events))
        for event in events:
            await ctx.emit(event)
        lines = (one.text(ctx.settings.zone) for one in synced)
        return SyncReport(
            tuple(map(_account, synced)), events, "\n".join(lines) or "no accounts: see docs/connectors.md"
        )


def offline(settings: Settings, *kinds: str) -> tuple[Refusal, ...]:
    """A note for each account that could not be reached: from when its last good copy is, which is what is shown."""
    if not settings.connect.accounts:
        return ()
    from pea.connect import standing

    notes = []
    for name, account in settings.connect.accounts.items():
        if account.kind in kinds and (last := standing(settings, name)).problem:
            since = datetime.fromtimestamp(last.last_good, settings.zone) if last.last_good else None
            shown = f"what is shown is from {since:%Y-%m-%d %H:%M}" if since else "nothing of it is shown"
            notes.append(Refusal(name, f"{last.problem}; {shown}"))
    return tuple(notes)


def offline_version(settings: Settings, *kinds: str) -> str:
    """What a cached answer depends on because it says which accounts are offline."""
    return "".join(f"|{note.path} {note.reason}" for note in offline(settings, *kinds))


def _account(one: Synced) -> SyncedAccount:
    return msgspec.convert(one, SyncedAccount, from_attributes=True)
