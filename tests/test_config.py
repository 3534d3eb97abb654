"""Settings: every source, every unit, and every mistake told with its place."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.config import Bytes, Seconds, Settings, load
from pea.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "pea.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_file_then_variables_then_command_line(tmp_path: Path) -> None:
    """The nearer source wins, setting by setting."""
    path = write(tmp_path, "service: {port: 1, host: localhost}\nruntime: {timeout: 1s}\n")
    settings = load(
        path,
        environ={"PEA_SERVICE__PORT": "2", "PEA_RUNTIME__TIMEOUT": "250ms"},
        overrides={"service.port": 3, "workspace": None},
    )
    assert (settings.service.port, settings.service.host, settings.runtime.timeout) == (3, "localhost", 0.25)


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path) -> None:
    """Where the service is started from does not matter; the state lies beside the configuration."""
    settings = load(write(tmp_path, "workspace: ."), environ={})
    assert Path(settings.workspace) == tmp_path
    assert Path(settings.state) == tmp_path / ".pea"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("service:\n  prot: 1\n", "pea.yaml:2: no setting is called 'service.prot' (did you mean 'port'?)"),
        ("servce: {}\n", "pea.yaml:1: no setting is called 'servce' (did you mean 'service'?)"),
        ("\nruntime:\n\n  timeout: 5 parsecs\n", "pea.yaml:4: runtime.timeout: a duration such as"),
        ("service:\n  port: 70000\n", "pea.yaml:2: service.port: Expected `int` <= 65535"),
        ("user: {timezone: Mars/Olympus}\n", "pea.yaml:1: no time zone is called 'Mars/Olympus'"),
        ("user: {timezone: ../../etc/passwd}\n", "no time zone is called"),
        ("today: someday\n", "pea.yaml:1: 'someday' is not a day"),
        ("a: [1\n", "is not YAML"),
        ("- 1\n", "must be a mapping"),
        ("a: !!python/object/apply:os.system [id]\n", "is not YAML"),
        ("service: 3\n", "pea.yaml:1: service: Expected `object`, got `int`"),
    ],
)
def test_mistake_is_told_with_file_line_and_fix(tmp_path: Path, text: str, says: str) -> None:
    """Nobody should have to search for what is wrong."""
    with pytest.raises(ConfigError) as refused:
        load(write(tmp_path, text), environ={})
    assert says in str(refused.value)


def test_mistake_in_a_variable_names_the_variable() -> None:
    """A variable is named as it is written."""
    with pytest.raises(ConfigError, match=r"PEA_SERVICE__PRT: no setting is called 'service.prt'"):
        load(environ={"PEA_SERVICE__PRT": "1"})


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a" * (2 << 20)])
def test_file_that_is_no_configuration(tmp_path: Path, content: bytes) -> None:
    """Neither another encoding nor a huge file is a crash."""
    path = tmp_path / "pea.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load(path, environ={})


def test_missing_file(tmp_path: Path) -> None:
    """A file that was asked for must be there."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml", environ={})


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ("2026-05-12", datetime(2026, 5, 12, 7, 30, tzinfo=ZoneInfo("Europe/Berlin"))),
        ("2026-05-12T15:00", datetime(2026, 5, 12, 15, 0, tzinfo=ZoneInfo("Europe/Berlin"))),
        ("2026-05-12T13:00Z", datetime(2026, 5, 12, 15, 0, tzinfo=ZoneInfo("Europe/Berlin"))),
    ],
)
def test_pinned_present(today: str, expected: datetime) -> None:
    """``today`` pins the day, or the day and time, in the user's zone; unquoted YAML dates too."""
    assert load(environ={"PEA_TODAY": today, "PEA_USER__TIMEZONE": "Europe/Berlin"}).now() == expected


def test_unquoted_date_in_yaml(tmp_path: Path) -> None:
    """YAML reads a bare date as a date; it is meant as written."""
    assert load(write(tmp_path, "today: 2026-05-12\n"), environ={}).today == "2026-05-12"


def test_machine_zone_knows_its_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a zone of the user's, the machine's is used as a zone, not as today's offset."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    zone = load(environ={}).zone
    offsets = {datetime(2026, month, 1, tzinfo=zone).utcoffset() for month in (1, 7)}
    assert len(offsets) == 2
    monkeypatch.setenv("TZ", "No/Such/Zone")
    assert load(environ={}).now().tzinfo is not None


def test_defaults_need_nothing() -> None:
    """Without file, variables and options there is a usable configuration on loopback."""
    assert load(environ={}).service.host == "127.0.0.1"
    assert Settings().now().tzinfo is not None


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("5s", 5), ("2m", 120), ("24h", 86400), ("7d", 604800), ("1.5", 1.5), (3, 3)]
)
def test_durations(text: object, seconds: float) -> None:
    """Each unit, and seconds without one."""
    assert Seconds.parse(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("1024", 1024), ("64KiB", 65536), ("1MiB", 1 << 20), ("2GB", 2 * 10**9), ("1.5k", 1500), (7, 7)]
)
def test_sizes(text: object, size: int) -> None:
    """Decimal and binary units, and bytes without one."""
    assert Bytes.parse(text) == size


def refused(unit: type[Seconds | Bytes], value: object) -> str:
    try:
        unit.parse(value)
    except ValueError as error:
        return str(error)
    return ""


@given(st.one_of(st.text(max_size=100), st.floats(), st.integers(), st.booleans(), st.none()))
def test_units_refuse_everything_else(value: object) -> None:
    """Whatever is written, the answer is a finite non-negative amount or a ValueError that says what is expected."""
    for unit in (Seconds, Bytes):
        assert "is expected" in refusal if (refusal := refused(unit, value)) else 0 <= unit.parse(value) < 1 << 60


@pytest.mark.parametrize(
    ("policies", "place", "says"),
    [
        (
            "    travel.itinerary:\n      timeout: 3\n      breakr: {}\n",
            ":5",
            "no setting is called 'runtime.policies.travel.itinerary.breakr' (did you mean 'breaker'?)",
        ),
        (
            "    calendar: {}\n    travel:\n      breaker: {failure_rat: 0.5}\n",
            ":5",
            "no setting is called 'runtime.policies.travel.breaker.failure_rat' (did you mean 'failure_rate'?)",
        ),
        (
            "    calendar: {}\n    travel:\n      retries: 50\n",
            ":5",
            "runtime.policies.travel.retries: Expected `int` <= 10",
        ),
    ],
)
def test_a_mistake_in_an_entry_of_a_mapping_is_told_with_its_key_and_line(
    tmp_path: Path, policies: str, place: str, says: str
) -> None:
    """A policy is found by the name that it stands under."""
    file = tmp_path / "pea.yaml"
    file.write_text(f"runtime:\n  policies:\n{policies}")
    with pytest.raises(ConfigError) as refused:
        load(file, environ={})
    assert says in str(refused.value)
    assert refused.value.where == f"{file}{place}"
