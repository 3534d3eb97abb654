"""What a span may hold: the SDK's limits, and attributes brought within them as the SDK does it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.util.types import AnyValue

MAX_LEAVES = 1_024

# Values that need no cleaning. Subclasses and sequences go the SDK's way, which copies what could change later.
_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})

# Keys seen and found to be non-empty strings: a set lookup is cheaper than checking again. Bounded.
_known_keys: set[str] = set()
_MAX_KNOWN_KEYS = 4_096
_MAX_KNOWN_LENGTH = 128


class Limits(msgspec.Struct, frozen=True):
    """Counts and lengths (characters), None for no limit; ``leaves`` is PEA's own."""

    attributes: int | None
    attribute_length: int | None
    events: int | None
    event_attributes: int | None
    links: int | None
    link_attributes: int | None
    event_and_link_attribute_length: int | None
    leaves: int = MAX_LEAVES

    @classmethod
    def of(cls, limits: SpanLimits) -> Limits:
        """The limits that the SDK read from its arguments and the OTEL_* variables."""
        return cls(
            attributes=limits.max_span_attributes,
            attribute_length=limits.max_span_attribute_length,
            events=limits.max_events,
            event_attributes=limits.max_event_attributes,
            links=limits.max_links,
            link_attributes=limits.max_link_attributes,
            event_and_link_attribute_length=limits.max_attribute_length,
        )


def plain_value(value: object, longest: int | None) -> bool:
    """Whether ``value`` can be taken as it is: of a simple type, and not too long."""
    kind = type(value)
    return kind in _PLAIN and (longest is None or kind is not str or len(value) <= longest)  # type: ignore[arg-type]


def _plain_keys(attributes: Mapping[str, AnyValue]) -> bool:
    for key in attributes:
        if type(key) is not str or not key:
            return False
    if len(_known_keys) < _MAX_KNOWN_KEYS:
        _known_keys.update(key for key in attributes if len(key) <= _MAX_KNOWN_LENGTH)
    return True


def plain_copy(attributes: Mapping[str, AnyValue], most: int | None, longest: int | None) -> dict[str, AnyValue] | None:
    """A copy of attributes that need no cleaning, or None when they have to go through `bounded`."""
    if type(attributes) is not dict or (most is not None and len(attributes) > most):
        return None
    if not _known_keys.issuperset(attributes) and not _plain_keys(attributes):
        return None
    copy = attributes.copy()
    if longest is None:
        for value in copy.values():
            if type(value) is not str and type(value) not in _PLAIN:
                return None
    else:
        for value in copy.values():
            if not plain_value(value, longest):
                return None
    return copy


def bounded(
    attributes: Mapping[str, AnyValue] | None, most: int | None, longest: int | None
) -> tuple[dict[str, AnyValue], int]:
    """A clean copy of ``attributes``, and how many were dropped: the SDK's BoundedAttributes, its warnings included."""
    if not attributes:
        return {}, 0
    copy = plain_copy(attributes, most, longest)
    if copy is not None:
        return copy, 0
    cleaned = BoundedAttributes(most, attributes, max_value_len=longest)
    return dict(cleaned), cleaned.dropped
