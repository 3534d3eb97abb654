"""What types cannot say of a rule: that its words exist, its units fit, and its bounds make sense together."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping

import msgspec

from pea.errors import ConfigError, did_you_mean, nearest
from pea.watch.rule import BUILT_IN_RECEIVERS, Amount, Change, Inhibit, Normal, Receiver, Rule, labels_of
from pea.watch.signals import Quantity, Signal, Unit, signal
from pea.watch.window import SHORT_S, SLICE_S

VALUES = (
    "value",
    "before",
    "expected",
    "threshold",
    "window",
    "rule",
    "severity",
    "growth",
    "left",
    "objective",
    "burn",
)
MAX_LONG_S = 30 * 86_400
MAX_EVERY_S = 3_600
MAX_LEARN_S = 60 * 86_400
MAX_TREND_S = 12 * 3_600  # twice this is kept by the series store


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a field of a rule, and what would be right; ``field`` is a dotted path, empty for the rule."""

    field: str
    what: str
    fix: str | None = None


def faults_of(rule: Rule, receivers: Mapping[str, Receiver]) -> Iterator[Fault]:
    """All that is wrong with a rule."""
    try:
        watched = signal(rule.signal)
    except ConfigError as error:
        yield Fault("signal", error.what, error.fix)
        return
    yield from _condition(rule, watched)
    yield from _labels(rule, watched)
    yield from _times(rule, watched)
    yield from _message(rule)
    known = [*BUILT_IN_RECEIVERS, *receivers]
    for name in rule.notify:
        if name not in known:
            yield Fault("notify", f"no receiver is called {name!r}", did_you_mean(name, known))


def faults_of_inhibit(inhibit: Inhibit, rules: Mapping[str, Rule]) -> Iterator[Fault]:
    """All that is wrong with an inhibition."""
    for field, names in (("when", (inhibit.when,)), ("mutes", inhibit.mutes)):
        for name in names:
            if name not in rules:
                yield Fault(field, f"no rule is called {name!r}", did_you_mean(name, rules))
    if inhibit.when in inhibit.mutes:
        yield Fault("mutes", "a rule cannot mute itself")


def faults_of_receiver(receiver: Receiver) -> Iterator[Fault]:
    """All that is wrong with a receiver."""
    if receiver.name in BUILT_IN_RECEIVERS:
        yield Fault("name", f"{receiver.name!r} is there already", "choose another name")
    if receiver.kind in {"webhook", "alertmanager", "otlp"} and not receiver.url.startswith(("http://", "https://")):
        yield Fault("url", "is not an address", "write http://… or https://…")
    if receiver.kind == "smtp":
        for field in ("host", "sender", "to"):
            if not getattr(receiver, field):
                yield Fault("", f"a receiver of kind smtp needs {field!r}")
        for address in (receiver.sender, *receiver.to):
            if any(ord(letter) < 32 for letter in address) or address.count("@") != 1:
                yield Fault("to", f"{address!r} is not an e-mail address")
    try:
        list(string.Formatter().parse(receiver.body))
    except ValueError as error:
        yield Fault("body", f"the braces do not match: {error}", "write {{ and }} for braces themselves")


