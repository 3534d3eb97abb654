"""structlog without rich: nothing of it is imported, and nothing of it is missed afterwards."""

import subprocess
import sys

SCRIPT = """
import io, logging, sys
from pea.config import LogSettings
from pea.telemetry.logs import configure_logging, get_logger
print("rich" in sys.modules, end=" ")
import rich.text
class Terminal(io.StringIO):
    def isatty(self): return True
to = Terminal()
configure_logging(LogSettings(), to)
secret = "s3cret"
try:
    1 / 0
except ZeroDivisionError:
    get_logger("t").exception("it broke")
said = to.getvalue()
print("ZeroDivisionError" in said, "s3cret" in said.replace('secret = "s3cret"', ""))
"""


def test_rich_is_neither_imported_nor_hidden_for_good():
    """A logger costs no rich; whoever needs it gets it; a traceback is plain and shows no local variables."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]
