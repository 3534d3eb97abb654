"""When things happen, beside two implementations that share nothing with ours: libical (C) and ical.js (JavaScript).

Every public calendar gives the same starts from 1995 to 2030 in all three, but for the files in the tables below, each
with how many starts only the other has, how many only PEA has, and why PEA's answer is the one it is.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.absent import needs
from tests.workspace.test_calendars_public import BERLIN, FILES, FOLDER, YEARS, plain, read

PEERS = Path(__file__).parent / "peers"
PERIODS = "libical leaves out RDATEs that are periods or dates; RFC 5545, 3.8.5.2 has them count"
UNSYNCHRONISED = "the start is not one of its rule's dates; it is the first instance all the same (RFC 5545, 3.8.5.3)"
VENDOR_ZONE = "a vendor's prefix before an IANA name, which the other does not look behind"
# file -> (only the other, only PEA, why)
LIBICAL = {
    "issue_1426.ics": (0, 2, PERIODS),
    "issue_156_RDATE_with_PERIOD.ics": (0, 1, PERIODS),
    "issue_156_RDATE_with_PERIOD_list.ics": (0, 2, PERIODS),
    "issue_1633_rdate_with_dates.ics": (0, 1, PERIODS),
    "issue_1633_rdate_with_dates_and_tzid.ics": (0, 1, PERIODS),
    "issue_722_missing_timezones.ics": (0, 1, PERIODS),
    "period_with_timezone.ics": (0, 1, PERIODS),
    "rfc_7265_appendix_example_2_ical.ics": (0, 1, PERIODS),
    "issue_157_removes_trailing_semicolon.ics": (0, 1, UNSYNCHRONISED),
    "issue_313_globally_unique_tzid.ics": (1, 1, VENDOR_ZONE),
    "rfc_7529.ics": (64, 0, "rules in the Chinese, Ethiopic and Hebrew calendars: PEA uses the first date and says so"),
}
ICAL_JS = {
    "event_with_recurrence_exdates_on_different_lines.ics": (
        0, 1, "UNTIL in UTC is compared with the clock there; the last instance is at UNTIL (3.3.10)",
    ),
    "issue_112_missing_tzinfo_on_exdate.ics": (11, 11, "the file's VTIMEZONE is not applied there: in UTC they differ"),
    "issue_157_removes_trailing_semicolon.ics": (0, 1, UNSYNCHRONISED),
    "issue_313_globally_unique_tzid.ics": (2, 2, VENDOR_ZONE),
}  # fmt: skip
# Files the others refuse as a whole, with the beginning of their reason; what of them PEA serves is counted.
STRICT, PERIOD_OBJECTS = "invalid", "occurrence.convertToZone"
LIBICAL_REFUSES = dict.fromkeys(
    (
        "big_bad_calendar.ics", "fuzz_testcase_0_char_in_component_name.ics", "fuzz_testcase_invalid_month.ics",
        "pr_480_summary_with_colon.ics", "small_bad_calendar.ics",
    ),
    "it does not parse",
)  # fmt: skip
ICAL_JS_REFUSES = {
    **dict.fromkeys(
        (
            "big_bad_calendar.ics", "broken_dtstart.ics", "fuzz_testcase_0_char_in_component_name.ics",
            "issue_104_broken_calendar.ics", "issue_104_mark_events_broken.ics", "issue_1081_invalid_rrule_freq.ics",
            "issue_1081_invalid_start_and_end.ics", "issue_1081_invalid_start_valid_end.ics",
            "issue_165_missing_event.ics", "issue_168_input.ics", "issue_464_invalid_rdate.ics",
            "multiple_calendar_components.ics", "pr_480_summary_with_colon.ics", "small_bad_calendar.ics",
            "timezone_rdate.ics",
        ),
        STRICT,
    ),
    **dict.fromkeys(
        (
            "issue_1426.ics", "issue_156_RDATE_with_PERIOD.ics", "issue_156_RDATE_with_PERIOD_list.ics",
            "issue_1633_rdate_with_dates.ics", "issue_1633_rdate_with_dates_and_tzid.ics",
            "issue_184_broken_representation_of_period.ics", "issue_722_missing_timezones.ics",
            "period_with_timezone.ics", "rfc_7265_appendix_example_2_ical.ics",
        ),
        PERIOD_OBJECTS,
    ),
    **dict.fromkeys(
        (
            "fuzz_testcase_invalid_month.ics", "issue_1081_empty_rdate.ics", "multiple_timezones.ics",
            "parsing_error.ics",
        ),
        "Could not extract",
    ),
    "issue_348_exception_parsing_value.ics": "Missing parameter value",
    "issue_350.ics": "Cannot read properties",
    "rfc_7529.ics": "BYMONTH",
}  # fmt: skip

pytestmark = [pytest.mark.service, needs(FOLDER)]


@pytest.fixture(scope="module")
def libical() -> dict[str, Any]:
    """Every file's starts by libical; each in its own process, as a bad file may crash it."""
    try:
        ctypes.CDLL("libical.so.3")
    except OSError:
        pytest.skip("libical is not installed (Debian package libical3)")
    found: dict[str, Any] = {}
    for path in FILES:
        command = [sys.executable, "-S", str(PEERS / "libical.py"), str(path)]
        found[path.name] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