def _condition(rule: Rule, watched: Signal) -> Iterator[Fault]:
    bounds = [name for name in ("above", "below") if getattr(rule, name) is not None]
    kinds = [
        *bounds[:1],
        *(name for name in ("burn", "change", "baseline", "absent") if getattr(rule, name) is not None),
    ]
    if not kinds:
        what = "the rule has no condition"
        yield Fault("trend" if rule.trend else "", what, "say above:, below:, burn:, change:, baseline: or absent:")
    elif len(kinds) > 1 or len(bounds) > 1:
        yield Fault(
            bounds[-1] if len(bounds) > 1 else kinds[-1],
            f"{' and '.join(dict.fromkeys(bounds + kinds))} are conditions of their own",
            "write two rules",
        )
    for name in bounds:
        yield from _amount(name, getattr(rule, name), watched)
    if rule.burn is None:
        if watched.quantity is Quantity.LATENCY:
            yield Fault("signal", f"{rule.signal} is for `burn` only", f"say {rule.signal}.p95, .mean or .max")
        yield from _clear(rule, watched)
    else:
        yield from _burn(rule, watched)
    if rule.change is not None:
        yield from _change(rule, rule.change, watched)
    if rule.baseline is not None:
        yield from _baseline(rule, rule.baseline)
    if rule.trend and (watched.quantity is not Quantity.GAUGE or rule.above is None):
        yield Fault("trend", "a trend needs a gauge and `above`", "watch process.memory or agent.memory")
    for name in rule.minus:
        yield from _minus(name, rule, watched)


def _amount(field: str, amount: Amount, watched: Signal) -> Iterator[Fault]:
    if amount.unit and amount.unit != watched.unit and watched.unit is not Unit.NUMBER:
        yield Fault(
            field, f"{amount.text} is not an amount of {watched.name}", f"write it in {_EXAMPLES[watched.unit]}"
        )
    elif watched.unit is Unit.RATIO and not 0 <= amount <= 1:
        yield Fault(field, f"{amount.text} is not a share", "write 5% or 0.05")


_EXAMPLES = {
    Unit.SECONDS: "time, such as 1s or 900ms",
    Unit.BYTES: "bytes, such as 512MiB or 1GiB",
    Unit.RATIO: "per cent, such as 5%",
    Unit.PER_SECOND: "events per second, such as 2/s",
    Unit.NUMBER: "a number",
}


def _clear(rule: Rule, watched: Signal) -> Iterator[Fault]:
    clear = rule.clear
    for field, amount in (("clear.below", clear.below), ("clear.above", clear.above)):
        if amount is not None:
            yield from _amount(field, amount, watched)
    if rule.above is not None:
        if clear.above is not None:
            yield Fault("clear.above", "a rule with above: is over below a bound", "write below:")
        if clear.below is not None and clear.below > rule.above:
            yield Fault(
                "clear.below",
                f"{clear.below.text} is past {rule.above.text}, where the rule fires",
                f"write {rule.above.text} or less",
            )
    if rule.below is not None:
        if clear.below is not None:
            yield Fault("clear.below", "a rule with below: is over above a bound", "write above:")
        if clear.above is not None and clear.above < rule.below:
            yield Fault(
                "clear.above",
                f"{clear.above.text} is past {rule.below.text}, where the rule fires",
                f"write {rule.below.text} or more",
            )


def _burn(rule: Rule, watched: Signal) -> Iterator[Fault]:
    burn = rule.burn
    if burn is None:
        return
    if watched.quantity not in {Quantity.MARKED, Quantity.LATENCY}:
        yield Fault(
            "signal", f"{rule.signal} has no good and bad events", "watch task.errors, or task.latency with a limit"
        )
    if (watched.quantity is Quantity.LATENCY) != (burn.limit is not None):
        yield Fault("burn.limit", "a limit goes with a latency signal, and only with one", "watch task.latency")
    if burn.limit is not None:
        yield from _amount("burn.limit", burn.limit, watched)
    if not 0 < burn.objective < 1:
        yield Fault("burn.objective", "an objective lies between 0 and 100 %", "write 99.9%")
    for place, pair in enumerate(burn.windows):
        if not SLICE_S <= pair.short < pair.long <= MAX_LONG_S:
            yield Fault(f"burn.windows[{place}]", "the short window must be shorter than the long one, both within 30d")
        elif pair.factor * (1 - burn.objective) > 1:
            yield Fault(f"burn.windows[{place}].factor", "is never reached: more than all events would have to be bad")


_CHANGING = frozenset((Quantity.QUANTILE, Quantity.MARKED, Quantity.RATE, Quantity.GAUGE))


