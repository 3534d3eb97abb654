"""What work uses in its thread is what the system counted for that thread and no other."""

import os
import threading

import pytest

from pea.telemetry import thread_use
from pea.telemetry.thread_use import ThreadUse


def test_reads_and_writes_are_counted_and_the_look_itself_is_not(tmp_path):
    """Five writes and five reads are ten operations; nothing is none."""
    with ThreadUse() as nothing:
        pass
    with ThreadUse() as use:
        descriptor = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
        for _ in range(5):
            os.pwrite(descriptor, b"x", 0)
            os.pread(descriptor, 1, 0)
        os.close(descriptor)
    if use.file_operations is None:
        pytest.skip("this system does not count a thread's reads and writes")
    assert (nothing.file_operations, use.file_operations) == (0, 10)


def test_another_threads_work_is_its_own(tmp_path):
    """What is written and computed elsewhere meanwhile does not count."""
    with ThreadUse() as use:
        other = threading.Thread(target=lambda: [(tmp_path / "file").write_bytes(b"x") for _ in range(20)])
        other.start()
        other.join()
    assert use.file_operations in {0, None}
    assert use.cpu_s < 0.1


def test_work_that_fails_is_told_of_too():
    """An exception passes, and what was used until then is known."""
    use = ThreadUse()
    with pytest.raises(KeyError), use:
        raise KeyError
    assert use.attributes("cpu", "operations")["cpu"] >= 0


def test_what_nobody_counts_is_left_out(monkeypatch):
    """Without the system's counts, or before the end, nothing is claimed."""
    monkeypatch.setattr(thread_use, "_COUNTS", "/nowhere")
    assert ThreadUse().attributes("cpu", "operations") == {}
    with ThreadUse() as use:
        pass
    assert set(use.attributes("cpu", "operations")) == {"cpu"}
