"""The five parts of a response, each worked out for itself: strategy, messages, cultures, resources, impact."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pea.agents._crisis_room import Member, Room
from pea.agents._crisis_views import (
    Adaptation,
    Adaptations,
    Deadline,
    Draft,
    Holder,
    Impact,
    Messages,
    Resources,
    Situation,
    Strategy,
)
from pea.workspace.places_table import words
from pea.workspace.playbooks import Audience, Clock, Playbook, minutes

MAX_DRAFTS = 60
# The member states of the European Union and of the European Economic Area, where its law holds.
EU = words("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO")
# Minutes until somebody is reached: least, usual, most.
REACH = {
    "at work": (1, 5, 15),
    "outside office hours": (5, 15, 60),
    "on a day off": (10, 30, 120),
    "at night": (10, 40, 180),
    "clock not known": (5, 20, 120),
}
DEPUTIES = 4
NIGHT_ENDS, NIGHT_BEGINS = 6, 22


def strategy(playbook: Playbook, situation: Situation, home: str) -> Strategy:
    """The goal, the rules, and every limit of law that holds in the countries concerned."""
    countries = situation.countries or ((home,) if home else ())
    clocks = [found for clock in playbook.clocks if (found := _deadline(clock, situation, countries)) is not None]
    return Strategy(
        goal=playbook.goal,
        principles=playbook.principles,
        avoid=playbook.avoid,
        contain_by=situation.at + timedelta(minutes=minutes(playbook.contain_within)),
        clocks=tuple(sorted(clocks, key=lambda one: one.by)),
    )


def messages(
    playbook: Playbook, situation: Situation, room: Room, domains: frozenset[str], mine: frozenset[str]
) -> Messages:
    """Whom to tell by when; each audience's people once, by the first audience that they belong to."""
    drafts, unknown, told, left_out = list[Draft](), list[str](), set[str](), 0
    for audience in sorted(playbook.audiences, key=lambda one: minutes(one.within)):
        people = [one for one in _audience(audience, room, domains) if one.email not in told | mine]
        told |= {one.email for one in people}
        if not people:
            unknown.append(audience.who)
            drafts.append(_draft(playbook, audience, situation, None))
            continue
        room_left = max(0, MAX_DRAFTS - len(drafts))
        # Colleagues are told together: one notice, not one letter each.
        chosen = [None] if audience.own else people[:room_left]
        left_out += 0 if audience.own else len(people) - len(chosen)
        drafts += [_draft(playbook, audience, situation, one) for one in chosen]
    return Messages(drafts=tuple(drafts), unknown=tuple(unknown), left_out=left_out)


def adaptations(playbook: Playbook, situation: Situation, room: Room, domains: frozenset[str]) -> Adaptations:
    """How each country concerned wants to be told; the first is for whoever's country is not known."""
    countries = {one.country for audience in playbook.audiences for one in _audience(audience, room, domains)}
    countries |= set(situation.countries)
    found = [Adaptation("", True, False, True, "the country is not known: formal, facts first, plainly")]
    for country in sorted(countries - {""}):
        custom, known = room.customs.custom(country)
        said = [
            f"{country}: {'first names are usual' if custom.address == 'first' else 'family names or titles'}",
            "regret before facts" if custom.apology == "first" else "facts before regret",
            "plainly" if custom.direct else "context before bad news",
        ]
        why = ", ".join(said) if known else f"{country}: no customs are known, the cautious form"
        found.append(Adaptation(country, custom.address != "first", custom.apology == "first", custom.direct, why))
    return Adaptations(tuple(found))


def resources(
    playbook: Playbook, situation: Situation, room: Room, domains: frozenset[str], move: tuple[str, ...]
) -> Resources:
    """Who fills each role that an action needs, how soon they are reached, and which roles nobody fills."""
    holders, gaps = list[Holder](), list[str]()
    for role in dict.fromkeys(action.role for action in playbook.actions):
        holder = _holder(role, room, situation.at, domains)
        holders.append(holder)
        if not holder.person:
            gaps.append(role)
    notes = ("nobody in the contacts has a role's title: it falls to you",) if gaps else ()
    return Resources(holders=tuple(holders), needed=playbook.resources, gaps=tuple(gaps), move=move, notes=notes)