@pytest.fixture(scope="module")
def ical_js() -> dict[str, Any]:
    """Every file's starts by ical.js."""
    node = shutil.which("node")
    if node is None or not (PEERS / "node_modules" / "ical.js").is_dir():
        pytest.skip("ical.js is not installed: npm install --no-package-lock --prefix tests/workspace/peers")
    command = [str(node), str(PEERS / "expand.mjs"), *map(str, FILES)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return answer


@cache
def ours(path: Path, folder: Path) -> tuple[str, ...]:
    """The starts that PEA serves, as days or as moments in UTC."""
    folder.mkdir(exist_ok=True)
    _, years = read(path, folder)
    shutil.rmtree(folder / "calendars")
    return tuple(
        event.first_day.isoformat() if event.all_day else plain(event.start)
        for year, days in zip(YEARS, years, strict=True)
        for event in days.events
        if event.start.year == year
    )


def theirs(starts: list[dict[str, str]]) -> Counter[str]:
    """The other's starts in the same words; times without a zone are Berlin's, as PEA was told."""
    found: Counter[str] = Counter()
    for start in starts:
        if start["zone"] == "date":
            found[start["local"]] += 1
            continue
        moment = datetime.fromisoformat(start["local"])
        try:
            zone = UTC if start["zone"] == "UTC" else ZoneInfo(start["zone"]) if start["zone"] else BERLIN
        except (KeyError, ValueError, OSError):  # a zone of the file's own invention that the other did not apply
            zone = BERLIN
        found[moment.replace(tzinfo=zone).astimezone(UTC).isoformat()] += 1
    return found


@pytest.mark.parametrize(
    ("name", "differs", "refuses"),
    [("libical", LIBICAL, LIBICAL_REFUSES), ("ical_js", ICAL_JS, ICAL_JS_REFUSES)],
    ids=["libical", "ical.js"],
)
def test_everything_happens_when_another_implementation_says(name, differs, refuses, request, tmp_path_factory, capsys):
    """Start by start, file by file; no difference that the table does not name, and none named that is not there."""
    answers = request.getfixturevalue(name)
    folder = tmp_path_factory.getbasetemp() / "peers"
    found: dict[str, tuple[int, int]] = {}
    refused: dict[str, str] = {}
    same = starts = beyond = 0
    for path in FILES:
        answer, own = answers[path.name], Counter(ours(path, folder))
        if isinstance(answer, dict):
            refused[path.name] = answer["error"]
            beyond += own.total()
            continue
        other = theirs(answer)
        if other == own:
            same, starts = same + 1, starts + own.total()
        else:
            found[path.name] = ((other - own).total(), (own - other).total())
    with capsys.disabled():
        print(
            f"\n{len(FILES)} public calendars beside {name}: {same} equal ({starts:,} starts), {len(found)} differ as "
            f"explained, {len(refused)} refused there (PEA serves {beyond} starts of them)"
        )
    assert found == {file: (only_theirs, only_ours) for file, (only_theirs, only_ours, _) in differs.items()}
    assert refused.keys() == refuses.keys()
    assert all(refused[file].startswith(reason) for file, reason in refuses.items())
    assert all(why for _, _, why in differs.values())
