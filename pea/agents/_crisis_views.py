"""What the crisis agent is told and says, as plain values."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from pea.workspace.files import SourceReport

Told = Annotated[str, msgspec.Meta(min_length=3, max_length=5_000)]
Country = Annotated[str, msgspec.Meta(pattern="^[A-Za-z]{2}$")]
Level = Literal["incident", "serious", "severe", "existential"]


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What has happened, as far as it is known; what the parts of a response are worked out from."""

    what: Told
    playbook: Annotated[str, msgspec.Meta(max_length=61)]
    score: Annotated[float, msgspec.Meta(ge=0, le=1)]
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    countries: Annotated[tuple[Country, ...], msgspec.Meta(max_length=50)] = ()
    affected: Annotated[int, msgspec.Meta(ge=0, le=10_000_000_000)] | None = None


class Sign(msgspec.Struct, frozen=True):
    """What in the report raised the score, by how much."""

    what: str
    points: float


class Alternative(msgspec.Struct, frozen=True):
    """Another playbook that the report could mean, with the words that speak for it."""

    playbook: str
    title: str
    words: tuple[str, ...]


class Escalation(msgspec.Struct, frozen=True):
    """Who is to know at once: the line that the score has to reach, and whether it does."""

    who: str
    line: float
    reached: bool


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of crisis it is and how grave. ``score`` is 0 to 1; ``decide_by`` is when the executive decides alone.

    ``is_crisis`` is whether the score reaches 0.7, below which it is an incident for those who run things.
    """

    playbook: str
    title: str
    words: tuple[str, ...]
    alternatives: tuple[Alternative, ...]
    score: float
    level: Level
    is_crisis: bool
    signs: tuple[Sign, ...]
    escalate: tuple[Escalation, ...]
    decide_by: datetime
    contain_by: datetime
    situation: Situation
    notes: tuple[str, ...]
    text: str


class Deadline(msgspec.Struct, frozen=True):
    """A limit of law or contract; ``why`` says why it holds here, ``sure`` is false where the country is not known."""

    what: str
    by: datetime
    why: str
    sure: bool = True


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """What the response is after, by what rules, and the limits that others set."""

    goal: str
    principles: tuple[str, ...]
    avoid: tuple[str, ...]
    contain_by: datetime
    clocks: tuple[Deadline, ...]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message for one person, or for an audience whose people nobody knows; nothing is sent.

    ``send_at`` is in the user's zone, ``local`` the recipient's clock then. ``country`` chose tone, form and language;
    ``language`` is an ISO 639-1 code, and ``why`` says why it is English where it might have been another.
    """

    audience: str
    person: str
    email: str
    country: str
    subject: str
    body: str
    send_at: datetime
    by: datetime
    local: str
    why: str
    language: str = "en"


class Messages(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to tell, by when, in which order, before any adaptation."""

    drafts: tuple[Draft, ...]
    unknown: tuple[str, ...]
    left_out: int


class Adaptation(msgspec.Struct, frozen=True):
    """How people of a country want to be told: form, order of regret and facts, whether plainly."""

    country: str
    formal: bool
    regret_first: bool
    plainly: bool
    why: str


class Adaptations(msgspec.Struct, frozen=True):
    """One for each country that an audience is in; the first, without a country, is for all others."""

    adaptations: tuple[Adaptation, ...]


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who fills a role; without a ``person`` it falls to the user. ``reach`` is least, usual and most minutes."""

    role: str
    person: str
    email: str
    phone: str
    why: str
    at_work: str
    reach: tuple[int, int, int]


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """Who and what is needed; ``move`` are the user's own meetings in the next eight hours."""

    holders: tuple[Holder, ...]
    needed: tuple[str, ...]
    gaps: tuple[str, ...]
    move: tuple[str, ...]
    notes: tuple[str, ...]


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What it may cost: money by hour and until it is contained, in the workspace's terms, with how it was reckoned."""

    affected: int | None
    per_hour: float
    until_contained: float
    currency: str
    cash: str
    reasons: tuple[str, ...]


class PlannedAction(msgspec.Struct, frozen=True, kw_only=True):
    """One action with its owner; times are means of the simulated runs, ``late`` their 90th percentile."""

    id: str
    what: str
    role: str
    owner: str
    starts: datetime
    ends: datetime
    late: datetime
    after: tuple[str, ...]
    critical: bool


class Lever(msgspec.Struct, frozen=True):
    """What would raise the chance, and to what."""

    what: str
    success: float


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """How long until the critical actions are done, and the chance that the response succeeds; ``method`` says how.

    Minutes: the median and the 80 % interval. ``in_time`` is the share of runs within the limit, ``works`` the
    playbook's own chance that its actions are enough, ``success`` their product.
    """

    minutes: float
    low_minutes: float
    high_minutes: float
    limit_minutes: int
    in_time: float
    works: float
    success: float
    levers: tuple[Lever, ...]
    method: str


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """Everything: assessment, the five parts, actions, messages as they would be sent, estimate. Nothing is sent.

    ``missing`` names parts that failed or were late, with the reason; the others stand.
    """

    assessment: Assessment
    strategy: Strategy | None
    resources: Resources | None
    impact: Impact | None
    adaptations: tuple[Adaptation, ...]
    actions: tuple[PlannedAction, ...]
    messages: tuple[Draft, ...]
    estimate: Estimate | None
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    text: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """One playbook and how ready the house is for it; ``gaps`` are roles that nobody in the contacts fills."""

    name: str
    title: str
    own: bool
    actions: int
    gaps: tuple[str, ...]
    audiences: dict[str, int]


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """The playbooks there are."""

    playbooks: tuple[Readiness, ...]
    sources: SourceReport
    notes: tuple[str, ...]
    text: str
