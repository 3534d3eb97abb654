"""PEA's rules as Prometheus alerting rules over the metrics that PEA exports.

What Prometheus cannot say is left behind with a reason: its quantiles have no confidence bound, so a minimum of samples
stands in for it; hysteresis becomes `keep_firing_for`; a trend becomes `deriv` over the window and twice the window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pea.errors import ConfigError
from pea.telemetry import names
from pea.telemetry.exposition import prometheus_name
from pea.telemetry.instruments import METRICS
from pea.watch.families import FAMILIES, SERVICE
from pea.watch.present import share
from pea.watch.rule import Change, Rule, RuleSet
from pea.watch.signals import Quantity, Signal, signal

_SHOWN = {"s": "humanizeDuration", "B": "humanize1024", "%": "humanizePercentage"}


class Exported(msgspec.Struct, frozen=True):
    """A rule file for Prometheus, and why rules are missing in it."""

    groups: dict[str, Any]
    left_out: tuple[str, ...]


def export(rules: RuleSet, interval_s: float = 10.0) -> Exported:
    """All rules that can be said in PromQL."""
    made, left_out = [], []
    for rule in rules.rules:
        try:
            made.append(alert(rule))
        except ConfigError as error:
            left_out.append(f"{rule.name}: {error}")
    group = {"name": "pea", "interval": _duration(interval_s), "rules": made}
    return Exported({"groups": [group]}, tuple(left_out))


def alert(rule: Rule) -> dict[str, Any]:
    """One alerting rule; ConfigError when PromQL cannot say it."""
    watched = signal(rule.signal)
    labels = {label: _label(_attribute(watched, label)) for label in rule.by}
    found: dict[str, Any] = {"alert": rule.name, "expr": _expression(rule, watched)}
    if rule.for_:
        found["for"] = _duration(float(rule.for_))
    if rule.clear.for_:
        found["keep_firing_for"] = _duration(float(rule.clear.for_))
    found["labels"] = {"severity": rule.severity, "type": rule.type or rule.name, **_renamed(labels)}
    found["annotations"] = {"summary": _message(rule, watched, labels)}
    if rule.runbook:
        found["annotations"]["runbook_url"] = rule.runbook
    return found


def _renamed(labels: Mapping[str, str]) -> dict[str, str]:
    """The rule's words as labels in place of the metric's own: Alertmanager sees one alert, whoever sends it."""
    named = {label: f"{{{{ $labels.{name} }}}}" for label, name in labels.items() if label != name}
    return named | {name: "" for name in labels.values() if name not in labels}


def _expression(rule: Rule, watched: Signal) -> str:
    if rule.baseline is not None:
        raise ConfigError("what is learned cannot be said in PromQL", fix="write a bound for Prometheus, or use PEA's")
    if rule.burn is not None:
        return _burn(rule, watched)
    if rule.absent is not None:
        return _absent(rule, watched)
    value = _value(rule, watched)
    if rule.change is not None:
        return _changed(rule, rule.change, watched, value)
    sign, bound = (">", rule.above) if rule.above is not None else ("<", rule.below)
    said = f"{value} {sign} {float(bound or 0)!r}"
    if rule.trend:
        metric, window = f"{_metric(watched)}{_selector(rule, watched)}", float(rule.window)
        rising = [f"deriv({metric}[{_duration(window * times)}]) > 0" for times in (1, 2)]
        return " and ".join([said, *(f"{_grouped(rule, watched, 'sum', one)}" for one in rising)])
    if watched.of_spans and watched.quantity is not Quantity.RATE and rule.min_samples > 1:
        said += f" and {_count(rule, watched, float(rule.window), 'increase')} >= {rule.min_samples}"
    return said


def _changed(rule: Rule, change: Change, watched: Signal, value: str) -> str:
    """The value beside itself over the time before the window, without confidence bounds."""
    if not watched.of_spans:
        raise ConfigError("the change of a gauge's median is not said in PromQL")
    window, over = _duration(float(rule.window)), _duration(float(change.over))
    earlier = _value(msgspec.structs.replace(rule, window=change.over), watched)
    before = earlier.replace(f"[{over}]", f"[{over}] offset {window}")
    least = float(change.at_least)
    said = f"{value} {'>' if change.factor > 1 else '<'} {change.factor:g} * ({before})"
    if least:
        difference = f"{value} - ({before})" if change.factor > 1 else f"({before}) - {value}"
        said += f" and {difference} >= {least!r}"
    if watched.quantity is not Quantity.RATE and rule.min_samples > 1:
        said += f" and {_count(rule, watched, float(rule.window), 'increase')} >= {rule.min_samples}"
    return said


def _value(rule: Rule, watched: Signal) -> str:
    window = float(rule.window)
    match watched.quantity:
        case Quantity.QUANTILE:
            by = ["le", *_by(rule, watched)]
            rates = f"rate({_metric(watched)}_bucket{_selector(rule, watched)}[{_duration(window)}])"
            return f"histogram_quantile({watched.q:g}, sum by ({', '.join(by)}) ({rates}))"
        case Quantity.MEAN:
            total = f"rate({_metric(watched)}_sum{_selector(rule, watched)}[{_duration(window)}])"
            return f"{_grouped(rule, watched, 'sum', total)} / {_count(rule, watched, window)}"
        case Quantity.RATE:
            return _count(rule, watched, window)
        case Quantity.MARKED:
            return f"{_bad(rule, watched, window)} / {_count(rule, watched, window)}"
        case Quantity.UNMARKED:
            hits = _count(rule, watched, window, more={_label(FAMILIES[watched.family].hit): "true"})
            return f"{hits} / {_count(rule, watched, window)}"
        case Quantity.GAUGE if watched.name != "loop.lag":
            return _grouped(rule, watched, _how(watched), f"{_metric(watched)}{_selector(rule, watched)}")
        case Quantity.GAUGE:
            rates = f"rate({_name(names.METRIC_LOOP_LAG)}_bucket[1m])"
            return f"histogram_quantile(0.99, sum by (le) ({rates}))"
        case Quantity.INCREASE:
            grown = f"increase({_metric(watched)}_total{_selector(rule, watched)}[{_duration(window)}])"
            return _grouped(rule, watched, "sum", grown)
        case _:
            raise ConfigError(f"{watched.name} cannot be said in PromQL", fix="watch a quantile or the mean")


def _burn(rule: Rule, watched: Signal) -> str:
    burn = rule.burn
    if burn is None:
        raise ConfigError("the rule has no objective")
    budget = f"{1 - burn.objective:.6g}"  # divided by it, the value that is shown is how fast it burns
    pairs = []
    for pair in burn.windows:
        rates = [f"{_bad_share(rule, watched, float(window))} / {budget}" for window in (pair.long, pair.short)]
        pairs.append(f"({' and '.join(f'{rate} > {pair.factor:g}' for rate in rates)})")
    return " or ".join(pairs)


def _bad_share(rule: Rule, watched: Signal, window: float) -> str:
    limit = rule.burn.limit if rule.burn is not None else None
    if limit is None:
        return f"{_bad(rule, watched, window)} / {_count(rule, watched, window)}"
    from pea.telemetry.series import classic_bounds

    bounds = classic_bounds(FAMILIES[watched.family].metric)
    edge = min(bounds, key=lambda bound: abs(bound - float(limit)))
    selector = _selector(rule, watched, {"le": str(edge)})
    good = _grouped(rule, watched, "sum", f"rate({_metric(watched)}_bucket{selector}[{_duration(window)}])")
    return f"(1 - {good} / {_count(rule, watched, window)})"


def _absent(rule: Rule, watched: Signal) -> str:
    window = _duration(float(rule.absent or 0))
    if watched.of_spans:
        return f"{_count(rule, watched, float(rule.absent or 0), 'increase')} == 0"
    return f"absent_over_time({_metric(watched)}{_selector(rule, watched)}[{window}])"


def _bad(rule: Rule, watched: Signal, window: float) -> str:
    """Failed calls per second; nothing failed is zero, not nothing."""
    selector = _selector(rule, watched, {}, {_label(names.ERROR_TYPE): ""})
    failed = f"rate({_metric(watched)}_count{selector}[{_duration(window)}])"
    return f"({_grouped(rule, watched, 'sum', failed)} or 0 * {_count(rule, watched, window)})"


def _count(rule: Rule, watched: Signal, window: float, how: str = "rate", more: Mapping[str, str] | None = None) -> str:
    counted = f"{how}({_metric(watched)}_count{_selector(rule, watched, more or {})}[{_duration(window)}])"
    return _grouped(rule, watched, "sum", counted)


def _grouped(rule: Rule, watched: Signal, how: str, inner: str) -> str:
    by = _by(rule, watched)
    return f"{how} by ({', '.join(by)}) ({inner})" if by else f"{how}({inner})"


def _how(watched: Signal) -> str:
    return "sum" if watched.unit == "B" else "max"


def _by(rule: Rule, watched: Signal) -> list[str]:
    return [_label(_attribute(watched, label)) for label in rule.by]


def _attribute(watched: Signal, label: str) -> str:
    if label == SERVICE:
        return "job"
    attribute = watched.labels.get(label, label)
    metric = FAMILIES[watched.family].metric if watched.family else watched.metric
    known = METRICS.get(metric.partition(":")[0])
    if known is not None and attribute not in known.labels:
        raise ConfigError(f"{metric} is not exported by {label}")
    return attribute


def _selector(
    rule: Rule, watched: Signal, more: Mapping[str, str] | None = None, unlike: Mapping[str, str] | None = None
) -> str:
    parts = [f'{_label(key)}="{_quoted(value)}"' for key, value in watched.fixed.items()]
    for label, wanted in rule.where.items():
        name = _label(_attribute(watched, label))
        values = (wanted,) if isinstance(wanted, str) else wanted
        if len(values) == 1:
            parts.append(f'{name}="{_quoted(values[0])}"')
        else:
            parts.append(f'{name}=~"{_quoted("|".join(_escaped(value) for value in values))}"')
    parts += [f'{key}="{_quoted(value)}"' for key, value in (more or {}).items()]
    parts += [f'{key}!="{_quoted(value)}"' for key, value in (unlike or {}).items()]
    return "{" + ", ".join(parts) + "}" if parts else ""


def _metric(watched: Signal) -> str:
    return _name(FAMILIES[watched.family].metric if watched.family else watched.metric.partition(":")[0])


def _name(metric: str) -> str:
    known = METRICS.get(metric)
    return prometheus_name(metric, known.unit if known else "", known.instrument if known else "gauge")


def _label(attribute: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in attribute)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in r"\.+*?()|[]{}^$" else letter for letter in text)


def _duration(seconds: float) -> str:
    whole = round(seconds * 1_000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}ms"


def _message(rule: Rule, watched: Signal, labels: Mapping[str, str]) -> str:
    shown = f"{{{{ $value | {_SHOWN[watched.unit]} }}}}" if watched.unit in _SHOWN else "{{ $value }}"
    if rule.burn is not None:
        shown = '{{ $value | printf "%.3g" }}x'
    bound = rule.above if rule.above is not None else rule.below
    words = {
        "value": shown,
        "burn": shown,
        "before": "what it was",
        "threshold": bound.text if bound is not None else "",
        "window": _duration(float(rule.window)),
        "rule": rule.name,
        "severity": rule.severity,
        "objective": share(rule.burn.objective) if rule.burn is not None else "",
        "growth": "an unknown amount",
        "left": "an unknown time",
        **{label: f"{{{{ $labels.{name} }}}}" for label, name in labels.items()},
    }
    return rule.message.format_map(words) if rule.message else f"{rule.name}: {watched.name} is {shown}"
