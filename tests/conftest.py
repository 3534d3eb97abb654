"""What the tests of the stack counted stands in the run's last lines, also when they ran in several processes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stack.counts import COUNTED


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands over what it counted."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["counted"] = COUNTED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The counts of a worker that has ended."""
    COUNTED.update(getattr(node, "workeroutput", {}).get("counted", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was counted, so that a run's log shows it."""
    for what, count in COUNTED.items():
        terminalreporter.write_line(f"stack: {what} {count}")