def _change(rule: Rule, change: Change, watched: Signal) -> Iterator[Fault]:
    yield from _amount("change.at_least", change.at_least, watched)
    if watched.quantity not in _CHANGING:
        what = f"a change of {watched.name} cannot be told"
        yield Fault("change", what, "watch a quantile, .errors, .rate or a gauge")
    if change.factor == 1:
        yield Fault("change.factor", "1 times what it was is no change", "write 2 or 0.5")
    if change.factor < 1 and watched.quantity not in {Quantity.RATE, Quantity.GAUGE}:
        yield Fault("change.factor", f"{watched.name} is told only when it rises", "write 2")
    for name in ("below", "above"):
        if getattr(rule.clear, name) is not None:
            yield Fault(f"clear.{name}", "a change is over when the value is back, or has lasted", "write for: alone")
    reach = rule.window + change.over
    if watched.of_spans and reach > SHORT_S:
        yield Fault(
            "change.over", f"with the window it is {SHORT_S // 60} minutes at most", f"write {SHORT_S - rule.window:g}s"
        )
    elif change.over < rule.window:
        yield Fault("change.over", "is at least as long as the window", f"write {rule.window:g}s")


def _baseline(rule: Rule, normal: Normal) -> Iterator[Fault]:
    if not SLICE_S <= normal.every <= MAX_EVERY_S:
        yield Fault("baseline.every", f"is {SLICE_S} s to {MAX_EVERY_S // 3_600} h", "write 1m")
    elif not 10 * normal.every <= normal.learn <= MAX_LEARN_S:
        yield Fault(
            "baseline.learn", "is at least ten values and at most 60 days long", f"write {10 * normal.every:g}s"
        )
    for name in ("below", "above"):
        if getattr(rule.clear, name) is not None:
            yield Fault(f"clear.{name}", "what is normal again is learned, not said", "write for: alone")


def _minus(name: str, rule: Rule, watched: Signal) -> Iterator[Fault]:
    try:
        taken = signal(name)
    except ConfigError as error:
        yield Fault("minus", error.what, error.fix)
        return
    if not rule.trend:
        yield Fault("minus", "is for rules with a trend")
    elif taken.quantity is not Quantity.GAUGE or taken.unit is not watched.unit:
        yield Fault("minus", f"{name} is not measured in what {watched.name} is")


def _labels(rule: Rule, watched: Signal) -> Iterator[Fault]:
    known = [*watched.labels, "service"] if watched.family == "http" else list(watched.labels)
    for label in labels_of(rule):
        if label not in known and "." not in label:
            field = "by" if label in rule.by else "where"
            if watched.metric and not watched.labels and not nearest(label, known):
                yield Fault(field, f"{watched.name} has no label {label!r}")
            else:
                yield Fault(field, f"{watched.name} has no label {label!r}", did_you_mean(label, known))


def _times(rule: Rule, watched: Signal) -> Iterator[Fault]:
    longest = MAX_TREND_S if rule.trend or not watched.of_spans else SHORT_S
    if rule.burn is None and not SLICE_S <= rule.window <= longest:
        yield Fault("window", f"a window of {watched.name} is {SLICE_S} s to {longest // 60} minutes long")
    if rule.absent is not None and not SLICE_S <= rule.absent <= SHORT_S and watched.of_spans:
        yield Fault("absent", f"is {SLICE_S} s to {SHORT_S // 60} minutes long")
    if rule.resend < 60:
        yield Fault("resend", "is at least a minute", "write 4h")


def _message(rule: Rule) -> Iterator[Fault]:
    known = [*VALUES, *rule.by]
    try:
        parts = list(string.Formatter().parse(rule.message))
    except ValueError as error:
        yield Fault("message", f"the braces do not match: {error}", "write {{ and }} for braces themselves")
        return
    for _, name, spec, conversion in parts:
        if name is not None and (name not in known or spec or conversion):
            yield Fault("message", f"{{{name}}} cannot be filled in", did_you_mean(name, known))
