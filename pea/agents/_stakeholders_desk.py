"""Who matters to the user, reckoned from mail, meetings and contacts by a stated formula."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from pathlib import Path
from statistics import median

import msgspec

from pea import InputError
from pea.agents import _promises
from pea.agents import _stakeholders_text as text
from pea.agents._address_book import BOOKS
from pea.agents._mail_views import count
from pea.agents._people import Me, identify
from pea.agents._stakeholders_people import (
    Circle,
    Met,
    Someone,
    Touch,
    answers,
    gaps,
    gather,
    median_interval,
)
from pea.agents._stakeholders_views import (
    FollowUp,
    FollowUps,
    Neglect,
    Neglected,
    Part,
    Profile,
    Ranking,
    Span,
    Standing,
)
from pea.workspace.files import SourceReport
from pea.workspace.mail import Thread, people, threads
from pea.workspace.mail.store import SHARED

HALF_LIFE_DAYS = 30.0
WEIGHTS = {"recency": 0.35, "frequency": 0.25, "reciprocity": 0.25, "meetings": 0.15}
FORMULA = (
    "0.35 recency (halves every 30 days) + 0.25 frequency (log of mails, each shared among its recipients, of the most "
    "there is) + 0.25 reciprocity (twice the lesser direction of all mails) + 0.15 meetings (log, of the most there is)"
)
LEAST_CONTACTS = 4  # days of contact before a usual gap can be told
LAPSED_TIMES = 3.0
LAPSED_DAYS = 14.0
RULE = (
    f"silent for more than {LAPSED_TIMES:g} times the usual (median) gap and {LAPSED_DAYS:g} days, after at least "
    f"{LEAST_CONTACTS} days of contact; no meeting ahead"
)


class Desk:
    """Owns what was read of mail and contacts; the readers are shared with other agents."""

    def __init__(self, workspace: Path, state: Path | None, emails: Iterable[str], name: str) -> None:
        self._place = (workspace, state)
        self._mail = SHARED.open(workspace, state)
        self._book = BOOKS.open(workspace, state)
        self._emails = tuple(emails)
        self._name = name
        self._seen = ""
        self._threads: tuple[Thread, ...] = ()
        self.me = Me(frozenset())

    def close(self) -> None:
        """Let go of the readers."""
        SHARED.release(*self._place)
        BOOKS.release(*self._place)

    def refresh(self, budget_s: float) -> None:
        """Read what is new. Raises WorkspaceError without a workspace."""
        self._book.refresh(budget_s / 4)
        self._mail.refresh(budget_s=budget_s)
        if self._mail.version != self._seen:
            self._seen = self._mail.version
            self.me = identify(self._mail.messages, self._emails, self._name)
            self._threads = tuple(threads(self._mail.messages))

    @property
    def version(self) -> str:
        """Changes whenever mail, contacts or customs do."""
        return f"{self._mail.version}|{self._book.version}"

    def report(self) -> SourceReport:
        """What was read and refused."""
        return self._mail.report().merged(self._book.report())

    def rank(self, meetings: Sequence[Met], since: date, now: datetime, limit: int) -> Ranking:
        """Everybody by standing."""
        circle, standings = self._standings(meetings, since, now)
        shown = tuple(standings[:limit])
        result = Ranking(
            since=since,
            people=shown,
            considered=len(circle.people),
            machines=circle.machines,
            formula=FORMULA,
            notes=self._notes(),
            sources=self.report(),
            text="",
        )
        return msgspec.structs.replace(result, text=text.ranking_text(result, now))

    def person(self, who: str, meetings: Sequence[Met], since: date, now: datetime) -> Profile:
        """One person. Raises InputError with the nearest name."""
        circle, standings = self._standings(meetings, since, now)
        place = _find(who, standings)
        standing = standings[place]
        someone = circle.people[circle.by_email[standing.emails[0]]]
        emails = frozenset(standing.emails)
        mine, theirs = answers(self._threads, self.me, emails)
        found = _promises.find(self._between(emails), self.me, _start(since, now), now)
        concerned = {m.id for m in self._mail.messages if people(m) & emails}
        open_ones = [(own, one) for own, one in found.promises if not one.kept_by and one.message_id in concerned]
        usual = gaps(someone)
        last = someone.touches[-1].at if someone.touches else None
        profile = Profile(
            standing=standing,
            rank=place + 1,
            you_answer=_span(mine),
            they_answer=_span(theirs),
            usual_gap_days=median(usual) if usual else None,
            silent_days=None if last is None else round((now - last).total_seconds() / 86_400, 1),
            promises_of_yours=tuple(one for own, one in open_ones if own),
            promises_of_theirs=tuple(one for own, one in open_ones if not own),
            questions_to_you=tuple(one for own, one in found.questions if not own)[:20],
            questions_of_yours=tuple(one for own, one in found.questions if own)[:20],
            last_subjects=tuple(dict.fromkeys(touch.subject for touch in reversed(someone.touches)))[:5],
            notes=self._notes(),
            sources=self.report(),
            text="",
        )
        return msgspec.structs.replace(profile, text=text.profile_text(profile))

    def follow_ups(self, meetings: Sequence[Met], since: date, now: datetime) -> FollowUps:
        """What the user promised and has not been seen to do, the latest and weightiest first."""
        _, standings = self._standings(meetings, since, now)
        score = {email: one.score for one in standings for email in one.emails}
        found = _promises.find(self._threads, self.me, _start(since, now), now)
        by_id = {m.id: m for thread in self._threads for m in thread.messages}
        mine = []
        for own, promise in found.promises:
            if not own or promise.kept_by:
                continue
            message = by_id.get(promise.message_id)
            to = [a.email for a in message.to if a.email] if message is not None else []
            best = max((score.get(email, 0.0) for email in to), default=0.0)
            left = None if promise.due is None else (promise.due - now.date()).days
            mine.append(FollowUp(promise, ", ".join(promise.to), best, left))
        mine.sort(key=lambda one: (one.days_left if one.days_left is not None else 10_000, -one.score))
        theirs = tuple(one for own, one in found.promises if not own and not one.kept_by)
        result = FollowUps(
            mine=tuple(mine),
            theirs=theirs,
            kept=sum(bool(one.kept_by) for _, one in found.promises),
            notes=(*self._notes(), "kept is read from later words and files in the same conversation"),
            sources=self.report(),
            text="",
        )
        return msgspec.structs.replace(result, text=text.follow_up_text(result))

    def neglected(self, meetings: Sequence[Met], since: date, now: datetime, limit: int) -> Neglect:
        """Whom the user has lost sight of."""
        circle, standings = self._standings(meetings, since, now)
        found = []
        for standing in standings:
            someone = circle.people[circle.by_email[standing.emails[0]]]
            usual = gaps(someone)
            if len(usual) + 1 < LEAST_CONTACTS or someone.ahead or not someone.touches:
                continue
            last = someone.touches[-1]
            silent = (now - last.at).total_seconds() / 86_400
            middle = max(1.0, median(usual))
            if silent > LAPSED_TIMES * middle and silent > LAPSED_DAYS:
                found.append(_lapsed(standing, someone, last, silent, middle, len(usual) + 1))
        found.sort(key=lambda one: -one.score)
        result = Neglect(
            people=tuple(found[:limit]),
            considered=len(circle.people),
            rule=RULE,
            notes=self._notes(),
            sources=self.report(),
            text="",
        )
        return msgspec.structs.replace(result, text=text.neglect_text(result))

    def _standings(self, meetings: Sequence[Met], since: date, now: datetime) -> tuple[Circle, list[Standing]]:
        start = _start(since, now)
        recent = (one for one in self._mail.messages if one.date is not None and one.date >= start)
        circle = gather(recent, meetings, self.me, self._book.by_email, now)
        counts = [_counts(one) for one in circle.people]
        most = max((weight for weight, *_ in counts), default=0.0)
        most_met = max((met for *_, met in counts), default=0)
        found = [_standing(one, *count, most, most_met, now) for one, count in zip(circle.people, counts, strict=True)]
        return circle, sorted(found, key=lambda one: (-one.score, one.name, one.emails))

    def _between(self, emails: frozenset[str]) -> list[Thread]:
        return [thread for thread in self._threads if any(people(m) & emails for m in thread.messages)]

    def _notes(self) -> tuple[str, ...]:
        notes = []
        pending = self.report().pending
        if pending:
            notes.append(f"{pending} files are not read yet; ask again for a fuller answer")
        if self.me.guessed and self.me.emails:
            notes.append(f"you are taken to be {', '.join(sorted(self.me.emails))}; set user.emails to be sure")
        return tuple(notes)


def _start(since: date, now: datetime) -> datetime:
    return datetime.combine(since, time(), now.tzinfo)


def _counts(one: Someone) -> tuple[float, int, int, int]:
    received = sum(touch.how == "received" for touch in one.touches)
    sent = sum(touch.how == "sent" for touch in one.touches)
    weight = sum(touch.weight for touch in one.touches if touch.how != "met")
    return weight, received, sent, sum(touch.how == "met" for touch in one.touches)


def _standing(
    one: Someone, weight: float, received: int, sent: int, met: int, most: float, most_met: int, now: datetime
) -> Standing:
    last = one.touches[-1] if one.touches else None
    days = (now - last.at).total_seconds() / 86_400 if last is not None else math.inf
    mails = received + sent
    parts = (
        _part("recency", 0.5 ** (days / HALF_LIFE_DAYS) if days < 36_500 else 0.0,
              f"last contact {count(round(days), 'day')} ago ({last.how})" if last is not None else "no contact yet"),
        _part("frequency", math.log1p(weight) / math.log1p(most) if most else 0.0,
              f"{count(mails, 'mail')}, {weight:.1f} when shared among recipients"),
        _part("reciprocity", 2 * min(received, sent) / mails if mails else 0.0, f"{received} received, {sent} sent"),
        _part("meetings", math.log1p(met) / math.log1p(most_met) if most_met else 0.0, count(met, "meeting")),
    )  # fmt: skip
    return Standing(
        name=one.name,
        emails=one.emails,
        organization=one.contact.organization if one.contact is not None else "",
        title=one.contact.title if one.contact is not None else "",
        score=round(sum(part.value * part.weight for part in parts), 4),
        parts=parts,
        last_contact=None if last is None else last.at.astimezone(now.tzinfo),
        last_how="" if last is None else last.how,
        next_meeting=one.ahead[0] if one.ahead else None,
        received=received,
        sent=sent,
        meetings=met,
        merged=one.merged,
    )


def _part(name: str, value: float, why: str) -> Part:
    return Part(name, round(value, 4), WEIGHTS[name], why)


def _span(values: Sequence[float]) -> Span | None:
    if not values:
        return None
    middle, low, high, sure = median_interval(values)
    return Span(round(middle, 2), round(low, 2), round(high, 2), len(values), sure)


def _find(who: str, standings: Sequence[Standing]) -> int:
    wanted = who.strip().casefold()
    for place, one in enumerate(standings):
        if wanted in one.emails:
            return place
    words = set(wanted.replace(",", " ").split())
    for place, one in enumerate(standings):
        if words and words <= set(one.name.casefold().replace(",", " ").split()):
            return place
    near = difflib.get_close_matches(wanted, [one.name.casefold() for one in standings[:10_000]], n=1, cutoff=0.5)
    shown = next((one.name for one in standings if near and one.name.casefold() == near[0]), None)
    fix = f"did you mean {shown!r}?" if shown else "give a name or an address of somebody you write or meet with"
    raise InputError(f"nobody is called {who!r}", where="person", fix=fix)


def _lapsed(standing: Standing, one: Someone, last: Touch, silent: float, usual: float, contacts: int) -> Neglected:
    wrote = {"received": "they", "sent": "you", "met": "both of you met"}[last.how]
    advice = "answer them" if last.how == "received" else "write, or ask for half an hour"
    return Neglected(
        name=one.name,
        emails=one.emails,
        score=standing.score,
        silent_days=round(silent, 1),
        usual_gap_days=usual,
        times=round(silent / usual, 1),
        contacts=contacts,
        last_subject=last.subject,
        who_wrote_last=wrote,
        why=f"silent for {silent:.0f} days, {silent / usual:.1f} times the usual {usual:g} (over {contacts} contacts)",
        advice=advice,
    )
