"""Ranked causes as one paragraph that a person on call can read."""

from __future__ import annotations

from collections.abc import Sequence

from pea.watch.cause import Cause
from pea.watch.cause_evidence import Sign

NOTHING = "The traces of the alert do not differ enough from those before it to name a cause."
_OTHERS = 2  # named after the first


def explain(causes: Sequence[Cause]) -> str:
    """The first cause with its figures, what marks the guilty spans, and who comes next; plain text, one paragraph."""
    if not causes:
        return NOTHING
    first = causes[0]
    parts = [f"Most likely {first.place.who}: {_what(first)}{_figures(first)}{_share(first)}."]
    if first.errors:
        parts.append("Errors: " + ", ".join(f"{one.name} ({one.after:.1%} of calls)" for one in first.errors) + ".")
    if first.attributes:
        one = first.attributes[0]
        parts.append(f"{one.guilty:.0%} of these spans have {one.key}={one.value}, others {one.others:.0%}.")
    others = [f"{one.place.who} ({_what(one)})" for one in causes[1 : 1 + _OTHERS] if one.score * 4 > first.score]
    if others:
        parts.append("Less likely: " + "; ".join(others) + ".")
    return " ".join(parts)


def _what(cause: Cause) -> str:
    operation = f"“{cause.place.operation}”"
    match cause.sign:
        case Sign.ANSWERS_LATE if cause.caller is not None:
            return f"{operation} takes longer to reach from {cause.caller.who}"
        case Sign.CALLS_SLOWLY:
            return f"its calls are slow whomever it calls, most so {operation}"
        case Sign.FAILS if cause.caller is not None:
            return f"calls from {cause.caller.who} to {operation} fail"
        case Sign.STOPS:
            return f"work stops in {operation}"
        case _:
            return f"{operation} {cause.sign.value}"


def _figures(cause: Cause) -> str:
    """The figure that the sign is about, before and after."""
    before, after = cause.before, cause.after
    if not cause.compared:
        fails = f", {after.error_ratio:.1%} of its calls"
        return fails if cause.sign is Sign.FAILS else f", {_ms(after.self_ms)} in the median"
    if not before.calls:
        return ", which was not seen before"
    if cause.sign is Sign.FAILS:
        return f", {before.error_ratio:.1%} of its calls before and {after.error_ratio:.1%} now"
    if cause.sign in {Sign.SLOWER, Sign.ANSWERS_LATE, Sign.CALLS_SLOWLY}:
        return f", in the median {_ms(before.self_ms)} before and {_ms(after.self_ms)} now"
    if cause.sign in {Sign.RARER, Sign.MORE_OFTEN}:
        return f", {before.rate:.3g} times a trace before and {after.rate:.3g} now"
    return ""


def _share(cause: Cause) -> str:
    if cause.share < 0.01:
        return ""
    of = "of the added" if cause.compared else "of all"
    return f"; {cause.share:.0%} {of} {'failures' if cause.sign is Sign.FAILS else 'time'}"


def _ms(value: float) -> str:
    return f"{value / 1e3:.3g} s" if value >= 1e3 else f"{value:.3g} ms"
