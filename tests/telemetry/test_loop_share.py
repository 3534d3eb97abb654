"""Whose code the event loop runs, estimated from looks at its stack."""

import asyncio
import selectors
import sys
import threading
import time

import pytest

from pea.telemetry.loop_lag import LoopMonitor
from pea.telemetry.loop_share import ENOUGH, LoopShare, thread_cpu_s


class Clock:
    """CPU seconds of a thread that move when they are told to; None when nobody tells."""

    now: float | None = 10.0

    def __call__(self, _thread):
        return self.now


def a_function():
    return sys._getframe()


def calls_nothing_of_note():
    return sys._getframe()


def looks(share, *frames):
    for frame in frames:
        share.look(1, frame)


@pytest.mark.parametrize(
    ("cpu_s", "wall_s", "each_s"), [(4.0, 100.0, 0.2), (4.0, 2.0, 0.1)], ids=["kept waiting", "unseen"]
)
def test_a_look_stands_for_its_part_of_the_time(cpu_s, wall_s, each_s):
    """Of the loop's CPU time, or of the time between looks where that is less; the first sharing only begins it."""
    clock, wall = Clock(), Clock()
    share = LoopShare(lambda code: {"a_function": "a"}.get(code.co_name, ""), clock, lambda: wall(0))
    mine, other = a_function(), calls_nothing_of_note()
    looks(share, *[mine] * ENOUGH)
    assert share.seconds() == {}
    clock.now += cpu_s
    wall.now += wall_s
    looks(share, *[mine] * 5, *[other] * (ENOUGH - 5))
    assert share.seconds() == pytest.approx({"a": 5 * each_s})


def test_what_an_owner_calls_is_its_own():
    """The innermost frame that has an owner counts, however deep below it the work is done."""
    seen = []

    def outer(work):
        return work()

    def inner():
        seen.append(share._of(sys._getframe()))

    share = LoopShare(lambda code: code.co_name if code.co_name == "outer" else "")
    outer(lambda: [inner() for _ in range(1)])
    assert seen == ["outer"]


async def test_a_waiting_loop_is_nobodys_and_no_look():
    """A loop that stands in its selector is not at work: such looks do not count."""
    caught, share = [], LoopShare(lambda _code: "x")

    class Watched(selectors.DefaultSelector):
        def select(self, timeout=None):
            caught.append(sys._getframe())
            return super().select(timeout)

    with Watched() as watched:
        watched.select(0)
    frame = caught[0]
    share.look(1, frame)  # a frame of this test's own: it counts
    assert share._seen.total() == 1
    thread = threading.Thread(target=selectors.DefaultSelector().select, args=(0.5,))
    thread.start()
    while (frame := sys._current_frames().get(thread.ident)) is None or frame.f_globals["__name__"] != "selectors":
        await asyncio.sleep(0)
    share.look(1, frame)
    assert share._seen.total() == 1
    thread.join()


def test_where_nobody_tells_nothing_is_shared():
    """Without a clock of the thread's CPU time there is no estimate, and it is known that there is none."""
    clock = Clock()
    clock.now = None
    share = LoopShare(lambda _code: "a", clock)
    looks(share, *[a_function()] * (3 * ENOUGH))
    assert share.seconds() == {}
    assert not share.told


def test_a_threads_cpu_time():
    """It is that thread's own; of what is no thread there is none."""
    if not hasattr(time, "pthread_getcpuclockid"):
        pytest.skip("this system does not tell of other threads")
    assert thread_cpu_s(threading.get_ident()) == pytest.approx(time.thread_time(), abs=0.05)


async def test_the_monitor_looks():
    """The watchdog of the loop's lag tells the share at each of its looks."""
    looked = threading.Event()
    monitor = LoopMonitor(0.02, lambda _lag: None)

    class Share(LoopShare):
        def look(self, thread, frame):
            assert thread == threading.main_thread().ident
            looked.set()

    monitor.share = Share(lambda _code: "")
    monitor.start()
    assert await asyncio.to_thread(looked.wait, 30)
    monitor.stop()
