"""The outbox: bounded lines, one worker, closing in time."""

import os
import threading

import pytest

from pea.telemetry.otlp_target import OtlpTarget
from pea.telemetry.outbox import Line, Outbox
from pea.telemetry.senders import Parcel


class Scripted:
    """A sender that gives scripted answers; ``gate`` holds deliveries back until it is set."""

    def __init__(self, answers=()):
        self.answers = list(answers)
        self.sent = []
        self.closed = 0
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def send(self, parcel):
        self.entered.set()
        self.gate.wait(30)
        self.sent.append(parcel.payload)
        answer = self.answers.pop(0) if self.answers else ""
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.closed += 1
        self.gate.set()


def _line(sender, signal="traces", **kwargs):
    target = OtlpTarget(
        signal=signal,
        protocol="http/protobuf",
        endpoint="http://nowhere",
        headers={},
        timeout_s=1,
        compression="none",
        insecure=None,
    )
    return Line(target, make=lambda _: sender, **{"max_items": 100, **kwargs})


def test_parcels_are_delivered_in_order_and_counted():
    """What was put in comes out in order; items are counted as exported."""
    sender = Scripted()
    line = _line(sender)
    outbox = Outbox([line])
    for n in range(5):
        assert outbox.put(line, Parcel(n, 2))
    assert outbox.flush(30)
    assert sender.sent == [0, 1, 2, 3, 4]
    assert (line.status().exported, line.status().queued) == (10, 0)
    assert outbox.close(30)


@pytest.mark.parametrize("answer", ["refused", RuntimeError("broken")])
def test_failures_are_counted_with_their_reason(answer):
    """A refusal or a sender's own fault is counted, told, and does not end the worker."""
    sender = Scripted([answer])
    line = _line(sender)
    outbox = Outbox([line])
    outbox.put(line, Parcel("a", 3))
    outbox.put(line, Parcel("b", 4))
    assert outbox.flush(30)
    status = line.status()
    assert (status.failed, status.exported) == (3, 4)
    assert status.last_error in ("refused", "RuntimeError: broken")
    outbox.close(30)


def test_a_full_line_refuses_and_counts():
    """Beyond the items allowed nothing is queued, and the caller does not wait."""
    sender = Scripted()
    sender.gate.clear()
    line = _line(sender, max_items=10)
    outbox = Outbox([line])
    outbox.put(line, Parcel("in hand", 4))
    assert sender.entered.wait(30)
    assert outbox.put(line, Parcel("waits", 6))
    assert not outbox.put(line, Parcel("too many", 1))
    assert (line.dropped, line.queued) == (1, 10)
    assert not outbox.flush(0)
    sender.gate.set()
    assert outbox.flush(30)
    outbox.close(30)


def test_parcels_are_bounded_too():
    """A line may be bounded by parcels, as metrics are."""
    sender = Scripted()
    sender.gate.clear()
    line = _line(sender, max_items=1000, max_parcels=1)
    outbox = Outbox([line])
    outbox.put(line, Parcel("in hand", 1))
    assert sender.entered.wait(30)
    assert outbox.put(line, Parcel("waits", 1))
    assert not outbox.put(line, Parcel("refused", 1))
    sender.gate.set()
    outbox.close(30)


def test_one_parcel_larger_than_the_line_still_goes():
    """A parcel that exceeds the bound by itself is taken when nothing else waits, or it could never go."""
    sender = Scripted()
    line = _line(sender, max_items=10)
    outbox = Outbox([line])
    assert outbox.put(line, Parcel("large", 50))
    assert outbox.flush(30)
    assert line.exported == 50
    outbox.close(30)


def test_lines_take_turns():
    """Many spans do not keep metrics waiting."""
    sender = Scripted()
    sender.gate.clear()
    spans, metrics = _line(sender), _line(sender, "metrics")
    outbox = Outbox([spans, metrics])
    for n in range(4):
        outbox.put(spans, Parcel(f"spans {n}", 1))
    assert sender.entered.wait(30)
    outbox.put(metrics, Parcel("metrics", 1))
    sender.gate.set()
    assert outbox.flush(30)
    assert sender.sent.index("metrics") <= 2
    outbox.close(30)


def test_closing_does_not_wait_for_a_receiver_that_hangs():
    """Past the timeout what waits is dropped and counted, connections are closed, later parcels are refused."""
    sender = Scripted()
    sender.gate.clear()
    line = _line(sender)
    outbox = Outbox([line])
    outbox.put(line, Parcel("hangs", 1))
    assert sender.entered.wait(30)
    outbox.put(line, Parcel("waits", 7))
    assert not outbox.close(0)
    assert sender.closed == 1
    assert line.dropped == 7
    assert not outbox.put(line, Parcel("late", 2))
    assert line.dropped == 9
    outbox._thread.join(30)
    assert not outbox._thread.is_alive()


def test_closing_twice_is_harmless():
    """The second close only says how it stands."""
    outbox = Outbox([_line(Scripted())])
    assert outbox.close(0)
    assert outbox.close(0)


def test_no_thread_without_a_parcel():
    """A process that exports nothing has no export thread."""
    outbox = Outbox([_line(Scripted())])
    assert outbox.flush(0)
    assert outbox._thread is None


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_empty():
    """The parent's parcels are the parent's to send; the child can send its own."""
    sender = Scripted()
    sender.gate.clear()
    line = _line(sender)
    outbox = Outbox([line])
    outbox.put(line, Parcel("in hand", 1))
    assert sender.entered.wait(30)
    outbox.put(line, Parcel("parent's", 1))
    child = os.fork()
    if child == 0:
        empty = not line.parcels and line.queued == 0
        sender.gate.set()
        outbox.put(line, Parcel("child's", 1))
        os._exit(0 if empty and outbox.flush(30) and sender.sent == ["child's"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    sender.gate.set()
    assert outbox.close(30)
    assert sender.sent == ["in hand", "parent's"]
