"""The strategy agent: goals against where the time and the money went, what a change would do, how sure that is."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from pea import Agent, Context, InputError, capability
from pea.agents._agenda import Agenda
from pea.agents._strategy_views import (
    Alignment,
    Change,
    Doubt,
    Payments,
    Sensitivity,
    Swing,
    WhatIf,
)
from pea.workspace.files import SourceReport

if TYPE_CHECKING:
    from pea.agents._strategy_sums import Sums
    from pea.workspace.goals import Goals
    from pea.workspace.one_file import OneFile

MOST_PAYMENTS = 1_000
ROBUST = 0.8
Days = Annotated[int, msgspec.Meta(ge=7, le=366)]


class Strategy(Agent):
    """Reads ``goals.yaml`` in the workspace, and asks the calendar and the ledgers."""

    name = "strategy"

    def __init__(self) -> None:
        self._file: OneFile[Goals] | None = None
        self._opening = asyncio.Lock()

    async def cache_version(self, ctx: Context) -> str:
        """Which goals, calendars and statements there are, and the day."""
        await self._goals(ctx)
        sources, money = await asyncio.gather(ctx.call("calendar.sources"), _money_version(ctx))
        file = self._file.version if self._file is not None else ""
        return f"{file}|{sources.version}|{money}|{ctx.now():%Y-%m-%d}"

    @capability("strategy.review", timeout="10s", cache="15m")
    async def review(self, ctx: Context, days: Days = 28, until: date | None = None) -> Alignment:
        """Set the goals against the time and money of the last four weeks: drift, coverage, what it went to."""
        goals = await self._goals(ctx)
        last = until or ctx.now().date()
        return await self._review(ctx, goals, last - timedelta(days=days - 1), days)

    @capability("strategy.ahead", timeout="10s", cache="15m")
    async def ahead(self, ctx: Context, days: Days = 14) -> Alignment:
        """Set the goals against what stands in the calendar for the days ahead: what will lack unless it is booked."""
        goals = await self._goals(ctx)
        return await self._review(ctx, goals, ctx.now().date(), days, money=False)

    @capability("strategy.whatif", timeout="10s", cache="15m")
    async def whatif(
        self,
        ctx: Context,
        changes: Annotated[tuple[Change, ...], msgspec.Meta(min_length=1, max_length=50)],
        days: Days = 28,
    ) -> WhatIf:
        """Say what changes would do: hours more or fewer for a goal, meetings dropped by words of their title."""
        goals = await self._goals(ctx)
        known = {goal.name for goal in goals.goals}
        for change in changes:
            if bool(change.goal) == bool(change.drop):
                raise InputError("give a goal with hours, or drop", where="changes", fix='{"goal": "…", "hours": 2}')
            if change.goal and change.goal not in known:
                raise InputError(f"no goal {change.goal!r}", where="changes", fix=f"known: {', '.join(sorted(known))}")
        first = ctx.now().date() - timedelta(days=days - 1)
        agenda = await _agenda(ctx, first, days)
        return await ctx.compute(_whatif, goals, agenda, changes, days, ctx.now().date())

    @capability("strategy.sensitivity", timeout="25s", cache="15m")
    async def sensitivity(self, ctx: Context, days: Days = 28) -> Sensitivity:
        """Say how much the alignment, and which goal lacks most, depend on the weights: in a worker process."""
        from pea.agents import _strategy_sums as sums_of
        from pea.agents._strategy_doubt import DRAWS, SPREAD, doubt

        goals = await self._goals(ctx)
        agenda = await _agenda(ctx, ctx.now().date() - timedelta(days=days - 1), days)
        sums = await ctx.compute(sums_of.use_of, agenda.entries, goals, days / 7)
        wanted = sums_of.meant(goals)
        spent = {name: sums.hours(name) for name in wanted}
        stands = sums_of.alignment(spent, wanted)
        if stands is None:
            raise InputError(
                "no meeting of these days serves a goal", where="days", fix="look back further, or add words"
            )
        names = list(wanted)
        found = await ctx.compute(doubt, names, [spent[n] for n in names], [wanted[n] for n in names])
        swings = [Swing(name, low, high, round(abs(high - low), 4)) for name, (low, high) in found.swings.items()]
        lacks = [Doubt(name, share) for name, share in found.lacks.items() if share]
        swings.sort(key=lambda one: -one.width)
        lacks.sort(key=lambda one: -one.lacks_most)
        robust = bool(lacks) and lacks[0].lacks_most >= ROBUST
        method = (
            f"{DRAWS:,} draws, each weight times exp(N(0, {SPREAD})); swings: {SPREAD:.0%} down and up, one at a time"
        )
        lines = [f"Alignment {stands:.2f}; 80 % of draws between {found.low:.2f} and {found.high:.2f}."]
        lines += [f"  {one.low:.2f} with less, {one.high:.2f} with more weight on: {one.goal}" for one in swings]
        lines += [f"  lacks most in {one.lacks_most:.0%}: {one.goal}" for one in lacks]
        lines.append("That holds whatever the weights." if robust else "Which goal lacks most depends on the weights.")
        return Sensitivity(
            alignment=stands,
            low=found.low,
            high=found.high,
            swings=tuple(swings),
            lacks=tuple(lacks),
            robust=robust,
            draws=DRAWS,
            method=method,
            text="\n".join([*lines, method]),
        )

    async def _review(self, ctx: Context, goals: Goals, first: date, days: int, *, money: bool = True) -> Alignment:
        agenda, payments = await asyncio.gather(_agenda(ctx, first, days), _payments(ctx, first, days, money=money))
        report = self._file.report() if self._file is not None else SourceReport()
        return await ctx.compute(
            _alignment, goals, agenda, payments, first, days, ctx.now().date(), report, money=money
        )

    async def _goals(self, ctx: Context) -> Goals:
        async with self._opening:
            if self._file is None:
                if not ctx.settings.workspace:
                    raise InputError("no workspace is set", where="workspace", fix="give --workspace, or set workspace")
                self._file = await ctx.compute(_open, Path(ctx.settings.workspace))
        file = self._file
        await ctx.compute(file.refresh)
        if file.trouble and not file.value.goals:
            raise InputError(file.trouble, where="goals.yaml", fix="see docs/agents/strategy.md")
        if not file.value.goals:
            raise InputError("no goals are written down", where="goals.yaml", fix="see docs/agents/strategy.md")
        return file.value


def _open(workspace: Path) -> OneFile[Goals]:
    from pea.workspace.goals import goals_of

    return goals_of(workspace)


async def _agenda(ctx: Context, first: date, days: int) -> Agenda:
    return msgspec.convert(await ctx.call("calendar.agenda", day=first, days=days), Agenda, from_attributes=True)


async def _money_version(ctx: Context) -> str:
    """The state of the ledgers as their totals; nothing where there is no finance agent."""
    try:
        told = await ctx.call("finance.transactions", limit=1)
    except Exception:  # noqa: BLE001 - goals are set against time where money cannot be asked for
        return ""
    return f"{told.found}:{told.totals!r}"


async def _payments(ctx: Context, first: date, days: int, *, money: bool) -> Payments | str:
    """The payments of some days; why there are none."""
    if not money:
        return ""
    last = first + timedelta(days=days - 1)
    try:
        told = await ctx.call("finance.transactions", since=first, until=last, limit=MOST_PAYMENTS)
        return msgspec.convert(told, Payments, from_attributes=True)
    except Exception as error:  # noqa: BLE001 - the time is worth telling without the money
        return f"the ledgers could not be asked: {error}"


def _alignment(
    goals: Goals,
    agenda: Agenda,
    payments: Payments | str,
    first: date,
    days: int,
    today: date,
    report: SourceReport,
    *,
    money: bool,
) -> Alignment:
    from pea.agents import _strategy_sums as sums_of

    sums = sums_of.use_of(agenda.entries, goals, days / 7)
    notes = []
    if isinstance(payments, str):
        notes += [payments] if payments else []
    else:
        sums = msgspec.structs.replace(sums, money=sums_of.money_of(payments.transactions, goals))
        if payments.found > len(payments.transactions):
            notes.append(f"of {payments.found:,} payments the newest {len(payments.transactions):,} were looked at")
    wanted = sums_of.meant(goals)
    spent = {name: sums.hours(name) for name in wanted}
    found = sums_of.views(goals, sums, today)
    stands, covers = sums_of.alignment(spent, wanted), sums_of.coverage(sums)
    if stands is None:
        notes.append("no meeting of these days serves a goal: add words or people to goals.yaml")
    unserved = sums_of.items(sums, "")
    result = Alignment(
        since=first,
        until=first + timedelta(days=days - 1),
        weeks=round(days / 7, 2),
        goals=found,
        alignment=stands,
        coverage=covers,
        unserved_hours=round(sums.hours(""), 2),
        unserved=unserved,
        method=sums_of.METHOD,
        notes=tuple(notes),
        sources=agenda.sources.merged(report),
        text="",
    )
    return msgspec.structs.replace(result, text=_text(result, money=money))


def _whatif(goals: Goals, agenda: Agenda, changes: tuple[Change, ...], days: int, today: date) -> WhatIf:
    from pea.agents import _strategy_sums as sums_of
    from pea.agents._strategy_sums import Use

    before = sums_of.use_of(agenda.entries, goals, days / 7)
    uses, said, freed, needed = list(before.uses), list[str](), 0.0, 0.0
    for change in changes:
        if change.drop:
            words = change.drop.casefold()
            gone = [one for one in uses if words in one.title.casefold()]
            uses = [one for one in uses if words not in one.title.casefold()]
            hours = sum(one.hours for one in gone) / before.weeks
            freed += hours
            said.append(f"without “{change.drop}”: {hours:.1f} hours a week freed")
            continue
        uses += [Use(change.goal, "what if", change.hours * before.weeks, "what if")]
        needed += change.hours
        said.append(f"{change.goal}: {change.hours:+g} hours a week")
    after: Sums = msgspec.structs.replace(before, uses=tuple(uses))
    wanted = sums_of.meant(goals)
    pairs = [{name: max(0.0, sums.hours(name)) for name in wanted} for sums in (before, after)]
    stood, stands = (sums_of.alignment(spent, wanted) for spent in pairs)
    covered, covers = sums_of.coverage(before), sums_of.coverage(after)
    found = sums_of.views(goals, after, today)
    shown = [f"{value:.2f}" if value is not None else "unknown" for value in (stood, stands)]
    lines = [*said, f"Alignment {shown[0]} → {shown[1]}; {freed:.1f} hours freed, {needed:.1f} needed a week."]
    lines += [f"  {one.name}: {one.spent_hours:.1f} of {one.meant_hours:.1f} h ({one.drift})" for one in found]
    if needed > freed:
        lines.append(f"{needed - freed:.1f} hours a week have to come from somewhere: drop more, or work more.")
    return WhatIf(
        changes=tuple(said),
        before=stood,
        after=stands,
        coverage_before=covered,
        coverage_after=covers,
        freed_hours=round(freed, 2),
        needed_hours=round(needed, 2),
        goals=found,
        text="\n".join(lines),
    )


def _text(result: Alignment, *, money: bool) -> str:
    stands = "unknown" if result.alignment is None else f"{result.alignment:.2f}"
    covers = "" if result.coverage is None else f"; {result.coverage:.0%} of meeting time serves a goal"
    lines = [f"{result.since:%d %b} to {result.until:%d %b %Y}: alignment {stands}{covers}."]
    for one in result.goals:
        left = f", {one.days_left} days left" if one.days_left is not None else ""
        lines.append(
            f"  {one.name}: {one.spent_hours:.1f} of {one.meant_hours:.1f} h a week, {one.drift} "
            f"({one.share_spent:.0%} of the time, meant {one.share_meant:.0%}){left}"
        )
        lines += [f"      {item.hours:.1f} h  {item.title} ({item.known_by})" for item in one.items[:3]]
        if money:
            lines += [
                f"      {amount:,.2f} {currency} spent"
                + (f" of {one.budget[currency]:,.2f}" if currency in one.budget else "")
                for currency, amount in one.spent_money.items()
            ]
    if result.unserved:
        lines.append(f"  for no goal: {result.unserved_hours:.1f} h a week")
        lines += [f"      {item.hours:.1f} h  {item.title}" for item in result.unserved[:3]]
    return "\n".join([*lines, result.method, *result.notes])
