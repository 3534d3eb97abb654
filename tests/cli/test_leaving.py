"""The end of a command: nobody waits for a computation whose result nobody wants."""

import subprocess
import sys
import textwrap

import pytest

HEAD = """
import asyncio, threading
from pea import Agent, Context, Runtime, Settings, capability
from pea.cli.leaving import leave

class Thinker(Agent):
    name = "thinker"

    @capability("thinker.think", timeout="100ms")
    async def think(self, ctx: Context, forever: bool) -> str:
        return await ctx.compute(threading.Event().wait if forever else threading.get_ident) or "" if forever else "a"

async def main(forever):
    async with Runtime(Settings(), agents=[Thinker()]) as runtime:
        task, _ = await runtime.scheduler.run("thinker.think", {"forever": forever})
        print(task.state.value, end="")
"""


def _end(tail):
    """How a process ends that runs the script; the time limit is there for when it never does."""
    script = textwrap.dedent(HEAD) + textwrap.dedent(tail)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("code", [0, 1])
def test_a_thread_that_never_ends_is_left_behind(code):
    """The process ends with its exit code, and what was printed is printed."""
    done = _end(f"""
        asyncio.run(main(forever=True))
        leave({code})
    """)
    assert (done.stdout, done.returncode) == ("timed_out", code), done.stderr


def test_without_one_the_process_ends_as_usual():
    """What is registered for the end of the process runs."""
    done = _end("""
        import atexit
        atexit.register(print, " and the rest")
        asyncio.run(main(forever=False))
        leave(3)
    """)
    assert (done.stdout, done.returncode) == ("succeeded and the rest\n", 3), done.stderr
