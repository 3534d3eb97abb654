"""What a test may do without: the public data, and programs that Debian has no package of. All else is needed in CI.

Under PEA_REQUIRE_SERVICES (tests/conftest.py) a skip for any other reason is a failure.
"""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

NO_DATA = "the public data is not beside this checkout"
NO_PACKAGE = "Debian has no package of the OpenTelemetry Collector and Jaeger"
ALLOWED = frozenset({NO_DATA, NO_PACKAGE})


def needs(path: Path) -> pytest.MarkDecorator:
    """Skips where a file or folder of the public data is not there."""
    return pytest.mark.skipif(not path.exists(), reason=NO_DATA)
