"""The crisis agent: what it is, who does what by when, whom to tell how; within a second, whatever else is going on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from pea import Agent, Context, InputError, Outcome, capability
from pea.agents._crisis_views import (
    Adaptations,
    Assessment,
    Country,
    Impact,
    Messages,
    Readiness,
    Resources,
    Response,
    Shelf,
    Situation,
    Strategy,
    Told,
)
from pea.agents._reading import place

if TYPE_CHECKING:
    from pea.agents._crisis_room import Desk, Room
    from pea.workspace.playbooks import Playbook

T = TypeVar("T")

WARM_AFTER_S = 1.0  # after the start, which it must not slow
READ_WAIT_S = 0.1  # what was read before is used when reading takes longer
FIRST_WAIT_S = 2.5  # nothing was read before: names are worth a moment
ASIDE_S = 0.15  # what another agent may take to add what is only useful
PART_S = 0.6  # of the second that a response has
HOURS_AHEAD = 8

Name = Annotated[str, msgspec.Meta(max_length=61, examples=["data-breach"])]
Severity = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Crisis(Agent):
    """Works from playbooks and contacts that it has read ahead, in a thread of its own; it sends nothing."""

    name = "crisis"

    def __init__(self) -> None:
        self._desk: Desk | None = None
        self._warming: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()

    async def start(self, ctx: Context) -> None:
        """Have playbooks and contacts read soon, so that they are at hand when they are needed."""
        if ctx.settings.workspace:
            self._warming = asyncio.create_task(self._warm(ctx), name="pea-crisis-warm")

    async def stop(self) -> None:
        """End what is being read."""
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait([self._warming])
        if self._desk is not None:
            await self._desk.close()
            self._desk = None

    @capability("crisis.playbooks", timeout="20s", idempotent=True)
    async def playbooks(self, ctx: Context) -> Shelf:
        """List the playbooks and how ready the house is for each: roles that nobody fills, people to be told."""
        desk = await self._at_desk(ctx)
        room = await desk.room(ctx.now(), max(READ_WAIT_S, 0.8 * ctx.remaining_s))
        found = tuple(_readiness(one, room, ctx) for one in room.shelf.playbooks.values())
        notes = _notes(room)
        lines = [f"{one.name:<18}{one.title}{' (yours)' if one.own else ''}\n" + _ready_line(one) for one in found]
        return Shelf(
            playbooks=found,
            sources=room.report,
            notes=notes,
            text="\n".join([*lines, "", room.report.text(), *notes]),
        )

    @capability("crisis.assess", timeout="3s", idempotent=True, priority="critical")
    async def assess(
        self,
        ctx: Context,
        what: Told,
        playbook: Name = "",
        severity: Severity | None = None,
        affected: Annotated[int, msgspec.Meta(ge=0, le=10_000_000_000)] | None = None,
        countries: Annotated[tuple[Country, ...], msgspec.Meta(max_length=50)] = (),
    ) -> Assessment:
        """Say which kind of crisis a report tells of, how grave it is and why, who must know, by when to decide."""
        room = await self._room(ctx)
        return _assess(ctx, room, what, playbook, severity, affected, countries)

    @capability("crisis.respond", timeout="5s", idempotent=True, priority="critical")
    async def respond(
        self,
        ctx: Context,
        what: Told,
        playbook: Name = "",
        severity: Severity | None = None,
        affected: Annotated[int, msgspec.Meta(ge=0, le=10_000_000_000)] | None = None,
        countries: Annotated[tuple[Country, ...], msgspec.Meta(max_length=50)] = (),
        cost_per_hour: Annotated[float, msgspec.Meta(ge=0, le=1e12)] | None = None,
        passed_minutes: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0,
    ) -> Response:
        """Work out a response: five parts side by side, then actions with owners and times, messages, estimate.

        ``passed_minutes`` of the limit are gone already. A part that fails or is late is named under ``missing``.
        """
        room = await self._room(ctx)
        assessment = _assess(ctx, room, what, playbook, severity, affected, countries)
        situation, near = assessment.situation, ctx.within(PART_S)
        parts: dict[str, Outcome[Any]] = await ctx.gather(
            strategy=_as(Strategy, near.call("crisis.strategy", situation=situation)),
            messages=_as(Messages, near.call("crisis.messages", situation=situation)),
            cultures=_as(Adaptations, near.call("crisis.cultures", situation=situation)),
            resources=_as(Resources, near.call("crisis.resources", situation=situation)),
            impact=_as(Impact, near.call("crisis.impact", situation=situation, cost_per_hour=cost_per_hour)),
        )
        from pea.agents import _crisis_compose as compose
        from pea.agents._crisis_estimate import plan

        book = room.shelf.playbooks[situation.playbook]
        messages, resources = parts["messages"].value, parts["resources"].value
        cultures: Adaptations | None = parts["cultures"].value
        adaptations = cultures.adaptations if cultures is not None else ()
        holders = {one.role: one for one in resources.holders} if resources is not None else {}
        with ctx.step("crisis.plan"):
            planned = await (await self._at_desk(ctx)).run(plan, book, holders, situation.at, passed_minutes)
        drafts = messages.drafts if messages is not None else ()
        notes = [*_notes(room), *(resources.notes if resources is not None else ())]
        if messages is not None and messages.unknown:
            notes.append(f"nobody in the contacts is known as: {', '.join(messages.unknown)}")
        if messages is not None and messages.left_out:
            notes.append(f"{messages.left_out} more people are to be told than drafts were made")
        response = Response(
            assessment=assessment,
            strategy=parts["strategy"].value,
            resources=resources,
            impact=parts["impact"].value,
            adaptations=adaptations,
            actions=planned.actions,
            messages=compose.adapted(drafts, adaptations, book, room, _domains(ctx), ctx.settings.user.name),
            estimate=planned.estimate,
            missing=tuple(f"{name}: {one.error}" for name, one in parts.items() if not one.ok),
            notes=tuple(notes),
            text="",
        )
        await ctx.store.append("crisis.response", playbook=situation.playbook, score=situation.score)
        return msgspec.structs.replace(response, text=compose.response_text(response, ctx.settings.zone))

    @capability("crisis.strategy", timeout="3s", idempotent=True, priority="critical")
    async def strategy(self, ctx: Context, situation: Situation) -> Strategy:
        """The goal, what to do and to avoid, and every limit of law in the countries concerned."""
        from pea.agents._crisis_parts import strategy

        room = await self._room(ctx)
        return strategy(_playbook(room, situation.playbook), situation, ctx.settings.user.country.upper())

    @capability("crisis.messages", timeout="3s", idempotent=True, priority="critical")
    async def messages(self, ctx: Context, situation: Situation) -> Messages:
        """Whom to tell by when, with a draft for each; nothing is sent."""
        from pea.agents._crisis_parts import messages

        room = await self._room(ctx)
        return messages(_playbook(room, situation.playbook), situation, room, _domains(ctx), _mine(ctx))

    @capability("crisis.cultures", timeout="3s", idempotent=True, priority="critical")
    async def cultures(self, ctx: Context, situation: Situation) -> Adaptations:
        """How the countries of those to be told want to be told."""
        from pea.agents._crisis_parts import adaptations

        room = await self._room(ctx)
        return adaptations(_playbook(room, situation.playbook), situation, room, _domains(ctx))

    @capability("crisis.resources", timeout="3s", idempotent=True, priority="critical")
    async def resources(self, ctx: Context, situation: Situation) -> Resources:
        """Who fills each role and how soon they are reached, what is needed, which of your meetings to move."""
        from pea.agents._crisis_parts import resources

        room = await self._room(ctx)
        move = await _meetings(ctx, situation)
        return resources(_playbook(room, situation.playbook), situation, room, _domains(ctx), move)

    @capability("crisis.impact", timeout="3s", idempotent=True, priority="critical")
    async def impact(
        self,
        ctx: Context,
        situation: Situation,
        cost_per_hour: Annotated[float, msgspec.Meta(ge=0, le=1e12)] | None = None,
    ) -> Impact:
        """What it may cost until it is contained, how that was reckoned, and the cash beside it where it is known."""
        from pea.agents._crisis_parts import impact

        room = await self._room(ctx)
        cash, currency = await _cash(ctx)
        return impact(_playbook(room, situation.playbook), situation, cost_per_hour, cash, currency)

    async def _warm(self, ctx: Context) -> None:
        await asyncio.sleep(WARM_AFTER_S)
        try:
            await (await self._at_desk(ctx)).room(ctx.now(), 30.0)
        except Exception as error:  # noqa: BLE001 - reading ahead may fail: the first call reads again and tells why
            ctx.log.warning("what a crisis needs could not be read ahead", reason=str(error))

    async def _room(self, ctx: Context) -> Room:
        desk = await self._at_desk(ctx)
        wait_s = READ_WAIT_S if desk.has_read else max(READ_WAIT_S, min(FIRST_WAIT_S, 0.5 * ctx.remaining_s))
        return await desk.room(ctx.now(), wait_s)

    async def _at_desk(self, ctx: Context) -> Desk:
        async with self._opening:
            if self._desk is None:
                # Not through ctx.compute: its threads may all be busy, which is when a crisis comes.
                self._desk = await asyncio.to_thread(_desk, *place(ctx.settings))
        return self._desk


def _desk(workspace: Path, state: Path | None) -> Desk:
    from pea.agents._crisis_room import Desk

    return Desk(workspace, state)


def _assess(
    ctx: Context,
    room: Room,
    what: str,
    playbook: str,
    severity: float | None,
    affected: int | None,
    countries: tuple[str, ...],
) -> Assessment:
    from pea.agents._crisis_assess import assess

    if playbook:
        _playbook(room, playbook)
    return assess(
        what, room.shelf, ctx.now(), playbook=playbook, severity=severity, affected=affected, countries=countries
    )


def _playbook(room: Room, name: str) -> Playbook:
    found = room.shelf.playbooks.get(name)
    if found is None:
        known = ", ".join(sorted(room.shelf.playbooks))
        raise InputError(f"there is no playbook {name!r}", where="playbook", fix=f"known: {known}")
    return found


def _mine(ctx: Context) -> frozenset[str]:
    return frozenset(email.strip().lower() for email in ctx.settings.user.emails)


def _domains(ctx: Context) -> frozenset[str]:
    """The user's own firms: whoever's address is in one of them is a colleague."""
    from pea.agents._people import Me

    return Me(_mine(ctx)).domains


def _notes(room: Room) -> tuple[str, ...]:
    notes = []
    if not room.whole:
        notes.append("contacts and your own playbooks are still being read: ask again for names")
    if room.left_out:
        notes.append(f"{room.left_out} contacts were not looked through for roles")
    notes += [f"{one.path} was not read: {one.reason}" for one in room.report.refused[:5]]
    return tuple(notes)


async def _as(kind: type[T], call: Coroutine[Any, Any, Any]) -> T:
    return msgspec.convert(await call, kind, from_attributes=True)


async def _meetings(ctx: Context, situation: Situation) -> tuple[str, ...]:
    """The user's own meetings in the next hours, if the calendar answers soon."""
    from pea.agents._briefing_views import Agenda, read

    day = situation.at.date()
    # A day as the briefing asks for it, which may be at hand; two only when the hours ahead go beyond midnight.
    days = 1 + ((situation.at + timedelta(hours=HOURS_AHEAD)).date() - day).days
    try:
        async with asyncio.timeout(ASIDE_S):
            told = read(await ctx.within(ASIDE_S).call("calendar.agenda", day=day, days=days), Agenda)
    except Exception as error:  # noqa: BLE001 - a crisis is answered without the calendar as well
        return (f"your calendar could not be asked in time ({type(error).__name__}): clear it by hand",)
    hours = [(one.start - situation.at).total_seconds() / 3600 for one in told.entries]
    return tuple(
        f"{one.start:%H:%M} {one.title}"
        for one, ahead in zip(told.entries, hours, strict=True)
        if not one.all_day and 0 <= ahead < HOURS_AHEAD
    )


