"""The drain: every span to every consumer once, in slices, whatever a consumer does."""

import asyncio
import logging
import threading

import pytest

from pea.telemetry.buffer import Buffer
from pea.telemetry.drain import CHUNK, ROUND_SPANS, SHORTEST_S, Drain, paced
from pea.telemetry.provider import TracerProvider


class Collector:
    """Keeps what it is given."""

    def __init__(self, expected=0):
        self.spans = []
        self.batches = []
        self.settled = 0
        self.expected = expected
        self.complete = asyncio.Event()

    def consume(self, batch):
        self.spans += batch
        self.batches.append(len(batch))
        if len(self.spans) >= self.expected:
            self.complete.set()

    def settle(self):
        self.settled += 1


class Failing:
    """Raises at every batch."""

    def consume(self, batch):
        raise RuntimeError("no")


class Clock:
    """Advances by a step whenever it is read."""

    def __init__(self, step=0.0):
        self.now = 0.0
        self.step = step

    def __call__(self):
        self.now += self.step
        return self.now


@pytest.fixture
def provider():
    """A provider of its own."""
    made = TracerProvider(shutdown_on_exit=False, buffer=Buffer(1000))
    yield made
    made.shutdown()


def _spans(provider, count):
    tracer = provider.get_tracer("test")
    return [tracer.start_span(str(n)) for n in range(count)]


def _end(spans):
    for span in spans:
        span.end()


def test_every_span_reaches_every_consumer_once_and_in_order(provider):
    """Consumers get all spans in the order in which they ended."""
    drain, one, two = Drain(provider.buffer, 1.0), Collector(), Collector()
    drain.add(one)
    drain.add(two)
    spans = _spans(provider, 100)
    _end(spans)
    drain.drain_all()
    assert one.spans == two.spans == spans
    assert max(one.batches) == CHUNK
    assert one.settled == 1


def test_a_slice_ends_when_its_time_is_up(provider):
    """A slice stops after the chunk in which its time ran out and says that there is more."""
    clock = Clock(step=0.1)
    drain, collector = Drain(provider.buffer, 1.0, clock=clock), Collector()
    drain.add(collector)
    _end(_spans(provider, CHUNK * 10))
    assert drain.slice(0.25) is True
    assert len(collector.spans) == CHUNK * 3
    while drain.slice(0.25):
        pass
    assert len(collector.spans) == CHUNK * 10


def test_a_failing_consumer_stops_nobody(provider, caplog):
    """Its failures are counted, logged once a minute, and the others get everything."""
    clock = Clock()
    drain, collector = Drain(provider.buffer, 1.0, clock=clock), Collector()
    clock.step = 0.0001
    drain.add(Failing())
    drain.add(collector)
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            _end(_spans(provider, 1))
            drain.drain_all()
        assert len(caplog.records) == 1
        clock.now += 61
        _end(_spans(provider, 1))
        drain.drain_all()
    assert len(caplog.records) == 2
    assert "Failing" in caplog.text
    assert len(collector.spans) == 6
    assert drain.failures == {"Failing": 6}


def test_settling_may_fail_too(provider):
    """A consumer whose settle raises is counted like any other failure."""

    class Unsettled(Collector):
        def settle(self):
            raise OSError("no")

    drain = Drain(provider.buffer, 1.0)
    drain.add(Unsettled())
    drain.drain_all()
    assert drain.failures == {"Unsettled": 1}


def test_a_removed_consumer_gets_nothing_more(provider):
    """The function that `add` returns takes the consumer away."""
    drain, collector = Drain(provider.buffer, 1.0), Collector()
    remove = drain.add(collector)
    remove()
    _end(_spans(provider, 3))
    drain.drain_all()
    assert collector.spans == []


def test_slices_are_measured(provider):
    """Each slice that did work reports how long it held the thread."""
    measured = []
    drain = Drain(provider.buffer, 1.0, on_slice=measured.append, clock=Clock(step=0.01))
    drain.add(Collector())
    _end(_spans(provider, 1))
    drain.drain_all()
    assert measured
    assert all(seconds > 0 for seconds in measured)


async def test_on_a_loop_others_have_their_turn(provider):
    """While many spans are drained, a task that only yields keeps running."""
    drain, collector, turns = Drain(provider.buffer, 1.0, clock=Clock(step=0.001)), Collector(), 0
    drain.add(collector)
    _end(_spans(provider, CHUNK * 20))
    draining = asyncio.ensure_future(drain.drain_politely())
    while not draining.done():
        turns += 1
        await asyncio.sleep(0)
    assert len(collector.spans) == CHUNK * 20
    assert turns >= 20


@pytest.mark.parametrize(
    ("pause_s", "waiting", "expected"),
    [
        (0.2, 0, 0.2),  # nothing came: the interval
        (0.2, 100, 0.2),
        (0.2, 2 * ROUND_SPANS, 0.1),
        (0.1, ROUND_SPANS, 0.1),
        (0.05, 0, 0.1),  # doubled at most
        (0.2, 10**6, SHORTEST_S),
    ],
)
def test_spans_are_drained_in_rounds_of_like_size(pause_s, waiting, expected):
    """The more spans come, the sooner they are drained, so that they are gone before they are old."""
    assert paced(pause_s, waiting, 0.2) == pytest.approx(expected)


async def test_consumers_that_gather_are_told_at_the_interval(provider):
    """However often the drain is hurried, settle comes once an interval."""
    drain, collector = Drain(provider.buffer, 3600.0), Collector()
    drain.add(collector)
    task = asyncio.ensure_future(drain.run())
    async with asyncio.timeout(30):
        for round_ in range(1, 4):
            await asyncio.sleep(0)
            _end(_spans(provider, 600))
            while len(collector.spans) < 600 * round_:
                await asyncio.sleep(0)
    assert collector.settled == 0
    task.cancel()
    await asyncio.wait([task])


async def test_a_half_full_buffer_hurries_the_drain(provider):
    """The drain wakes long before its interval when the buffer is half full."""
    drain, collector = Drain(provider.buffer, 3600.0), Collector(600)
    drain.add(collector)
    task = asyncio.ensure_future(drain.run())
    await asyncio.sleep(0)
    _end(_spans(provider, 600))
    async with asyncio.timeout(30):
        await collector.complete.wait()
    task.cancel()
    await asyncio.wait([task])


def test_without_a_loop_a_thread_drains(provider):
    """start_thread drains until stop."""
    done = threading.Event()

    class Waiting(Collector):
        def consume(self, batch):
            super().consume(batch)
            if len(self.spans) == 10:
                done.set()

    drain, collector = Drain(provider.buffer, 0.001), Waiting()
    drain.add(collector)
    thread = drain.start_thread()
    _end(_spans(provider, 10))
    assert done.wait(30)
    drain.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_threads_that_end_spans_while_two_drain_lose_none(provider):
    """Many writers and two drainers: every span arrives exactly once."""
    provider.buffer.limit, provider.buffer.half = 1_000_000, 500_000
    drain, collector = Drain(provider.buffer, 1.0), Collector()
    drain.add(collector)
    writers = [threading.Thread(target=lambda: _end(_spans(provider, 1000))) for _ in range(4)]
    drainers = [threading.Thread(target=lambda: [drain.slice() for _ in range(200)]) for _ in range(2)]
    for thread in writers + drainers:
        thread.start()
    for thread in writers + drainers:
        thread.join()
    drain.drain_all()
    assert len(collector.spans) == 4000
    assert len({id(span) for span in collector.spans}) == 4000
