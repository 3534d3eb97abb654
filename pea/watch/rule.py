"""A rule as its file says it: what is watched, when that is wrong, and whom to tell. The schema's words stand here."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta, field

from pea.config import Bytes, Seconds

Severity = Literal["info", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "low", "medium", "high", "critical")
BUILT_IN_RECEIVERS = ("log",)

_NUMBER = re.compile(r"\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)\s*(/s)?\s*", re.ASCII)
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*", re.ASCII)
_OFTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(day|week|month|year)\s*", re.ASCII)
_DAYS = {"day": 1.0, "week": 7.0, "month": 30.0, "year": 365.0}
_MAX_TEXT = 64


class Amount(float):
    """A value to compare with, written with its unit: ``1s``, ``900ms``, ``1GiB``, ``5%``, ``2/s``, or a bare number.

    ``unit`` is ``s``, ``B``, ``%``, ``/s``, or empty for a bare number, which takes the signal's own.
    """

    __slots__ = ("text", "unit")

    def __init__(self, value: float, unit: str = "", text: str = "") -> None:
        del value
        self.unit = unit
        self.text = text

    def __new__(cls, value: float, unit: str = "", text: str = "") -> Self:
        """A float that remembers how it was written."""
        del unit, text
        return super().__new__(cls, value)

    @classmethod
    def parse(cls, given: object) -> Amount:
        """Read an amount; ValueError when it is not one."""
        if isinstance(given, int | float) and not isinstance(given, bool):
            if not abs(given) < 1e18:
                raise ValueError(f"{given!r} is beyond what is measured")
            return cls(given, "", f"{given:g}")
        if not isinstance(given, str) or len(given) > _MAX_TEXT:
            raise ValueError(f"an amount such as 1s, 1GiB, 5% or 2/s is expected, not {_short(given)}")
        text = given.strip()
        if (found := _PERCENT.fullmatch(text)) is not None:
            return cls(float(found[1]) / 100, "%", text)
        if (found := _NUMBER.fullmatch(text)) is not None:
            return cls(cls.parse(float(found[1])), found[2] or "", text)
        for unit, kind in (("s", Seconds), ("B", Bytes)):
            try:
                return cls(float(kind.parse(text)), unit, text)
            except ValueError:
                continue
        raise ValueError(f"an amount such as 1s, 1GiB, 5% or 2/s is expected, not {given!r}")


class Share(float):
    """A share between 0 and 1, written ``99.9%`` or ``0.999``."""

    __slots__ = ()

    @classmethod
    def parse(cls, given: object) -> Share:
        """Read a share; ValueError when it is not one."""
        found = _PERCENT.fullmatch(given) if isinstance(given, str) and len(given) <= _MAX_TEXT else None
        value = float(found[1]) / 100 if found else given
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"a share such as 99.9% or 0.999 is expected, not {_short(given)}")
        return cls(value)


class Frequency(float):
    """How often, in times a day, written ``1/month``, ``2/week`` or ``0.5/day``."""

    __slots__ = ()

    @classmethod
    def parse(cls, given: object) -> Frequency:
        """Read a frequency; ValueError when it is not one."""
        found = _OFTEN.fullmatch(given) if isinstance(given, str) and len(given) <= _MAX_TEXT else None
        value = float(found[1]) / _DAYS[found[2]] if found else 0.0
        if not 1e-4 <= value <= 1e3:
            raise ValueError(f"a frequency such as 1/month, 2/week or 0.5/day is expected, not {_short(given)}")
        return cls(value)


def _short(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 40 else f"{text[:39]}…"


def decode_unit(kind: type, value: object) -> object:
    """Msgspec's hook for the types above and those of the settings."""
    if kind in (Amount, Share, Frequency, Seconds, Bytes):
        return kind.parse(value)
    raise ValueError(f"{kind.__name__} cannot be read from {_short(value)}")


def _(text: str) -> Meta:
    return Meta(description=text)


