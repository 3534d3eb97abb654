"""What a search for traces may ask, as query parameters."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pea.store import Query

MAX_LIMIT = 500
DURATION = r"^[0-9]{1,9}(\.[0-9]{1,6})?(us|ms|s|m|h|d)$"
# Blanks are spelt out: what \s is, every dialect of regular expressions says otherwise.
TAGS = r'^[ \t\r\n]*([^ \t\r\n="]{1,200}=("[^"]*"|[^ \t\r\n"]*)([ \t\r\n]+|$))*$'

_UNITS = {"us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9}
_TAG = re.compile(r'([^ \t\r\n="]+)=(?:"([^"]*)"|([^ \t\r\n"]*))')

Duration = Annotated[str, Meta(pattern=DURATION)]
UnixMs = Annotated[int, Meta(ge=0, le=1 << 50)]


class TraceQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A search for traces in which one span fits all that is asked for; newest first.

    ``tags`` are attributes as ``key=value "key"="two words"``, compared as text; ``since`` counts back from now,
    ``start_ms`` and ``end_ms`` are Unix times.
    """

    service: Annotated[str, Meta(max_length=300)] | None = None
    operation: Annotated[str, Meta(max_length=300)] | None = None
    tags: Annotated[str, Meta(max_length=2_000, pattern=TAGS)] | None = None
    min: Duration | None = None
    max: Duration | None = None
    since: Duration | None = None
    start_ms: UnixMs | None = None
    end_ms: UnixMs | None = None
    error: Literal["true", "false"] | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = 50

    def wanted(self, now_ns: int) -> Query:
        """The search of the store."""
        shortest, longest = duration_ns(self.min), duration_ns(self.max)
        start_ns = 10**6 * (self.start_ms or 0)
        if self.since is not None:
            start_ns = max(start_ns, now_ns - duration_ns(self.since))
        return Query(
            service=self.service or "",
            operation=self.operation or "",
            attributes=tags(self.tags or ""),
            shortest_ns=shortest,
            longest_ns=longest,
            start_ns=start_ns,
            end_ns=10**6 * (self.end_ms or 0),
            error=None if self.error is None else self.error == "true",
            limit=self.limit,
        )


def tags(text: str) -> dict[str, str]:
    """Attributes of a text such as ``gen_ai.agent.name=calendar error.type="not found"``."""
    return {key: quoted or plain for key, quoted, plain in _TAG.findall(text)}


def duration_ns(text: str | None) -> int:
    """A duration such as ``100ms`` in nanoseconds; 0 without one."""
    if not text:
        return 0
    number = text.rstrip("usmhd")
    return int(float(number) * _UNITS[text[len(number) :]])
