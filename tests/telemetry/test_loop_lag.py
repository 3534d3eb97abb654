"""Event-loop lag and the stack of what blocked it."""

import asyncio
import sys
import threading

import pytest

from pea.telemetry.loop_lag import KEPT, Culprit, LoopMonitor, Overdue, frames


def test_lag_is_how_late_a_beat_comes():
    """The first beat has no lag, later ones what they are late, never less than zero."""
    watch = Overdue(0.1, beat_s=0.05)
    assert watch.beat(10.0) == (0.0, None)
    assert watch.beat(10.05)[0] == pytest.approx(0.0)
    assert watch.beat(10.07)[0] == 0.0
    assert watch.beat(10.22)[0] == pytest.approx(0.1)


def test_a_look_at_an_overdue_beat_keeps_the_stack_once():
    """Within the threshold nothing is kept; past it one stack per stall, told with the next beat."""
    watch = Overdue(0.1, beat_s=0.05)
    assert not watch.look(5.0, 0, tuple)
    watch.beat(10.0)
    assert not watch.look(10.14, 0, tuple)
    assert watch.look(10.16, 77, lambda: ("outer", "inner"))
    assert not watch.look(10.5, 78, lambda: ("later",))
    lag, culprit = watch.beat(11.05)
    assert lag == pytest.approx(1.0)
    assert (culprit.at_ns, culprit.where, culprit.stack) == (77, "inner", ("outer", "inner"))
    assert culprit.blocked_s == pytest.approx(1.0)
    assert watch.beat(11.1)[1] is None
    assert watch.look(11.5, 0, tuple)


async def test_a_blocking_call_is_caught_by_its_stack(caplog):
    """A callback that blocks the loop is named in status and log, with the function it is stuck in."""
    measured, beaten = [], asyncio.Event()

    def on_lag(lag):
        measured.append(lag)
        beaten.set()

    monitor = LoopMonitor(0.02, on_lag)
    monitor.start()
    await asyncio.sleep(0)
    beaten.clear()

    def culprit_function():
        caught = threading.Event()
        look = monitor._state.look

        def watched(*arguments):
            if look(*arguments):
                caught.set()

        monitor._state.look = watched
        assert caught.wait(30)

    culprit_function()
    async with asyncio.timeout(30):
        await beaten.wait()
    monitor.stop()
    assert any("culprit_function" in line for line in monitor.culprits[0].stack)
    assert monitor.stalls == 1
    assert "the event loop was blocked" in caplog.text
    assert "culprit_function" in caplog.records[-1].loop_stack
    assert monitor.worst_s >= 0.02
    assert max(measured) == monitor.worst_s


async def test_what_is_excused_is_neither_lag_nor_a_stall():
    """What holds the loop on purpose is not looked at; what does so afterwards is."""
    monitor = LoopMonitor(0.02, lambda _: None)
    monitor.start()
    await asyncio.sleep(0)
    state = monitor._state
    with monitor.excused():
        assert not state.look(1e12, 0, tuple)
        assert state.beat(1e9) == (0.0, None)
        state.due = float("inf")
    assert state.look(state.due + 0.03, 0, tuple)
    monitor.stop()
    with monitor.excused():
        pass
    assert not state.look(1e12, 0, tuple)


async def test_culprits_are_bounded():
    """Only the last ones are kept."""
    monitor = LoopMonitor(0.02, lambda _: None)
    assert monitor.culprits.maxlen == KEPT


async def test_stopping_ends_thread_and_beats():
    """After stop neither the thread nor the heartbeat goes on."""
    measured = []
    monitor = LoopMonitor(0.1, measured.append)
    monitor.start()
    monitor.stop()
    monitor._thread.join(30)
    assert not monitor._thread.is_alive()
    count = len(measured)
    await asyncio.sleep(0)
    assert len(measured) == count


def test_deep_stacks_are_cut():
    """The innermost frames of a very deep stack are kept."""

    def deeper(levels):
        return deeper(levels - 1) if levels else frames(sys._getframe())

    stack = deeper(200)
    assert len(stack) == 40
    assert "deeper" in stack[-1]
    assert frames(None) == ()


@pytest.mark.parametrize(
    ("where", "waited"),
    [
        ("/usr/lib/python3.11/selectors.py:468 EpollSelector.select", True),
        ("/home/me/selectors_of_mine.py:1 work", False),
    ],
)
def test_a_loop_that_stood_in_its_selector_was_kept_waiting(where, waited):
    """No work of its own held it, so there is none to move off the loop."""
    assert Culprit(at_ns=0, blocked_s=1.0, where=where, stack=(where,)).waited is waited