async def _cash(ctx: Context) -> tuple[str, str]:
    """What the accounts hold, if finance answers soon, and the currency to reckon in."""
    try:
        async with asyncio.timeout(ASIDE_S):
            told = await ctx.within(ASIDE_S).call("finance.accounts")
        held: dict[str, Any] = {}
        for one in told.accounts:
            if one.balance is not None:
                held[one.currency] = held.get(one.currency, 0) + one.balance
    except Exception:  # noqa: BLE001 - a crisis is answered without the accounts as well
        return "", "EUR"
    if not held:
        return "", "EUR"
    said = ", ".join(f"{amount:,.0f} {currency}" for currency, amount in held.items())
    return f"The accounts read hold {said}.", next(iter(held))


def _readiness(playbook: Playbook, room: Room, ctx: Context) -> Readiness:
    from pea.agents._crisis_parts import messages, resources

    situation = Situation(what="readiness", playbook=playbook.name, score=playbook.severity, at=ctx.now())
    told = messages(playbook, situation, room, _domains(ctx), _mine(ctx))
    have = resources(playbook, situation, room, _domains(ctx), ())
    counts = {audience.who: 0 for audience in playbook.audiences}
    for draft in told.drafts:
        counts[draft.audience] += bool(draft.person)
    return Readiness(
        name=playbook.name,
        title=playbook.title,
        own=playbook.name in room.shelf.own,
        actions=len(playbook.actions),
        gaps=have.gaps,
        audiences=counts,
    )


def _ready_line(one: Readiness) -> str:
    told = ", ".join(f"{count} {who}" if count else who for who, count in one.audiences.items())
    gaps = f"; nobody for {', '.join(one.gaps)}" if one.gaps else "; every role is filled"
    return f"    {one.actions} actions; tells {told}{gaps}"
