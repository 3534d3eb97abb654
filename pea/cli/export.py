"""``pea export``: what PEA remembers as Parquet or JSON lines, and backups of its files, also while it runs."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from pea.cli import backup as backups
from pea.cli.options import as_json, settings_options
from pea.cli.present import show_json
from pea.config import Seconds, Settings
from pea.errors import ConfigError, MissingExtra, PeaError

ROWS = 5_000  # read at once: the memory that an export takes does not depend on how much there is
_ROW = dict[str, Any]


@click.command("export")
@click.argument("what", type=click.Choice(["tasks", "spans"]), default="tasks")
@click.option("--to", "target", type=click.Path(path_type=Path), help="File to write (default: standard output).")
@click.option("--format", "form", type=click.Choice(["parquet", "jsonl"]), help="Default: by the file's name.")
@click.option("--since", metavar="AGE", help="Only what began within this time: 24h, 7d.")
@click.option(
    "--backup", metavar="WHERE", help="Back PEA's files up instead: a folder, s3://BUCKET/PREFIX, gs://, az://."
)
@click.option("--keep", type=click.IntRange(min=1), help="With --backup: delete all but the newest so many.")
@click.option("--restore", metavar="WHERE", help="Bring the newest backup there into the --state folder instead.")
@as_json
@settings_options
def command(
    settings: Settings,
    what: str,
    target: Path | None,
    form: str | None,
    since: str | None,
    backup: str | None,
    keep: int | None,
    restore: str | None,
    as_json: bool,
) -> None:
    """Export the tasks of the journal (default), or the spans of the store.

    A column that holds a structure (input, result, attributes) is JSON text in Parquet, which needs pea[parquet].
    A backup in object storage needs pea[backup], and credentials in the environment.
    """
    state = Path(settings.state)
    if backup is not None and restore is not None:
        raise ConfigError("a backup is either made or brought back", where="--restore", fix="leave one of them out")
    if backup is not None:
        stamp, made = backups.back_up(state, backup, datetime.now(UTC), keep)
        _show_backup(f"{backup.rstrip('/')}/{stamp}", made, as_json=as_json)
        return
    if restore is not None:
        _show_backup(str(state), backups.restore(restore, state), as_json=as_json)
        return
    form = form or ("parquet" if target is not None and target.suffix == ".parquet" else "jsonl")
    if form == "parquet" and target is None:
        raise ConfigError("Parquet cannot go to a terminal", where="--format", fix="give --to FILE.parquet")
    after = 0.0 if since is None else time.time() - _age_s(since)
    rows = (_tasks if what == "tasks" else _spans)(state, after)
    if target is None:
        _write_lines(rows, sys.stdout.buffer)
        return
    count = _whole(target, lambda part: _write(rows, part, form))
    _show({what: count}, target, as_json=as_json)


def _age_s(text: str) -> float:
    try:
        return float(Seconds.parse(text))
    except ValueError as error:
        raise ConfigError(str(error), where="--since", fix="write 24h or 7d") from None


def _show(counts: dict[str, int], target: Path, *, as_json: bool) -> None:
    if as_json:
        show_json({"to": str(target), **counts})
        return
    for name, count in counts.items():
        click.echo(f"{target}: {count:,} {name}")


def _show_backup(where: str, manifest: backups.Manifest, *, as_json: bool) -> None:
    if as_json:
        show_json({"to": where, "at": manifest.at, "files": {file.name: file.size for file in manifest.files}})
        return
    for file in manifest.files:
        click.echo(f"{where}/{file.name}: {file.size:,} bytes")
    click.echo(
        f"{len(manifest.files)} files of {manifest.at}, {sum(file.size for file in manifest.files):,} bytes in all"
    )


def _tasks(state: Path, since: float) -> Iterator[_ROW]:
    """The tasks of the journal with their inputs and results, oldest first."""
    from pea.runtime.journal import Tables

    with _reading(state / "journal" / "journal.db") as path, contextlib.closing(Tables.open_to_read(path)) as tables:
        after = (since, "")
        while some := tables.after(after, ROWS):
            for task in some:
                row: _ROW = msgspec.json.decode(msgspec.json.encode(task))
                row |= {"priority": task.priority.name.lower(), "runs": task.runs}
                yield row
            after = (some[-1].created, some[-1].id)


def _spans(state: Path, since: float) -> Iterator[_ROW]:
    """The spans of the store, trace by trace, oldest first."""
    from pea.store.search import Origins, read_trace
    from pea.telemetry.record import KINDS, STATUSES

    with _reading(state / "chronicle" / "spans.db") as path:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
        with contextlib.closing(db):
            origins = Origins(db)
            ids = db.execute("SELECT trace_id FROM trace WHERE start_us >= ? ORDER BY start_us", (int(since * 1e6),))
            for (trace_id,) in ids:
                for span in read_trace(db, origins, int.from_bytes(trace_id, "big")):
                    yield {
                        "trace_id": f"{span.trace_id:032x}",
                        "span_id": f"{span.span_id:016x}",
                        "parent_id": f"{span.parent_id:016x}" if span.parent_id else None,
                        "name": span.name,
                        "kind": KINDS[span.kind],
                        "status": STATUSES[span.status],
                        "message": span.message,
                        "start_ns": span.start_ns,
                        "end_ns": span.end_ns,
                        "service": span.origin.service,
                        "attributes": dict(span.attributes),
                        "events": [msgspec.to_builtins(event) for event in span.events],
                        "links": [msgspec.to_builtins(link) for link in span.links],
                    }


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[Path]:
    if not path.is_file():
        raise ConfigError("there is nothing to export", where=str(path), fix="give --state the folder of `pea serve`")
    try:
        yield path
    except sqlite3.Error as error:
        raise PeaError(f"cannot be read: {error}", where=str(path)) from error


def _whole(target: Path, write: Callable[[Path], int]) -> int:
    """Write a file under another name first, so that nobody meets half of it."""
    part = target.with_name(f"{target.name}.part")
    try:
        count = write(part)
        part.replace(target)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror or error}", where=str(target)) from error
    finally:
        part.unlink(missing_ok=True)
    return count


def _write(rows: Iterator[_ROW], part: Path, form: str) -> int:
    if form == "parquet":
        return _write_parquet(rows, part)
    with part.open("wb") as file:
        return _write_lines(rows, file)


def _write_lines(rows: Iterator[_ROW], file: IO[bytes]) -> int:
    count = 0
    for row in rows:
        file.write(msgspec.json.encode(row) + b"\n")
        count += 1
    return count


def _write_parquet(rows: Iterator[_ROW], part: Path) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("Parquet needs pyarrow", fix="pip install 'pea[parquet]', or --format jsonl") from error
    first = next(rows, None)
    if first is None:
        raise ConfigError("there is nothing to export", fix="give an earlier --since")
    schema = pa.schema([(name, _kind(pa, name)) for name in first])
    count, rows = 0, chain([first], rows)
    with pq.ParquetWriter(part, schema, compression="zstd") as writer:
        while some := [{name: _flat(value, name) for name, value in row.items()} for row in islice(rows, ROWS)]:
            writer.write_table(pa.Table.from_pylist(some, schema=schema))
            count += len(some)
    return count


def _flat(value: Any, name: str) -> Any:
    structured = name in _JSON and value is not None
    return msgspec.json.encode(value).decode() if structured else value


_NUMBERS = {"created", "started", "ended", "deadline"}
_JSON = {"input", "result", "error", "approvals", "life", "attributes", "events", "links"}
_COUNTS = {"start_ns", "end_ns", "crashes", "runs"}


def _kind(pa: Any, name: str) -> Any:
    if name in _NUMBERS:
        return pa.float64()
    if name in _COUNTS:
        return pa.int64()
    return pa.bool_() if name == "journaled" else pa.string()
