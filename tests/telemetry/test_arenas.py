"""The allocator gives back what a process has freed."""

import subprocess
import sys

import psutil
import pytest

SCRIPT = """
import sys, threading, psutil
from pea.telemetry.arenas import keep_little
assert sys.argv[1] == "as it is" or keep_little()
held = [bytearray(b"x") * 3_000_000 for _ in range(3)]
held.clear()
wall = []
def work():
    blocks = [bytes(3_000_000) for _ in range(10)]
    wall.append(bytes(2_000))
    blocks.clear()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(psutil.Process().memory_info().rss)
"""


def _left_bytes(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", SCRIPT, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(not psutil.LINUX, reason="there is no glibc")
def test_what_threads_have_freed_goes_back_to_the_system() -> None:
    """After threads have used and freed large blocks, less is resident than an allocator left alone keeps."""
    assert _left_bytes("kept little") < _left_bytes("as it is") - 5_000_000


READING = """
import asyncio
from pea.telemetry.arenas import READ_BYTES, keep_little
assert keep_little()
async def main():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    print(writer.transport.max_size == READ_BYTES)
    writer.close()
    server.close()
asyncio.run(main())
"""


@pytest.mark.skipif(not psutil.LINUX, reason="there is no glibc")
def test_a_connection_is_read_in_pieces_that_fit_the_holes() -> None:
    """Asyncio's transports take what `keep_little` says from a connection, not 256 KiB."""
    done = subprocess.run([sys.executable, "-c", READING], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "True"
