"""One running stack for all tests here: PEA under load, scraped by a real Prometheus, alerts to a real Alertmanager."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.stack.load import other_program
from tests.stack.programs import until
from tests.stack.running import NEEDED, SCRAPES, Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack under load, once Prometheus has seen enough of it and both have raised their alerts."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    made = Stack(tmp_path_factory.mktemp("stack"))
    try:
        other_program(made.pea.url)
        until("Prometheus has seen the beginning", lambda: made.scrapes() >= 3)
        for _ in range(3):
            other_program(made.pea.url)
        until("Prometheus has scraped enough", lambda: made.scrapes() >= SCRAPES)
        yield made
    finally:
        made.close()
