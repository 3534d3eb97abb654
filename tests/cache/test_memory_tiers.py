"""L1 and L2 against a plain model: bounds hold at every moment, and nothing is served that should not be."""

import random
from collections import OrderedDict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pea.cache import ordered, two_queues
from pea.cache.duel import Duel
from pea.cache.ordered import Ordered
from pea.cache.two_queues import MARKS, MIX, POLICIES, TwoQueues
from tests.cache.conftest import Clock

KEYS = st.integers(0, 30).map(lambda n: f"calendar:{n}")
SIZES = st.integers(0, 3_000)
TTLS = st.none() | st.floats(0, 20)
AGE, BYTES, ENTRIES = 10.0, 12_000, 12


class LruMachine(RuleBasedStateMachine):
    """`Ordered` with ``lru`` holds what an OrderedDict with bounds written out would hold, in its order."""

    def __init__(self):
        super().__init__()
        self.clock, self.gone, self.near = Clock(), [], {}
        self.real = Ordered(BYTES, ENTRIES, AGE, clock=self.clock, left=self.gone.append)
        self.model, self.named = OrderedDict(), set()

    @rule(key=KEYS, size=SIZES, ttl=TTLS, named=st.booleans())
    def put(self, key, size, ttl, named):
        self.model.pop(key, None)
        age = AGE if ttl is None else min(ttl, AGE)
        near = (self.near, "a " + key) if named else None
        cost = size + ordered.ENTRY_BYTES + (ordered.NEAR_BYTES if named else 0)
        taken = cost <= self.real.limit_bytes and age > 0
        if taken:
            self.model[key] = (object(), self.clock() + age, cost)
            self.named = (self.named - {key}) | ({key} if named else set())
        assert self.real.put(key, self.model.get(key, (None,))[0], size, ttl, near) == taken
        self.shrink()

    def shrink(self):
        while sum(size for _, _, size in self.model.values()) > self.real.limit_bytes or len(self.model) > ENTRIES:
            self.model.popitem(last=False)

    @rule(size=st.integers(0, BYTES))
    def limit(self, size):
        self.real.limit(size)
        self.shrink()

    @rule(key=KEYS)
    def get(self, key):
        held = self.model.get(key)
        if held is not None and self.clock() >= held[1]:
            held = self.model.pop(key) and None
        if held is not None:
            self.model.move_to_end(key)
        assert self.real.get(key) is (None if held is None else held[0])

    @rule(key=KEYS)
    def pop(self, key):
        held = self.model.pop(key, None)
        assert self.real.pop(key) is (None if held is None else held[0])

    @rule(seconds=st.floats(0, 8))
    def turn(self, seconds):
        self.clock.turn(seconds)

    @invariant()
    def same(self):
        assert list(self.real) == list(self.model)
        assert {name: held.key for name, held in self.near.items()} == {
            "a " + key: key for key in self.model if key in self.named
        }
        assert self.real.size_bytes == sum(size for _, _, size in self.model.values())


class TwoQueuesMachine(RuleBasedStateMachine):
    """`TwoQueues` never serves what was replaced, dropped or too old, and keeps its bounds under every policy."""

    def __init__(self):
        super().__init__()
        self.clock, self.model = Clock(), {}
        self.real = TwoQueues(BYTES, ENTRIES, AGE, clock=self.clock, left=self._left, judge=Duel())

    def _left(self, key):
        del self.model[key]

    @rule(key=KEYS, size=SIZES, ttl=TTLS)
    def put(self, key, size, ttl):
        age = AGE if ttl is None else min(ttl, AGE)
        value = object()
        self.model[key] = (value, self.clock() + age)
        taken = self.real.put(key, value, size, ttl)
        if not taken:
            self.model.pop(key, None)
        assert taken == (key in self.real)

    @rule(key=KEYS)
    def get(self, key):
        held = self.model.get(key)
        expected = None if held is None or self.clock() >= held[1] else held[0]
        assert self.real.get(key) is expected

    @rule(key=KEYS)
    def pop(self, key):
        held = self.model.pop(key, None)
        assert self.real.pop(key) is (None if held is None else held[0])

    @rule(seconds=st.floats(0, 8))
    def turn(self, seconds):
        self.clock.turn(seconds)

    @rule(policy=st.sampled_from(POLICIES))
    def change(self, policy):
        self.real.policy = policy

    @rule(size=st.integers(0, BYTES))
    def limit(self, size):
        self.real.limit(size)

    @precondition(lambda self: self.model)
    @rule()
    def clear(self):
        self.model.clear()
        self.real.clear()

    @invariant()
    def sound(self):
        real = self.real
        assert set(real) == set(self.model)
        queued = [node for queue in (real._small, real._main) for node in queue if not node.gone]
        assert sorted(node.key for node in queued) == sorted(self.model)
        assert real._small_gone + real._main_gone == len(real._small) + len(real._main) - len(queued)
        assert real.size_bytes == sum(node.size for node in real._nodes.values())
        assert real._small_bytes == sum(node.size for node in real._small if not node.gone)
        assert not real or real.stats().size_bytes <= real.limit_bytes
        assert len(real) <= ENTRIES


