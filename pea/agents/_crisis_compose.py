"""The parts of a response put together: messages in the form of each country, and the whole in words."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from pea.agents._crisis_letters import body, chosen, of_all
from pea.agents._crisis_parts import standing
from pea.agents._crisis_room import Member, Room
from pea.agents._crisis_views import Adaptation, Draft, Response
from pea.workspace.playbooks import Playbook

SOON = timedelta(hours=1)  # what is due within it goes out whatever the clock there says
SHOWN = 8


def adapted(
    drafts: tuple[Draft, ...],
    found: tuple[Adaptation, ...],
    playbook: Playbook,
    room: Room,
    domains: frozenset[str],
    me: str,
) -> tuple[Draft, ...]:
    """Each draft in the language, form and order of the recipient's country, and the time to send it.

    Colleagues (addresses in ``domains``) are told together: in the language of all their countries, if it is one.
    """
    by_country = {one.country: one for one in found}
    audiences = {one.who: one for one in playbook.audiences}
    members = {one.email: one for one in room.members}
    colleagues = of_all((one.country, one.language, one.spoken) for one in room.members if one.domain in domains)
    own = playbook.name in room.shelf.own
    made = []
    for draft in drafts:
        audience, member = audiences[draft.audience], members.get(draft.email) if draft.email else None
        spoken = ("", "", "") if member is None else (member.country, member.language, member.spoken)
        country, language, name = colleagues if audience.own and not draft.person else spoken
        how = by_country.get(draft.country) or by_country.get("") or Adaptation("", True, False, True, "no adaptation")
        tongue = chosen(playbook, audience, country, language, name, own=own, formal=how.formal)
        send_at, when = _send_at(draft, member, room)
        zone = ZoneInfo(member.zone) if member is not None and member.zone else None
        text = body(
            audience, draft.person, tongue, room.customs, formal=how.formal, regret_first=how.regret_first,
            plainly=how.plainly, family_first=draft.country in _FAMILY_FIRST, me=me,
        )  # fmt: skip
        made.append(
            msgspec.structs.replace(
                draft,
                subject=draft.subject if tongue.letter is None else tongue.letter.title,
                body=text,
                language=tongue.language,
                send_at=send_at,
                local=f"{send_at.astimezone(zone):%a %H:%M}" if zone is not None else "",
                why=f"{draft.why}; {when}; {tongue.why}; {how.why}",
            )
        )
    return tuple(sorted(made, key=lambda one: (one.send_at, one.by, one.audience, one.person)))


_FAMILY_FIRST = frozenset(("HU", "JP", "KR", "CN", "TW", "VN"))  # countries whose names stand family first


def _send_at(draft: Draft, member: Member | None, room: Room) -> tuple[datetime, str]:
    """Now, or when their office opens if that is in time; a matter due within the hour does not wait."""
    at = draft.send_at
    if member is None or not member.zone:
        return at, "now"
    how = standing(member, at, room)
    if how == "at work":
        return at, "now: they are at work"
    if draft.by - at <= SOON:
        return at, f"now, though they are {how}: it is due within the hour"
    opens = room.customs.custom(member.country)[0].hours[0]
    opening = _next_opening(member, at, opens)
    if opening is not None and opening <= draft.by:
        return opening, f"when their office opens: now they are {how}"
    return at, f"now, though they are {how}: their office opens too late"


def _next_opening(member: Member, at: datetime, opens: time) -> datetime | None:
    zone = ZoneInfo(member.zone)
    local = at.astimezone(zone)
    for ahead in range(7):
        moment = datetime.combine(local.date() + timedelta(days=ahead), opens, zone)
        if moment > local and not member.day_off(moment):
            return moment.astimezone(at.tzinfo)
    return None


def response_text(found: Response, zone: tzinfo) -> str:
    """The response for a person: what to do now, by whom, whom to tell, how it is likely to end."""
    lines = [found.assessment.text]
    if found.estimate is not None:
        one = found.estimate
        interval = f"80 %: {_span(one.low_minutes)} to {_span(one.high_minutes)}; limit {_span(one.limit_minutes)}"
        chance = f"{one.success:.0%}: {one.in_time:.0%} in time, {one.works:.0%} that it then works"
        lines += ["", f"Contained in {_span(one.minutes)} ({interval}). Chance of success {chance}."]
        lines += [f"  {lever.success:.0%} if {lever.what}" for lever in one.levers]
    if found.strategy is not None:
        lines += ["", f"Goal: {found.strategy.goal}", *(f"  do     {one}" for one in found.strategy.principles)]
        lines += [f"  avoid  {one}" for one in found.strategy.avoid]
        lines += [f"  law    {one.what}: by {_when(one.by, zone)} ({one.why})" for one in found.strategy.clocks]
    if found.actions:
        lines += ["", "Actions"]
        for action in sorted(found.actions, key=lambda one: one.starts):
            mark = "!" if action.critical else " "
            lines.append(
                f" {mark}{_when(action.starts, zone)}\N{EN DASH}{action.ends.astimezone(zone):%H:%M}  {action.owner}: "
                f"{action.what}"
            )
    if found.resources is not None:
        lines += ["", "People"]
        lines += [
            f"  {one.role:<15}{one.person or 'you'}"
            + (f", {one.phone}" if one.phone else "")
            + (f" ({one.why}; {one.at_work})" if one.person else f" ({one.why})")
            for one in found.resources.holders
        ]
        lines += [f"  ready    {', '.join(found.resources.needed)}"] if found.resources.needed else []
        lines += [f"  move     {one}" for one in found.resources.move]
    if found.messages:
        lines += ["", f"Messages ({len(found.messages)} drafts; nothing is sent)"]
        for draft in found.messages[:SHOWN]:
            who = draft.person or draft.audience
            there = f", {draft.local} there" if draft.local else ""
            lines.append(f"  {_when(draft.send_at, zone)}{there}  {who} ({draft.audience}): {draft.why}")
        lines += [f"  and {len(found.messages) - SHOWN} more"] if len(found.messages) > SHOWN else []
        first = found.messages[0]
        lines += ["", *(f"  | {line}" for line in first.body.splitlines())]
    if found.impact is not None:
        one_impact = found.impact
        lines += ["", f"May cost about {one_impact.until_contained:,.0f} {one_impact.currency}: "
                  f"{', '.join(one_impact.reasons)}. {one_impact.cash}".rstrip()]  # fmt: skip
    return "\n".join([*lines, *found.notes, *(f"missing: {one}" for one in found.missing)])


def _when(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%a %H:%M}"


def _span(span_minutes: float) -> str:
    if span_minutes >= 2_880:
        return f"{span_minutes / 1_440:.1f} days"
    return f"{span_minutes / 60:.1f} h" if span_minutes >= 90 else f"{span_minutes:.0f} min"
