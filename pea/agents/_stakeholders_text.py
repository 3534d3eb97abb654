"""The stakeholders agent's answers in words."""

from __future__ import annotations

from datetime import datetime, timedelta

from pea.agents._mail_views import count
from pea.agents._stakeholders_views import FollowUps, Neglect, Profile, Ranking


def ranking_text(result: Ranking, now: datetime) -> str:
    """The ranking."""
    lines = [f"{result.considered} people since {result.since:%d %b %Y} ({result.machines} machines left out)."]
    for place, one in enumerate(result.people, 1):
        firm = f", {one.organization}" if one.organization else ""
        ago = "" if one.last_contact is None else f"last {_ago(one.last_contact, now)} ({one.last_how})"
        lines.append(f"{place:>3}  {one.score:.2f}  {one.name}{firm}: {ago}, {one.received} in, {one.sent} out, "
                     f"{count(one.meetings, 'meeting')}" + (f"; {one.merged}" if one.merged else ""))  # fmt: skip
    return "\n".join([*lines, f"Score: {result.formula}", *result.notes])


def profile_text(profile: Profile) -> str:
    """One person."""
    one = profile.standing
    lines = [f"{one.name}: number {profile.rank}, {one.score:.2f}" + (f"; {one.title}" if one.title else "")
             + (f", {one.organization}" if one.organization else "")]  # fmt: skip
    lines += [f"  {part.weight:.2f} of {part.value:.2f}  {part.name}: {part.why}" for part in one.parts]
    lines.append(f"  addresses  {', '.join(one.emails)}" + (f" ({one.merged})" if one.merged else ""))
    if one.next_meeting is not None:
        lines.append(f"  next       {one.next_meeting:%a %d %b %H:%M}")
    for who, span in (("you answer", profile.you_answer), ("they answer", profile.they_answer)):
        if span is not None:
            sure = "95 %" if span.sure else "seen"
            interval = f"{sure}: {span.low_h:.1f} to {span.high_h:.1f}, {span.count} answers"
            lines.append(f"  {who:<11}in {span.median_h:.1f} h, the median ({interval})")
    if profile.silent_days is not None and profile.usual_gap_days is not None:
        lines.append(f"  silence    {profile.silent_days:.0f} days; usual is {profile.usual_gap_days:g}")
    lines += [
        f"  you owe    “{p.said}”" + (f" by {p.due:%d %b}" if p.due else "") for p in profile.promises_of_yours[:5]
    ]
    lines += [
        f"  they owe   “{p.said}”" + (f" by {p.due:%d %b}" if p.due else "") for p in profile.promises_of_theirs[:5]
    ]
    lines += [f"  asked you  “{q.asked}”" for q in profile.questions_to_you[:5]]
    lines += [f"  you asked  “{q.asked}”" for q in profile.questions_of_yours[:5]]
    return "\n".join([*lines, *profile.notes])


def follow_up_text(result: FollowUps) -> str:
    """Promises."""
    mine = count(len(result.mine), "promise")
    lines = [f"{mine} of yours seem open, {len(result.theirs)} of others; {result.kept} were kept."]
    for one in result.mine:
        due = "no day named" if one.days_left is None else (
            f"{-one.days_left} days late" if one.days_left < 0 else f"due in {one.days_left} days"
        )  # fmt: skip
        lines.append(f"  {due:<14}to {one.to}: “{one.promise.said}” ({one.promise.subject}, {one.promise.sent:%d %b})")
    lines += [f"  they owe      {p.who}: “{p.said}”" for p in result.theirs[:10]]
    return "\n".join([*lines, *result.notes])


def neglect_text(result: Neglect) -> str:
    """Contacts that lapse."""
    lines = (
        [f"{len(result.people)} of {result.considered} contacts lapse."] if result.people else ["Nobody is neglected."]
    )
    for one in result.people:
        lines.append(f"  {one.score:.2f}  {one.name}: {one.why}")
        lines.append(f"        last: {one.last_subject} ({one.who_wrote_last}) → {one.advice}")
    return "\n".join([*lines, f"Counts as lapsed: {result.rule}.", *result.notes])


def _ago(moment: datetime, now: datetime) -> str:
    days = (now.date() - moment.date()) // timedelta(days=1)
    return "today" if days == 0 else "yesterday" if days == 1 else f"{days} days ago"
