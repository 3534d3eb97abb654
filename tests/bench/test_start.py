"""What starting must not pay for."""

import subprocess
import sys


def test_numpy_is_not_imported_at_start_up():
    """It is a seventh of the imports' CPU time, and nothing needs it before the first figures are folded."""
    code = "import sys, pea.service, pea.cli.serve, pea.runtime; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
