"""Events, patterns and the index: exactly what depends is dropped, found without a scan, and cycles end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.cache.index import Index
from pea.cache.patterns import group_over, groups_of, matches, meet
from pea.cache.rules import Rules
from pea.config import CacheSettings, InvalidationRule
from pea.errors import ConfigError

PART = st.sampled_from("abc")
NAME = st.lists(PART, min_size=1, max_size=4).map(":".join)
PATTERN = st.lists(st.sampled_from(["a", "b", "c", "*"]), min_size=1, max_size=4).map(":".join)


@pytest.mark.parametrize(
    ("pattern", "name", "does"),
    [
        ("calendar:*", "calendar:day", True),
        ("calendar:*", "calendar:day:x", True),
        ("calendar:*", "calendar", False),
        ("calendar:*", "calendars:day", False),
        ("agent:*:state", "agent:mail:state", True),
        ("agent:*:state", "agent:mail:new:state", False),
        ("*", "anything:at:all", True),
        ("a:b", "a:b", True),
    ],
)
def test_what_a_pattern_matches(pattern, name, does):
    """A star is one part, or one or more at the end."""
    assert matches(pattern, name) is does


@given(st.dictionaries(NAME, st.lists(NAME, max_size=2), max_size=12), PATTERN)
def test_the_index_finds_what_a_scan_finds(entries, pattern):
    """By groups, the same keys are found as by looking at each key and tag."""
    index = Index()
    for key, tags in entries.items():
        index.add(key, groups_of(key, tags))
    expected = {key for key, tags in entries.items() if any(matches(pattern, name) for name in (key, *tags))}
    found = index.matching(pattern)
    assert set(found) == expected
    assert len(found) == len(expected)
    for key in entries:
        index.discard(key)
    assert not index._members
    assert not index._groups


@given(NAME, st.lists(NAME, max_size=2), PATTERN)
def test_outer_tiers_never_drop_too_little(key, tags, pattern):
    """The group that an outer tier empties for a pattern holds all that the pattern matches, but for exact keys."""
    if any(matches(pattern, name) for name in tags) or ("*" in pattern and matches(pattern, key)):
        over = group_over(pattern)
        assert over is None or over in groups_of(key, tags)


@given(PATTERN, PATTERN, NAME)
def test_dependents_of_what_overlaps(trigger, dropped, name):
    """Where one name matches both the dropped pattern and a trigger, the trigger is met."""
    if matches(trigger, name) and matches(dropped, name):
        assert meet(trigger, dropped) is not None


@pytest.mark.parametrize(
    ("event", "variables", "patterns"),
    [
        ("meeting-created", {}, ["calendar:*", "optimisation:*", "travel:*"]),
        ("calendar-update", {}, ["calendar:*", "optimisation:*", "travel:*"]),
        ("agent-restart", {"agent": "mail"}, ["agent:mail:*", "system:health:*", "task:assignments:*"]),
        ("agent-restart", {}, ["agent:*:*", "system:health:*", "task:assignments:*"]),
        ("nothing-known", {}, []),
    ],
)
def test_the_rules_that_ship(event, variables, patterns):
    """The report's events drop what the report says, dependents included; a variable that is missing widens."""
    assert Rules(CacheSettings().invalidation).patterns(event, variables) == patterns


def test_cycles_end():
    """Rules that lead back to where they began drop each pattern once."""
    rules = Rules(
        [
            InvalidationRule(on=("go",), drop=("a:{x}:*",)),
            InvalidationRule(on=("a:{y}:*",), drop=("b:{y}:*",)),
            InvalidationRule(on=("b:*",), drop=("a:1:*", "c:*")),
        ]
    )
    assert rules.patterns("go", {"x": "1"}) == ["a:1:*", "b:1:*", "c:*"]


def test_an_empty_rule_is_refused():
    """A rule that could never do anything is a mistake, told with its number."""
    with pytest.raises(ConfigError, match="rule 2"):
        Rules([InvalidationRule(on=("a",), drop=("b:*",)), InvalidationRule(on=("a",), drop=())])


async def test_an_event_drops_exactly_what_depends(make_caches, telemetry):
    """`meeting-created` drops calendar, optimisation and travel entries, no other, under a span that counts them."""
    caches = make_caches()
    spaces = {name: caches.namespace(name, owner=name) for name in ("calendar", "optimisation", "travel", "finance")}
    for space in spaces.values():
        for key in ("one", "two"):
            space.put(key, key)
    done = await caches.emit("meeting-created")
    assert (done.removed, done.acknowledged) == (6, True)
    assert [space.get("one") for space in spaces.values()] == [None, None, None, "one"]
    assert len(caches.stack.index) == 2
    await telemetry.flush()
    spans = [span for trace in telemetry.recent.list() for span in telemetry.recent.get(trace.trace_id)]
    removed = {span.name: span.attributes.get("pea.cache.removed") for span in spans}
    assert removed["cache.invalidate meeting-created"] == 6


async def test_tags_and_other_owners(make_caches):
    """A tag drops entries of every agent that carry it."""
    caches = make_caches()
    mail, calendar = caches.namespace("mail", owner="mail"), caches.namespace("calendar", owner="calendar")
    mail.put("a", 1, tags=["person:anna"])
    mail.put("b", 1, tags=["person:bob"])
    calendar.put("a", 1, tags=["person:anna", "room:1"])
    assert (await caches.invalidate("person:anna")).removed == 2
    assert (mail.get("a"), mail.get("b"), calendar.get("a")) == (None, 1, None)
    assert (await caches.clear()).removed == 1
    assert caches.stats().memory_bytes < 1_000
