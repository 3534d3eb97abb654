"""The indexed registry against a plain list that is scanned."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from pea.runtime.registry import Registry

STATES = ("queued", "running", "ended")
TAGS = ("a", "b", "c")


class Item(msgspec.Struct, frozen=True):
    id: str
    state: str
    tags: tuple[str, ...]
    created: float


def registry() -> Registry[Item]:
    return Registry(
        lambda item: item.id,
        {"state": lambda item: (item.state,), "tag": lambda item: item.tags},
        order=lambda item: item.created,
    )


details = st.tuples(
    st.sampled_from(STATES), st.lists(st.sampled_from(TAGS), max_size=3).map(tuple), st.integers(0, 5).map(float)
)


class AgainstAScan(RuleBasedStateMachine):
    """Whatever is added, replaced and removed, every lookup equals a scan of a plain list."""

    items = Bundle("items")

    def __init__(self) -> None:
        super().__init__()
        self.registry = registry()
        self.plain: dict[str, Item] = {}
        self.number = 0

    @rule(target=items, details=details)
    def add(self, details: tuple[str, tuple[str, ...], float]) -> str:
        self.number += 1
        item = Item(f"i{self.number}", *details)
        self.registry.add(item)
        self.plain[item.id] = item
        return item.id

    @rule(key=items, details=details)
    def replace(self, key: str, details: tuple[str, tuple[str, ...], float]) -> None:
        item = Item(key, *details)
        assert self.registry.replace(item) == self.plain[key]
        self.plain[key] = item

    @rule(key=consumes(items))
    def remove(self, key: str) -> None:
        assert self.registry.remove(key) == self.plain.pop(key)

    @rule(key=items, details=details)
    def add_again(self, key: str, details: tuple[str, tuple[str, ...], float]) -> None:
        with pytest.raises(ValueError, match="already"):
            self.registry.add(Item(key, *details))

    @rule(state=st.sampled_from(STATES), tag=st.sampled_from(TAGS))
    def look_up(self, state: str, tag: str) -> None:
        def scan(wants_state: bool, wants_tag: bool) -> list[Item]:
            found = [
                item
                for item in self.plain.values()
                if (not wants_state or item.state == state) and (not wants_tag or tag in item.tags)
            ]
            return sorted(found, key=lambda item: (item.created, item.id))

        assert self.registry.where(state=state) == scan(True, False)
        assert self.registry.where(tag=tag) == scan(False, True)
        both = scan(True, True)
        assert self.registry.where(state=state, tag=tag) == both
        assert self.registry.count(state=state, tag=tag) == len(both)
        assert list(self.registry.before(None, state=state, tag=tag)) == both[::-1]
        for at, item in enumerate(both):
            assert list(self.registry.before((item.created, item.id), state=state, tag=tag)) == both[:at][::-1]

    @invariant()
    def holds_what_it_was_given(self) -> None:
        ordered = sorted(self.plain.values(), key=lambda item: (item.created, item.id))
        assert list(self.registry) == ordered == self.registry.where()
        assert list(self.registry.before(None)) == ordered[::-1]
        assert len(self.registry) == self.registry.count() == len(ordered)
        assert all(self.registry.get(item.id) == item and item.id in self.registry for item in ordered)
        states = {item.state for item in ordered}
        assert self.registry.values("state") == {s: sum(item.state == s for item in ordered) for s in states}
        assert set(self.registry.values("tag")) == {tag for item in ordered for tag in item.tags}


TestAgainstAScan = AgainstAScan.TestCase


def test_small_bucket_is_paged_like_a_large_one() -> None:
    """Paging gives the same order whether the bucket is sorted or the whole order is walked."""
    many = registry()
    for number in range(200):
        many.add(Item(f"i{number}", "queued" if number % 50 == 0 else "ended", (), float(number)))
    assert [item.id for item in many.before(None, state="queued")] == ["i150", "i100", "i50", "i0"]
    assert [item.id for item in many.before((100.0, "i100"), state="queued")] == ["i50", "i0"]


def test_unknown_index() -> None:
    """An index that is not there is a mistake of the caller, not an empty answer."""
    with pytest.raises(TypeError, match="no index is called 'colour'"):
        registry().where(colour="red")