def _lasting(seconds: float) -> Callable[[], Seconds]:
    """A default duration; made by a function because msgspec cannot write one into the schema."""
    return lambda: Seconds(seconds)


Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,79}$", description="Lower case, digits, - and _.")]
Text = Annotated[str, Meta(max_length=500)]
Words = tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a rule file."""


class Clear(_Part, frozen=True, kw_only=True):
    """When a firing alert is over: past this bound on the good side, for this long. The gap is the hysteresis."""

    below: Annotated[Amount, _("Over when the value is this or less.")] | None = None
    above: Annotated[Amount, _("Over when the value is this or more.")] | None = None
    for_: Annotated[Seconds, _("… for this long.")] = field(default_factory=_lasting(60), name="for")


class BurnWindow(_Part, frozen=True, kw_only=True):
    """One pair of windows: both must burn the budget ``factor`` times as fast as the objective allows."""

    long: Annotated[Seconds, _("The window that makes the alert significant.")]
    short: Annotated[Seconds, _("The window that makes it end soon after the fault.")]
    factor: Annotated[float, Meta(gt=0, le=1e6, description="Times the rate that spends the budget exactly.")]


# Google, The Site Reliability Workbook, chapter 5, table 5-8, for a budget of 30 days; the first two pages somebody.
STANDARD_BURN = (
    BurnWindow(long=Seconds(3_600), short=Seconds(300), factor=14.4),
    BurnWindow(long=Seconds(21_600), short=Seconds(1_800), factor=6.0),
)


class Burn(_Part, frozen=True, kw_only=True):
    """A service-level objective whose error budget is being spent too fast."""

    objective: Annotated[Share, _("The share of good events, such as 99.9%.")]
    limit: Annotated[Amount, _("With a latency signal: an event slower than this is not good.")] | None = None
    period: Annotated[Seconds, _("The time that the budget is for.")] = field(default_factory=_lasting(30 * 86_400))
    windows: Annotated[tuple[BurnWindow, ...], Meta(min_length=1, max_length=6)] = field(
        default_factory=lambda: STANDARD_BURN
    )


class Change(_Part, frozen=True, kw_only=True):
    """A figure that is not what it was: the window beside the time before it."""

    factor: Annotated[
        float,
        Meta(
            gt=0,
            le=1e6,
            description="Wrong when the value is so many times what it was; below 1: when it has fallen to that.",
        ),
    ] = 2.0
    at_least: Annotated[Amount, _("… and differs by this much; what is less does not matter.")] = field(
        default_factory=lambda: Amount(0.0)
    )
    over: Annotated[Seconds, _("How long the time before is; of spans a quarter of an hour with the window.")] = field(
        default_factory=_lasting(600)
    )


class Normal(_Part, frozen=True, kw_only=True):
    """What is normal is learned from each series, and what is not is wrong: no number of the user's is needed."""

    false_alarms: Annotated[Frequency, _("How often each series may be called unusual when nothing is wrong.")] = field(
        default_factory=lambda: Frequency(1 / 30)
    )
    direction: Annotated[
        Literal["both", "up", "down"], _("Whether only what is above, or below, the usual matters.")
    ] = "both"
    learn: Annotated[Seconds, _("How long a new series is only learned.")] = field(default_factory=_lasting(86_400))
    every: Annotated[Seconds, _("How often a value is looked at and learned.")] = field(default_factory=_lasting(60))


class Rule(_Part, frozen=True, kw_only=True):
    """One alert rule with one condition: a bound (also with `trend`), `burn`, `change`, `baseline` or `absent`."""

    name: Name
    type: Annotated[str, Meta(max_length=80, description="What kind of trouble this is, in a word.")] = ""
    severity: Annotated[Severity, _("How much the alert matters.")] = "medium"
    signal: Annotated[str, Meta(min_length=1, max_length=300, description="What is watched: `pea rules signals`.")]
    by: Annotated[Words, Meta(max_length=8, description="Labels; one alert for each of their values.")] = ()
    where: Annotated[dict[str, str | tuple[str, ...]], _("Only series whose labels have these values.")] = {}
    above: Annotated[Amount, _("Wrong when the value is above.")] | None = None
    below: Annotated[Amount, _("Wrong when the value is below.")] | None = None
    window: Annotated[Seconds, _("How far back the value looks.")] = field(default_factory=_lasting(300))
    for_: Annotated[Seconds, _("How long it must be wrong before the alert fires.")] = field(
        default_factory=_lasting(0), name="for"
    )
    clear: Annotated[Clear, _("When a firing alert is over; by default when the value is no longer wrong for 1m.")] = (
        field(default_factory=Clear)
    )
    min_samples: Annotated[int, Meta(ge=1, le=10**9, description="Fewer say nothing.")] = 1
    confidence: Annotated[
        float,
        Meta(
            ge=0.5,
            lt=1,
            description="How sure it must be that the true figure is past the bound; 0.5: the plain figure decides.",
        ),
    ] = 0.9999
    trend: Annotated[Literal["increasing"], _("Only while the value's floor has been growing.")] | None = None
    samples: Annotated[int, Meta(ge=5, le=100, description="How many floors a trend is judged by.")] = 10
    minus: Annotated[
        Words, Meta(max_length=8, description="Signals whose sum is taken off before a trend is judged.")
    ] = ()
    burn: Annotated[Burn, _("An objective whose budget is spent too fast.")] | None = None
    change: Annotated[Change, _("A figure that is not what it was.")] | None = None
    baseline: Annotated[Normal, _("A figure that is not normal, as learned from its past.")] | None = None
    absent: Annotated[Seconds, _("Wrong when a series that has been there is silent for this long.")] | None = None
    message: Annotated[
        Text, _("What the alert says; {value}, {before}, {expected}, {threshold}, {window} and labels in braces.")
    ] = ""
    runbook: Annotated[Text, _("Where it is written what to do.")] = ""
    notify: Annotated[Words, Meta(max_length=16, description="Receivers.")] = ("log",)
    resend: Annotated[Seconds, _("Tell again after this long while it is firing.")] = field(
        default_factory=_lasting(4 * 3_600)
    )


