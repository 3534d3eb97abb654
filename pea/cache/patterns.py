"""Names of cached things (``calendar:day:2026-05-12``), the groups a name belongs to, and patterns that match names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PARTS = ":"
REST = "*"
MAX_PARTS = 6  # a name's further parts make no groups of their own
MAX_PATTERN = 512

_VARIABLE = re.compile(r"\{(\w+)\}")


def prefixes(name: str) -> list[str]:
    """The groups that a name is in by its beginnings: ``a:b:c`` is in ``a:*`` and ``a:b:*``."""
    groups: list[str] = []
    place = name.find(PARTS)
    while place >= 0 and len(groups) < MAX_PARTS:
        groups.append(name[: place + 1] + REST)
        place = name.find(PARTS, place + 1)
    return groups


def groups_of(key: str, tags: Iterable[str] = ()) -> tuple[str, ...]:
    """Every group of an entry: its key's beginnings, its tags, and their beginnings."""
    groups = dict.fromkeys(prefixes(key))
    for tag in tags:
        groups[tag] = None
        groups.update(dict.fromkeys(prefixes(tag)))
    return tuple(groups)


def group_over(pattern: str) -> str | None:
    """The narrowest group that holds all that a pattern matches; None when only everything does.

    For ``a:b:*`` and for a tag it is the pattern itself. ``a:*:c`` lies within ``a:*``.
    """
    parts = pattern.split(PARTS)
    if REST not in parts:
        return pattern
    first = parts.index(REST)
    if first == 0:
        return None
    return PARTS.join(parts[: min(first, MAX_PARTS)]) + PARTS + REST


def is_whole_group(pattern: str) -> bool:
    """Whether a pattern matches exactly the members of `group_over`."""
    parts = pattern.split(PARTS)
    return REST not in parts or (parts.index(REST) == len(parts) - 1 and 1 < len(parts) <= MAX_PARTS + 1)


def matches(pattern: str, name: str) -> bool:
    """Whether ``*`` for one part, or for one or more at the end, makes the pattern the name."""
    wanted, parts = pattern.split(PARTS), name.split(PARTS)
    if wanted[-1] == REST:
        if len(parts) < len(wanted):
            return False
        parts = parts[: len(wanted)]
    return len(wanted) == len(parts) and all(w in (REST, p) for w, p in zip(wanted, parts, strict=True))


def fill_in(pattern: str, variables: Mapping[str, str]) -> str:
    """Put the variables in their places; one that is not given stands for anything: better too much than stale."""
    return _VARIABLE.sub(lambda found: variables.get(found[1]) or REST, pattern)[:MAX_PATTERN]


def meet(trigger: str, dropped: str) -> dict[str, str] | None:
    """The variables of ``trigger`` if some name could match it and ``dropped`` alike, else None."""
    variables: dict[str, str] = {}
    wanted, given = trigger.split(PARTS), dropped.split(PARTS)
    for place, part in enumerate(wanted):
        last = place == len(wanted) - 1
        if place >= len(given):  # only a given `*` at the end reaches further
            return variables if given[-1] == REST else None
        there = given[place]
        variable = _VARIABLE.fullmatch(part)
        if variable is not None and there != REST:
            variables[variable[1]] = there
        elif variable is None and part != REST and there not in (REST, part):
            return None
        if last and part != REST and len(given) > len(wanted):
            return None
        if place == len(given) - 1 and there == REST:
            return variables
    return variables