def impact(playbook: Playbook, situation: Situation, per_hour: float | None, cash: str, currency: str) -> Impact:
    """What each hour costs by the playbook's or the caller's figure, until it is contained; times its gravity."""
    rate = playbook.cost_per_hour if per_hour is None else per_hour
    hours = minutes(playbook.contain_within) / 60
    whose = "the playbook's rough figure: put your own into the playbook, or give cost_per_hour"
    reasons = [
        f"{rate:,.0f} {currency} an hour ({whose if per_hour is None else 'as you say'})",
        f"times {hours:g} hours until it must be contained",
        f"times {situation.score:.2f}, how grave it is",
    ]
    if situation.affected is not None:
        reasons.append(f"{situation.affected:,} are affected")
    return Impact(
        affected=situation.affected,
        per_hour=rate,
        until_contained=round(rate * hours * situation.score, 2),
        currency=currency,
        cash=cash,
        reasons=tuple(reasons),
    )


def standing(member: Member, at: datetime, room: Room) -> str:
    """What somebody is doing at a moment, by their own clock and their country's days: a key of ``REACH``."""
    if not member.zone:
        return "clock not known"
    local = at.astimezone(ZoneInfo(member.zone))
    if local.hour >= NIGHT_BEGINS or local.hour < NIGHT_ENDS:
        return "at night"
    if member.day_off(local):
        return "on a day off"
    opens, closes = room.customs.custom(member.country)[0].hours
    return "at work" if opens <= local.time() < closes else "outside office hours"


def _holder(role: str, room: Room, at: datetime, domains: frozenset[str]) -> Holder:
    """The best of the role that is reached soonest of its first three, else its deputies' role, else nobody."""
    name, passed = role, list[str]()
    for _ in range(DEPUTIES):
        spec = room.shelf.roles.get(name)
        if spec is None:
            break
        own = [one for one in room.holders(spec.titles, spec.people, domains) if one.domain in domains or spec.people]
        if own:
            best = min(own[:3], key=lambda one: (REACH[standing(one, at, room)][1], own.index(one)))
            how = standing(best, at, room)
            why = f"{best.told.partition(' · ')[0] or name}"
            why += f", as deputy of {' and '.join(passed)}" if passed else ""
            return Holder(
                role=role, person=best.name, email=best.email, phone=best.phone, why=why, at_work=how, reach=REACH[how]
            )
        passed.append(name)
        if not spec.deputy or spec.deputy in passed:
            break
        name = spec.deputy
    return Holder(role=role, person="", email="", phone="", why="nobody has the title", at_work="", reach=(0, 1, 2))


def _audience(audience: Audience, room: Room, domains: frozenset[str]) -> list[Member]:
    """An audience's people: colleagues, or people of other firms by their titles; those named in any case."""
    if audience.own:
        return [one for one in room.members if one.domain in domains]
    found = room.holders(audience.titles, audience.people, domains)
    named = {one.casefold() for one in audience.people}
    return [one for one in found if one.domain not in domains or {one.email, one.name.casefold()} & named]


def _draft(playbook: Playbook, audience: Audience, situation: Situation, member: Member | None) -> Draft:
    by = situation.at + timedelta(minutes=minutes(audience.within))
    return Draft(
        audience=audience.who,
        person=member.name if member is not None else "",
        email=member.email if member is not None else "",
        country=member.country if member is not None else "",
        subject=playbook.title,
        body="\n\n".join(filter(None, (audience.facts, audience.regret, audience.next))),
        send_at=situation.at,
        by=by,
        local="",
        why=f"{audience.who} are to know within {audience.within}",
    )


def _deadline(clock: Clock, situation: Situation, countries: tuple[str, ...]) -> Deadline | None:
    by = situation.at + timedelta(minutes=minutes(clock.within))
    if not clock.countries:
        return Deadline(clock.what, by, "it holds everywhere")
    law = {code for one in clock.countries for code in (EU if one == "EU" else (one,))}
    if not countries:
        return Deadline(clock.what, by, "no country is known: check whether it holds", sure=False)
    hit = sorted(law & set(countries))
    return Deadline(clock.what, by, f"it is law in {', '.join(hit)}") if hit else None