TestLru = LruMachine.TestCase
TestTwoQueues = TwoQueuesMachine.TestCase
TestLru.settings = TestTwoQueues.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def hit_percent(held, trace):
    for key in trace:
        if held.get(key) is None:
            held.put(key, True, 1000)
    return 100 * held.hits / len(trace)


def zipf(count, keys, skew=0.99, seed=1):
    rng = random.Random(seed)
    weights = [1 / rank**skew for rank in range(1, keys + 1)]
    return rng.choices(range(keys), weights, k=count)


def drifting(count, keys):
    """A working set that moves slowly: the newest are asked for most."""
    rng = random.Random(2)
    return [n // 8 + int(keys * rng.random() ** 3) for n in range(count)]


def looping(count, keys):
    return [n % keys for n in range(count)]


TRACES = {
    "zipf": (zipf(60_000, 20_000), 200),
    "drift": (drifting(40_000, 600), 300),
    "loop": (looping(40_000, 1_000), 500),
    "scan": ([key for n in zipf(30_000, 2_000) for key in (n, 10_000 + n * 7_919 % 1_000_000)], 200),
}


def queues(limit, policy, judge=None):
    return TwoQueues((1000 + two_queues.ENTRY_BYTES) * limit * 20, limit, 1e9, policy=policy, judge=judge)


@pytest.mark.parametrize("name", TRACES)
def test_the_duel_finds_the_best_policy(name):
    """On traces that suit different policies, the judged cache hits within 2 points of the best fixed one."""
    trace, limit = TRACES[name]
    fixed = [hit_percent(queues(limit, policy), trace) for policy in POLICIES]
    lru = hit_percent(Ordered(1 << 40, limit, 1e9), trace)
    assert hit_percent(queues(limit, "tinylfu", Duel()), trace) >= max(*fixed, lru) - 2


def test_the_traces_suit_different_policies():
    """Otherwise the test above would prove nothing."""
    best = set()
    for trace, limit in TRACES.values():
        ratios = {policy: hit_percent(queues(limit, policy), trace) for policy in POLICIES}
        best.add(max(ratios, key=ratios.__getitem__))
    assert len(best) >= 2


@pytest.mark.parametrize("limit", [180, 195, 200])
@pytest.mark.parametrize("policy", ["tinylfu", "tinylfu-wide"])
def test_a_bound_of_bytes_admits_as_one_of_entries_does(policy, limit):
    """Whichever bound is reached first, who is not asked for again does not push out who is."""
    trace, _ = TRACES["scan"]
    room = limit * (1000 + two_queues.ENTRY_BYTES) / (1 - two_queues._GHOST_SHARE)
    by_bytes = hit_percent(TwoQueues(int(room), 1 << 20, 1e9, policy=policy), trace)
    assert by_bytes >= hit_percent(queues(limit, policy), trace) - 2


def test_the_duel_wakes():
    """After long calm under one policy, a change of the requests is found, though the miniatures were asleep."""
    judge = Duel()
    held = queues(200, "tinylfu", judge)
    hit_percent(held, zipf(150_000, 20_000))
    assert held.policy == "tinylfu"
    hit_percent(held, drifting(60_000, 400))
    assert held.policy == "clock"


@pytest.mark.parametrize("policy", ["tinylfu", "tinylfu-wide"])
def test_main_gives_back_what_it_has_too_much_after_clock(policy):
    """Under clock everything is in main; else the small queue would never be as long as the policy wants it."""
    held = queues(200, "clock")
    hit_percent(held, [n % 200 for n in range(2_000)])
    assert len(held._main) == 200
    held.policy = policy
    hit_percent(held, [1_000 + n for n in range(2 * two_queues._TICK_EVERY)])
    mains = sum(node.main for node in held._nodes.values())
    assert mains <= held._main_most
    assert mains == len(held._main) - held._main_gone
    assert len(held) - mains == len(held._small) - held._small_gone
    assert held._small_bytes == sum(node.size for node in held._nodes.values() if not node.main)
    sizes = set()
    for number in range(20):
        hit_percent(held, [5_000 + number])
        sizes.add(len(held))
    assert len(sizes) > 2, "one had to go for each that came"


@pytest.mark.parametrize("policy", ["tinylfu", "tinylfu-wide"])
@pytest.mark.parametrize("value_bytes", [1_000, 1_001, 1_777])
def test_main_gives_nothing_back_that_it_may_hold(policy, value_bytes):
    """Under a bound of bytes the last to be admitted may stand over it: for that none has to leave at each tick."""
    held = TwoQueues(200 * 2_000, 1 << 20, 1e9, policy=policy)
    for number in range(4_000):
        if held.get(number % 150) is None:
            held.put(number % 150, True, value_bytes)
        held.put(10_000 + number, True, value_bytes)
    for number in range(100):
        held.put(20_000 + number, True, value_bytes)
        mains = sum(node.main for node in held._nodes.values())
        held._demote()
        assert sum(node.main for node in held._nodes.values()) == mains


@pytest.mark.parametrize("policy", ["tinylfu", "tinylfu-wide"])
def test_one_favourite_does_not_turn_all_away(policy):
    """Main's next victim, asked for often and no more, is preferred to one newcomer, not to all that follow."""
    held = queues(100, policy)
    hit_percent(held, [n % 100 for n in range(1_000)])
    held.hits = held.misses = 0
    assert hit_percent(held, [1_000 + n % 50 for n in range(4_000)]) > 60


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_the_newest_entries_are_held(policy, limit):
    """Also where there is room for one only; and what a round lets go at once is a small part."""
    held = queues(limit, policy)
    for number in range(10 * limit):
        held.put(number, number, 1000)
        assert len(held) <= limit
        assert number < limit or len(held) >= limit - limit // 64 - 3
    assert held.stats().evicted_size + len(held) == 10 * limit


def test_who_is_told_changes_with_the_sample():
    """A judge whose mask changes hears of the keys that belong to the new sample, of entries held already too."""

    class Listening:
        def __init__(self):
            self.mask, self.asked, self.heard = 0, [], []

        def verdict(self, policy, held, *, full):
            self.heard.append(self.asked[:])
            self.asked.clear()
            return policy

    judge = Listening()
    held = TwoQueues(1 << 30, 1 << 20, 1e9, judge=judge)
    for mask in (0, 3, 1):
        judge.mask = mask
        for number in range(1_000, 1_200):  # to the next tick, whose mask holds from then on
            held.put(number, number, 1)
        judge.asked.clear()
        for number in range(1_000, 1_100):
            held.get(number)
        assert judge.asked == [mark for number in range(1_000, 1_100) if not (mark := number * MIX % MARKS) & mask]
        judge.asked.clear()


def test_former_favourites_are_overtaken():
    """Counts age: what was asked for most in a former time does not keep its place."""
    held = queues(100, "tinylfu")
    hit_percent(held, [n % 100 for n in range(20_000)])
    held.hits = held.misses = 0
    assert hit_percent(held, [1_000 + n % 100 for n in range(20_000)]) > 60


@pytest.mark.parametrize("policy", ["lru", "fifo", "ttl"])
def test_which_leaves_first(policy):
    """Least recently used, first in, or next to expire."""
    clock = Clock()
    held = Ordered(1 << 20, 3, 100, policy=policy, clock=clock)
    for key, ttl in (("a", 50), ("b", 10), ("c", 90)):
        held.put(key, key, 1, ttl)
    held.get("a")
    held.put("d", "d", 1, 95)
    assert {"lru": "b", "fifo": "a", "ttl": "b"}[policy] not in held
    held.put("e", "e", 1, 95)
    assert {"lru": "c", "fifo": "b", "ttl": "a"}[policy] not in held


def test_ttl_order_survives_replacement():
    """Replaced and dropped entries leave no trace in the order, however often."""
    held = Ordered(1 << 20, 3, 1e6, policy="ttl", clock=Clock())
    for number in range(1_000):
        held.put(number % 5, number, 1, 1 + number * 7 % 100)
        held.pop((number + 1) % 5)
    assert len(held._heap) <= 64
