"""The parts of a response put together: messages in the form of each country, and the whole in words."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from pea.agents._crisis_parts import standing
from pea.agents._crisis_room import Member, Room
from pea.agents._crisis_views import Adaptation, Draft, Response
from pea.agents._names import split_name
from pea.workspace.playbooks import Audience, Playbook

CONTEXT = "I am writing to you myself, because this concerns you and I would rather you heard it from us."
SOON = timedelta(hours=1)  # what is due within it goes out whatever the clock there says
SHOWN = 8


def adapted(
    drafts: tuple[Draft, ...], found: tuple[Adaptation, ...], playbook: Playbook, room: Room, me: str
) -> tuple[Draft, ...]:
    """Each draft with salutation, order and closing as the recipient's country has it, and the time to send it."""
    by_country = {one.country: one for one in found}
    audiences = {one.who: one for one in playbook.audiences}
    members = {one.email: one for one in room.members}
    made = []
    for draft in drafts:
        how = by_country.get(draft.country) or by_country.get("") or Adaptation("", True, False, True, "no adaptation")
        member = members.get(draft.email) if draft.email else None
        send_at, when = _send_at(draft, member, room)
        zone = ZoneInfo(member.zone) if member is not None and member.zone else None
        made.append(
            msgspec.structs.replace(
                draft,
                body=_body(audiences[draft.audience], draft, how, room, me),
                send_at=send_at,
                local=f"{send_at.astimezone(zone):%a %H:%M}" if zone is not None else "",
                why=f"{draft.why}; {when}; {how.why}",
            )
        )
    return tuple(sorted(made, key=lambda one: (one.send_at, one.by, one.audience, one.person)))


def _body(audience: Audience, draft: Draft, how: Adaptation, room: Room, me: str) -> str:
    family_first = room.customs.phrases(_LANGUAGES.get(draft.country, "en")).family_first
    name = split_name(draft.person, family_first=family_first)
    phrases = room.customs.phrases("en")
    if not draft.person:
        salutation = "Dear all," if audience.own else f"Dear {audience.who},"
    else:
        salutation = f"Dear {name.full}," if how.formal else f"Dear {name.given},"
    told = [audience.regret, audience.facts] if how.regret_first else [audience.facts, audience.regret]
    opening = [] if how.plainly or not draft.person else [CONTEXT]
    closing = phrases.closing_formal if how.formal else phrases.closing
    return "\n\n".join(filter(None, (salutation, *opening, *told, audience.next, f"{closing}\n{me}".rstrip())))


# Countries whose names stand family first; letters themselves are written in English unless a playbook says otherwise.
_LANGUAGES = {"HU": "hu", "JP": "ja", "KR": "ko", "CN": "zh", "TW": "zh", "VN": "vi"}


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
