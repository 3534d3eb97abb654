"""For all tests: where PEA_REQUIRE_SERVICES is set a skip is a failure, and what was counted is said at the end."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any, TypeVar

import pytest

from tests.absent import ALLOWED
from tests.stack.counts import COUNTED

R = TypeVar("R", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that is skipped, for any reason but those of `tests.absent`, fails where all should be there."""
    return _required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """So does a module that is skipped as a whole."""
    return _required((yield))


def _required(report: R) -> R:
    if report.skipped and os.environ.get("PEA_REQUIRE_SERVICES") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason not in ALLOWED:
            report.outcome = "failed"
            report.longrepr = f"skipped, though PEA_REQUIRE_SERVICES is set: {reason}"
    return report


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
