"""The buffer of finished spans: bounded, in order, and nothing is lost between threads."""

import os
import sys
import threading

import pytest

from pea.telemetry import TracerProvider
from pea.telemetry.buffer import Buffer


def provider(limit: int) -> TracerProvider:
    return TracerProvider(shutdown_on_exit=False, buffer=Buffer(limit))


@pytest.fixture
def rapid_switching():
    """Threads change places as often as the interpreter lets them."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_no_span_is_lost_while_threads_append_and_a_drain_takes(rapid_switching):
    """Every span that any thread ends is taken exactly once, whole or in part batches."""
    traced = provider(1_000_000)
    tracer = traced.get_tracer("stress")
    per_thread, threads = 4_000, 4
    taken, done = [], threading.Event()

    def produce(number: int) -> None:
        for index in range(per_thread):
            with tracer.span(f"{number}.{index}"):
                pass

    def drain() -> None:
        turn = 0
        while not done.is_set():
            turn += 1
            taken.extend(traced.buffer.take(None if turn % 2 else 7))

    producers = [threading.Thread(target=produce, args=(number,)) for number in range(threads)]
    drainer = threading.Thread(target=drain)
    for thread in (*producers, drainer):
        thread.start()
    for thread in producers:
        thread.join()
    done.set()
    drainer.join()
    taken.extend(traced.buffer.take())

    assert len(taken) == per_thread * threads
    assert len({span.name for span in taken}) == per_thread * threads
    assert traced.buffer.taken == per_thread * threads
    assert traced.buffer.dropped == 0


def test_every_span_is_taken_or_counted_as_dropped_when_crowded(rapid_switching):
    """Taken and dropped spans add up, also when threads meet at the bound, which is never passed by more than them."""
    traced = provider(50)
    tracer = traced.get_tracer("stress")
    taken, longest = [], [0]

    def produce() -> None:
        for _ in range(3_000):
            tracer.start_span("crowd").end()
            longest[0] = max(longest[0], len(traced.buffer))

    producers = [threading.Thread(target=produce) for _ in range(4)]
    for thread in producers:
        thread.start()
    while any(thread.is_alive() for thread in producers):
        taken.extend(traced.buffer.take())
    taken.extend(traced.buffer.take())

    assert len(taken) + traced.buffer.dropped == 12_000
    assert longest[0] <= 50 + len(producers)


def test_a_span_is_ended_once_however_many_threads_end_it(rapid_switching, caplog):
    """Two threads ending one span hand it over once; the other is told off."""
    traced = provider(10_000)
    tracer = traced.get_tracer("stress")
    spans = [tracer.start_span("contested") for _ in range(2_000)]
    threads = [threading.Thread(target=lambda: [span.end() for span in spans]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(traced.buffer.take()) == len(spans)


def test_spans_come_out_in_the_order_in_which_they_ended():
    """take() is first in, first out, all or a few at a time."""
    traced = provider(100)
    tracer = traced.get_tracer("order")
    for index in range(10):
        tracer.start_span(str(index)).end()
    assert [span.name for span in traced.buffer.take(3)] == ["0", "1", "2"]
    assert [span.name for span in traced.buffer.take()] == [str(index) for index in range(3, 10)]
    assert traced.buffer.take() == []


def test_the_drain_is_woken_once_per_filling():
    """The hook is called when the buffer becomes half full, and again only after it was emptied."""
    traced = provider(10)
    tracer = traced.get_tracer("wake")
    calls = []
    traced.buffer.on_half_full(lambda: calls.append(len(traced.buffer)))
    for _ in range(12):
        tracer.start_span("s").end()
    assert calls == [6]
    assert traced.buffer.dropped == 2
    traced.buffer.take()
    for _ in range(8):
        tracer.start_span("s").end()
    assert calls == [6, 6]


def test_a_failing_hook_harms_no_span(caplog):
    """What the drain's hook raises is logged; the span is kept."""
    traced = provider(2)
    traced.buffer.on_half_full(lambda: 1 / 0)
    tracer = traced.get_tracer("wake")
    tracer.start_span("a").end()
    tracer.start_span("b").end()
    assert len(traced.buffer.take()) == 2
    assert "hurries the drain failed" in caplog.text


def test_a_closed_buffer_drops_and_counts():
    """After shutdown a span that ends is counted as dropped; what was there before is still taken."""
    traced = provider(10)
    tracer = traced.get_tracer("closed")
    tracer.start_span("before").end()
    traced.shutdown()
    tracer.start_span("after").end()
    assert [span.name for span in traced.buffer.take()] == ["before"]
    assert traced.buffer.dropped == 1


def test_a_buffer_holds_at_least_one_span():
    """A bound below one is a mistake, said at once."""
    with pytest.raises(ValueError, match="at least one"):
        Buffer(0)


def test_a_forked_child_starts_empty_with_ids_of_its_own():
    """The child neither exports its parent's spans nor repeats its parent's ids."""
    traced = provider(10)
    tracer = traced.get_tracer("fork")
    tracer.start_span("parent's").end()
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            tracer.start_span("child's").end()
            spans = traced.buffer.take()
            os.write(send, f"{len(spans)} {spans[0].name} {spans[0].span_id:x} {os.getpid()}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    tracer.start_span("parent's").end()
    count, name, span_id, _ = os.read(receive, 200).decode().split()
    os.close(receive)
    os.close(send)
    spans = traced.buffer.take()
    assert (count, name) == ("1", "child's")
    assert [span.name for span in spans] == ["parent's", "parent's"]
    assert int(span_id, 16) not in {span.span_id for span in spans}
