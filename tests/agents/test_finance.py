"""The finance agent on the sample's two banks: exact sums, each payment once, figures with their reasons."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pea import InputError
from pea.agents._finance_odd import odd_ones
from pea.agents._finance_recurring import find_series, subscriptions
from pea.agents.finance import Finance
from pea.workspace.ledgers_books import Transaction
from tests.agents.office import SAMPLE, ask


@pytest.fixture
def call(kept: Path) -> Any:
    return lambda capability, **arguments: ask(SAMPLE, kept, Finance, capability, **arguments)


def test_accounts(call: Any) -> None:
    """Two accounts; the week that both statements tell counts once; no whole account number is shown."""
    found = call("finance.accounts")
    assert [(a.name, a.currency, a.balance, a.count) for a in found.accounts] == [
        ("Karte", "EUR", None, 75),
        ("Spreebank ••4567", "EUR", Decimal("20718.25"), 31),
    ]
    assert found.duplicates == 3
    assert (found.sources.read, found.sources.refused_count) == (3, 0)
    assert "0001234567" not in found.text


def test_the_balance_is_the_opening_and_every_payment_once(call: Any) -> None:
    """To the cent: a duplicate or a lost line would show."""
    found = call("finance.transactions", account="Spreebank", limit=1_000)
    assert Decimal("6120.45") + found.totals[0].net == Decimal("20718.25")
    with_filter = call("finance.transactions", query="klavier")
    assert [(str(t.day), t.amount, t.category) for t in with_filter.transactions] == [
        ("2026-03-27", Decimal("-2400.00"), "music")
    ]


def test_categories_name_what_is_usual_and_what_is_unsorted(call: Any) -> None:
    """Rent is as ever; what no rule knows is listed for the user to sort."""
    found = call("finance.categories")
    rent = next(one for one in found.sums if one.category == "rent and mortgage")
    assert (rent.went, rent.usual) == (Decimal("-2180.00"), Decimal("-2180.00"))
    assert [one.payee for one in found.unsorted] == ["Brightwave Cloud Services"]


def test_the_budget_that_is_over_stands_first(call: Any) -> None:
    """Spent, left and the payments behind it."""
    first = call("finance.budget").lines[0]
    assert (first.category, first.state, first.spent, first.left) == (
        "groceries",
        "over",
        Decimal("774.47"),
        Decimal("-74.47"),
    )
    assert first.largest[0].amount == Decimal("-486.00")


def test_subscriptions_have_a_next_date_and_tell_of_a_rise(call: Any) -> None:
    """Monthly payments by their next day; the price that rose in April says so; savings are no subscription."""
    found = call("finance.subscriptions")
    by_name = {one.payee: one for one in found.subscriptions}
    spotify = by_name["Spotify AB Stockholm"]
    assert (spotify.every, spotify.amount, str(spotify.next)) == ("month", Decimal("-20.99"), "2026-06-09")
    assert "17.99 became 20.99" in spotify.changed
    assert str(by_name["HAVELMARK SYSTEMS GMBH"].next) == "2026-05-27"
    assert not any("Sparplan" in name for name in by_name)


def test_the_forecast_has_an_interval_and_tells_how_it_did(call: Any) -> None:
    """Salary and rent fall on their days; the same statements give the same figures."""
    (found,) = call("finance.forecast", days=20).forecasts
    assert found.from_balance == Decimal("20718.25")
    assert all(point.low <= point.middle <= point.high for point in found.points)
    before = max((p for p in found.points if p.day < date(2026, 5, 27)), key=lambda point: point.day)
    after = min((p for p in found.points if p.day >= date(2026, 5, 27)), key=lambda point: point.day)
    assert after.middle - before.middle > 7000
    assert found.tried >= 2
    assert call("finance.forecast", days=20).forecasts[0] == found


def test_odd_ones_have_reasons(call: Any) -> None:
    """The hotel that took its deposit twice, the unusual basket, and the large stranger; nothing else."""
    found = {one.transaction.payee: " ".join(one.reasons) for one in call("finance.odd").odd}
    assert set(found) == {"EDEKA Kollwitzstr", "Hotel Limmathof Zuerich", "Brightwave Cloud Services"}
    assert "11.8 times what is usual here" in found["EDEKA Kollwitzstr"]
    assert "the same sum went to the same payee on 22 Apr" in found["Hotel Limmathof Zuerich"]


def test_wrong_input_names_the_field(call: Any) -> None:
    """Days the wrong way round and a month that is none."""
    with pytest.raises(InputError, match="since"):
        call("finance.transactions", since=date(2026, 5, 2), until=date(2026, 5, 1))
    with pytest.raises(InputError, match="month"):
        call("finance.budget", month="0000-01")


def test_an_empty_workspace_says_what_to_do(tmp_path: Path) -> None:
    """No statements: nothing is made up."""
    found = ask(tmp_path, tmp_path / "state", Finance, "finance.forecast")
    assert found.forecasts == ()
    assert "put OFX, QFX or CSV files into the folder ledgers" in found.text


def test_strangers_files_called_statements_are_refused(public: Path, kept: Path) -> None:
    """Every one of the 218 public files that are no statements is refused with a reason, and none becomes money."""
    found = ask(public, kept, Finance, "finance.accounts")
    assert found.accounts == ()
    files = len(list((public / "ledgers").iterdir()))
    assert (found.sources.read, found.sources.refused_count) == (0, files)
    assert all(one.reason for one in found.sources.refused)


def payment(day: date, amount: str, payee: str = "Club") -> Transaction:
    return Transaction(f"{day}{amount}{payee}", "a", day, Decimal(amount), "EUR", payee, "", "", "x", "", "f", "1")


@pytest.mark.parametrize(
    ("start", "last"), [(date(2026, 1, 31), date(2026, 6, 30)), (date(2025, 12, 30), date(2026, 5, 30))]
)
def test_a_month_end_stays_one(start: date, last: date) -> None:
    """What falls on the 31st comes on the last day of a short month, and does not creep."""
    series = find_series([payment(_month(start, n), "-10.00") for n in range(5)])
    (found,) = subscriptions(series, _month(start, 4), {"a": _month(start, 4)})
    assert found.next == last


def _month(day: date, n: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return date(year, month + 1, min(day.day, (following - timedelta(days=1)).day))


def test_irregular_payments_are_no_subscription() -> None:
    """Four restaurant visits on any days are not monthly."""
    days = [date(2026, 1, 3), date(2026, 1, 9), date(2026, 3, 1), date(2026, 4, 22)]
    assert find_series([payment(day, "-40.00") for day in days]) == []


def test_a_steady_life_has_nothing_odd() -> None:
    """A year of equal rents raises nothing."""
    rows = [payment(_month(date(2025, 1, 2), n), "-900.00") for n in range(12)]
    assert odd_ones(rows, find_series(rows), date(2025, 1, 1), date(2026, 1, 1), 10) == []
