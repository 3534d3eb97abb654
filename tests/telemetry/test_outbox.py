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

    def send(self, payload, items):
        self.entered.set()
        self.gate.wait(30)
        self.sent.append(payload)
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
        assert outbox.put(line, Parcel(b"%d" % n, 2))
    assert outbox.flush(30)
    assert sender.sent == [b"0", b"1", b"2", b"3", b"4"]
    assert (line.status().exported, line.status().queued) == (10, 0)
    assert outbox.close(30)


@pytest.mark.parametrize("answer", ["refused", RuntimeError("broken")])
def test_failures_are_counted_with_their_reason(answer):
    """A refusal or a sender's own fault is counted, told, and does not end the worker."""
    sender = Scripted([answer])
    line = _line(sender)
    outbox = Outbox([line])
    outbox.put(line, Parcel(b"a", 3))
    outbox.put(line, Parcel(b"b", 4))
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
    outbox.put(line, Parcel(b"in hand", 4))
    assert sender.entered.wait(30)
    assert outbox.put(line, Parcel(b"waits", 6))
    assert not outbox.put(line, Parcel(b"too many", 1))
    assert (line.dropped, line.queued) == (1, 10)
    assert not outbox.flush(0)
    sender.gate.set()
    assert outbox.flush(30)
    outbox.close(30)


def test_a_parcel_may_be_encoded_by_the_worker():
    """What is to be encoded later is called on the export thread; nothing to say is not sent; its fault is counted."""
    threads, sender = [], Scripted()

    def encode():
        threads.append(threading.current_thread().name)
        return b"encoded"

    line = _line(sender)
    outbox = Outbox([line])
    outbox.put(line, Parcel(encode, 1))
    outbox.put(line, Parcel(lambda: b"", 1))
    outbox.put(line, Parcel(lambda: 1 // 0, 1))
    assert outbox.flush(30)
    assert sender.sent == [b"encoded"]
    assert threads == ["pea-export"]
    assert (line.exported, line.failed) == (2, 1)
    assert "ZeroDivisionError" in line.last_error
    outbox.close(30)


def test_one_parcel_larger_than_the_line_still_goes():
    """A parcel that exceeds the bound by itself is taken when nothing else waits, or it could never go."""
    sender = Scripted()
    line = _line(sender, max_items=10)
    outbox = Outbox([line])
    assert outbox.put(line, Parcel(b"large", 50))
    assert outbox.flush(30)
    assert line.exported == 50
    outbox.close(30)


def test_lines_take_turns():
    """Many spans do not keep metrics waiting."""
    sender = Scripted()
    sender.gate.clear()
    spans, metrics = _line(sender), _line(sender, "metrics")
    outbox = Outbox([spans, metrics])
    for _ in range(4):
        outbox.put(spans, Parcel(b"spans", 1))
    assert sender.entered.wait(30)
    outbox.put(metrics, Parcel(b"metrics", 1))
    sender.gate.set()
    assert outbox.flush(30)
    assert sender.sent.index(b"metrics") <= 2
    outbox.close(30)


def test_closing_does_not_wait_for_a_receiver_that_hangs():
    """Past the timeout what waits is dropped and counted, connections are closed, later parcels are refused."""
    sender = Scripted()
    sender.gate.clear()
    line = _line(sender)
    outbox = Outbox([line])
    outbox.put(line, Parcel(b"hangs", 1))
    assert sender.entered.wait(30)
    outbox.put(line, Parcel(b"waits", 7))
    assert not outbox.close(0)
    assert sender.closed == 1
    assert line.dropped == 7
    assert not outbox.put(line, Parcel(b"late", 2))
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
    outbox.put(line, Parcel(b"in hand", 1))
    assert sender.entered.wait(30)
    outbox.put(line, Parcel(b"parent's", 1))
    child = os.fork()
    if child == 0:
        empty = not line.parcels and line.queued == 0
        sender.gate.set()
        outbox.put(line, Parcel(b"child's", 1))
        os._exit(0 if empty and outbox.flush(30) and sender.sent == [b"child's"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    sender.gate.set()
    assert outbox.close(30)
    assert sender.sent == [b"in hand", b"parent's"]
