"""A runtime around the agents of `fleet`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pea import Agent, Runtime, Settings
from pea.config import load
from tests.runtime.fleet import Rates, RunningRuntime


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(environ={}, overrides={"state": str(tmp_path), "runtime.retry_base": 0})


@pytest.fixture
def rates() -> Rates:
    return Rates()


@pytest.fixture
def running(settings: Settings, rates: Rates) -> RunningRuntime:
    """Start a runtime with `Rates` and the agents given, with some settings changed."""

    @asynccontextmanager
    async def start(*agents: Agent, **changes: Any) -> AsyncIterator[Runtime]:
        runtime_settings = msgspec.structs.replace(settings.runtime, **changes)
        changed = msgspec.structs.replace(settings, runtime=runtime_settings)
        async with Runtime(changed, agents=[rates, *agents]) as runtime:
            yield runtime

    return start
