"""A briefing as an assistant would put it on paper: short lines, times on the left, at most 88 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import date, datetime

from pea.agents import _briefing_words as words
from pea.agents._briefing import Answer, Briefing, Clash, Journey, Meeting, Missing, Paper, Section
from pea.workspace.files import Refusal, SourceReport

COLUMNS = 88
LABEL = 17  # columns kept for the time on the left, with its margin
FILES_SHOWN = 9
TITLE_CHARS = 160
NOT_SETTLED = {"needs-action": "you have not answered", "tentative": "tentative"}


def render(briefing: Briefing, now: datetime) -> str:
    """The whole briefing as plain text; times in the zone of ``now``, days as they are called then."""
    blocks = ["\n".join([words.long_day(briefing.date), *_wrapped(briefing.headline)])]
    blocks += [_section(section, briefing.date, now) for section in briefing.sections]
    if briefing.missing:
        blocks.append("\n".join(["MISSING FROM THIS BRIEFING", *_missing(briefing.missing)]))
    blocks.append("\n".join(_sources(briefing.sources)))
    return "\n\n".join(blocks)


def _section(section: Section, day: date, now: datetime) -> str:
    lines = [section.title.upper()]
    meeting = ""
    for item in section.items:
        if isinstance(item, Paper):  # several documents of one meeting stand under its name
            lines += _paper(item, named=item.meeting != meeting)
            meeting = item.meeting
        else:
            lines += _item(item, day, now)
    if section.more:
        lines += _entry("", f"… and {section.more:,} more")
    lines += [line for note in section.notes for line in _entry("", words.sentence(note))]
    return "\n".join(lines)


def _item(item: Clash | Answer | Journey | Meeting, day: date, now: datetime) -> list[str]:
    zone = now.tzinfo
    match item:
        case Clash():
            return _entry(words.span(item.start, item.end, zone), item.what, f"→ {item.advice}" if item.advice else "")
        case Answer():
            label = "" if item.due is None else "overdue" if item.due < now else words.due(item.due, now)
            asks = f"\N{LEFT DOUBLE QUOTATION MARK}{item.asks}\N{RIGHT DOUBLE QUOTATION MARK}" if item.asks else ""
            remarks = (f"! {words.sentence(remark)}" for remark in item.remarks)
            why = words.sentence("; ".join(item.reasons))
            return _entry(label, words.cut(f"{item.sender} · {item.subject}", TITLE_CHARS), asks, why, *remarks)
        case Journey():
            details = "; ".join(item.details) if item.booked else "; ".join([item.end_place, *item.details])
            warnings = (f"! {words.sentence(warning)}" for warning in item.warnings)
            return _entry(f"leave {words.clock(item.leave_by, zone)}", item.what, words.sentence(details), *warnings)
        case Meeting():
            return _entry(words.hours(item.start, item.end, day, zone, all_day=item.all_day), meeting_line(item))


def meeting_line(meeting: Meeting) -> str:
    """``Board pre-read · Room 4 · with 5 others``."""
    parts = [words.cut(meeting.title, TITLE_CHARS)]
    if meeting.online:
        parts.append("online")
    elif meeting.place:
        parts.append(words.cut(meeting.place, 60))
    if meeting.elsewhere:
        parts.append(meeting.elsewhere)
    if meeting.others:
        parts.append("with " + words.count(meeting.others, "other"))
    if meeting.answer in NOT_SETTLED:
        parts.append(NOT_SETTLED[meeting.answer])
    return " · ".join(parts)


def _paper(paper: Paper, *, named: bool) -> list[str]:
    lines = _wrapped(f"For {words.cut(paper.meeting, TITLE_CHARS)}:", indent=2) if named else []
    place = f", {paper.place}" if paper.place else ""
    return lines + _wrapped(words.cut(f"{paper.title} · {paper.path}{place}", 2 * TITLE_CHARS), indent=4)


def _missing(missing: tuple[Missing, ...]) -> list[str]:
    return [line for part in missing for line in _wrapped(f"{part.part}: {part.reason}", indent=2)]


def _sources(sources: SourceReport) -> list[str]:
    """``Read 132 files, refused 3:`` and the names with their reasons."""
    head = f"Read {words.count(sources.read, 'file')}, refused {sources.refused_count:,}"
    lines = _listed(head, sources.refused, sources.refused_count)
    if sources.notes_count:
        head = f"Of what was read, {words.count(sources.notes_count, 'thing is', 'things are')} to be known"
        lines += _listed(head, sources.notes, sources.notes_count)
    if sources.pending:
        lines += _wrapped(f"{words.count(sources.pending, 'file is', 'files are')} not read yet; ask again for more.")
    return lines


def _listed(head: str, files: Sequence[Refusal], count: int) -> list[str]:
    """A line with the first files and their reasons below it, and how many more there are."""
    shown = _fair(files)
    lines = _wrapped(head + (":" if shown else "."))
    for file in shown:
        lines += _wrapped(f"{file.path}: {file.reason}", indent=2)
    if count > len(shown):
        lines.append(f"  … and {count - len(shown):,} more")
    return lines


def _fair(files: Sequence[Refusal]) -> list[Refusal]:
    """The first files of each folder in turn, so that many bad ones in one folder do not hide another's."""
    turns: dict[str, int] = {}
    ranked: list[tuple[int, Refusal]] = []
    for file in files:
        folder = file.path.partition("/")[0]
        turns[folder] = turns.get(folder, 0) + 1
        ranked.append((turns[folder], file))
    chosen = sorted(ranked, key=lambda turn: turn[0])[:FILES_SHOWN]
    return [file for turn, file in ranked if (turn, file) in chosen]


def _entry(label: str, first: str, *others: str) -> list[str]:
    """A line with its time on the left, and below it what more there is to say."""
    if len(label) > LABEL - 3:  # a long label has its own line
        lines = [f"  {label}", *_wrapped(first, indent=LABEL)]
    else:
        lines = _wrapped(f"  {label}".ljust(LABEL) + first, indent=LABEL, hanging=True)
    return lines + [line for other in others if other for line in _wrapped(other, indent=LABEL)]


def _wrapped(text: str, *, indent: int = 0, hanging: bool = False) -> list[str]:
    """The text in lines of at most 88 columns; with ``hanging`` its first line brings its own margin."""
    margin = " " * indent
    lead, body = (text[:indent], text[indent:]) if hanging else (margin, text)
    if not body.isprintable():  # files may hold what steers a terminal
        body = "".join(c if c.isprintable() else " " for c in body)
    if len(lead) + len(body) <= COLUMNS and "  " not in body:  # most lines fit as they are
        return [lead + body.strip()] if body.strip() else [lead]
    pieces = textwrap.wrap(body, COLUMNS - indent, break_on_hyphens=False) or [""]
    return [lead + pieces[0], *(margin + piece for piece in pieces[1:])]
