"""The agent that a user would write works as its first lines say."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from pea import InputError, Runtime, WorkspaceError
from pea.config import load
from tests.examples.conftest import EXAMPLES


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rates", EXAMPLES / "agents" / "rates.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["rates"] = module  # where typed structs look up the names in their annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def runtime(module: ModuleType, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with Runtime(load(environ={}, overrides={"state": str(tmp_path)}), agents=[module.Rates()]) as runtime:
        yield runtime


async def test_converts_through_its_table(runtime: Runtime) -> None:
    """The cross rate of two currencies is the quotient of their rates to the euro."""
    money = await runtime.call("rates.convert", base="GBP", quote="CHF", amount=100)
    assert (money.amount, money.currency, money.day) == (109.18, "CHF", date(2026, 5, 11))
    assert money.text == "100.00 GBP = 109.18 CHF (rate 1.0918 of 11 May 2026)"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"base": "GBP", "quote": "XXX", "amount": 1}, "quote"),
        ({"base": "pounds", "quote": "CHF", "amount": 1}, "base"),
        ({"base": "GBP", "quote": "CHF", "amount": float("inf")}, "amount"),
    ],
)
async def test_wrong_input_names_the_field(runtime: Runtime, given: dict[str, object], field: str) -> None:
    """A code that is none, or has no rate, is the caller's mistake and named as such."""
    with pytest.raises(InputError) as raised:
        await runtime.call("rates.convert", **given)
    assert raised.value.where == field


@pytest.mark.parametrize(
    ("rows", "where"),
    [("", "rates.csv"), ("2026-05-11,EUR,one\n", "rates.csv:2"), ("2026-05-11,EUR,-1\n", "rates.csv:2")],
)
def test_a_broken_table_names_the_line(module: ModuleType, tmp_path: Path, rows: str, where: str) -> None:
    """The user finds the mistake without opening the program."""
    (tmp_path / "rates.csv").write_text("day,currency,per_euro\n" + rows)
    with pytest.raises(WorkspaceError) as raised:
        module.read(tmp_path / "rates.csv")
    assert raised.value.where == where


async def test_a_missing_table_is_seen_by_health(module: ModuleType, tmp_path: Path) -> None:
    """An agent without its table says so before anybody asks it for a rate."""
    assert "there is no" in await module.Rates(tmp_path / "rates.csv").health()