class Inhibit(_Part, frozen=True, kw_only=True):
    """While an alert of rule ``when`` fires, those of ``mutes`` with equal labels tell nobody."""

    when: Name
    mutes: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=100)]
    equal: Annotated[Words, Meta(max_length=8, description="Labels that must be the same on both.")] = ()


class Receiver(_Part, frozen=True, kw_only=True):
    """Somebody to tell. Secrets are named by environment variable, never written here."""

    name: Name
    kind: Literal["webhook", "alertmanager", "smtp", "otlp"]
    url: Annotated[str, Meta(max_length=2_000, description="webhook, alertmanager, otlp (a collector): where to.")] = ""
    secret_env: Annotated[str, _("webhook: the variable with the key that signs; smtp: with the password.")] = ""
    body: Annotated[str, Meta(max_length=20_000, description="webhook: another body, with {fields} filled in.")] = ""
    host: Annotated[str, Meta(max_length=253, description="smtp: the server.")] = ""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    tls: Annotated[Literal["starttls", "tls", "none"], _("smtp: how the connection is made safe.")] = "starttls"
    user: Annotated[str, Meta(max_length=254)] = ""
    sender: Annotated[str, Meta(max_length=254)] = ""
    to: Annotated[Words, Meta(max_length=50)] = ()


class RuleFile(_Part, frozen=True, kw_only=True):
    """A file of alert rules."""

    version: Annotated[Literal[1], _("The version of this format.")]
    rules: Annotated[tuple[Rule, ...], Meta(max_length=1_000)] = ()
    inhibit: Annotated[tuple[Inhibit, ...], Meta(max_length=200)] = ()
    receivers: Annotated[tuple[Receiver, ...], Meta(max_length=100)] = ()
    group_by: Annotated[Words, Meta(max_length=8, description="Alerts alike in these are told of together.")] = (
        "rule",
    )


class RuleSet(msgspec.Struct, frozen=True):
    """The rules of all files together; ``digest`` changes when any of them does."""

    rules: tuple[Rule, ...] = ()
    inhibit: tuple[Inhibit, ...] = ()
    receivers: tuple[Receiver, ...] = ()
    group_by: tuple[str, ...] = ("rule",)
    digest: str = ""


def told_everywhere(rules: RuleSet, urls: Sequence[str]) -> RuleSet:
    """The same rules with the Alertmanagers at ``urls`` told of each, beside those whom a rule names."""
    added = tuple(Receiver(name=f"alertmanager {url}", kind="alertmanager", url=url) for url in dict.fromkeys(urls))
    names = tuple(receiver.name for receiver in added)
    told = tuple(msgspec.structs.replace(rule, notify=(*rule.notify, *names)) for rule in rules.rules)
    return msgspec.structs.replace(rules, rules=told, receivers=(*rules.receivers, *added))


def labels_of(rule: Rule) -> tuple[str, ...]:
    """The labels that an alert of this rule has, and those that it looks at."""
    return tuple(dict.fromkeys((*rule.by, *rule.where)))


def as_written(value: Any) -> Any:
    """Msgspec's hook for writing: amounts as they were given."""
    if isinstance(value, Amount):
        return value.text
    if isinstance(value, float):  # a duration or a share
        return float(value)
    raise NotImplementedError(type(value).__name__)  # what msgspec asks of a hook for a type it does not know
