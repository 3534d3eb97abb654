"""Writes dashboards/*.json from the typed source; ``--check`` says whether they are up to date (exit code 1: no)."""

from __future__ import annotations

import sys
from pathlib import Path

from dashboards.board import Board, rendered
from dashboards.boards import agent, cache, detector, fleet, genai, runtime

HERE = Path(__file__).resolve().parent


def boards() -> dict[str, Board]:
    """All dashboards by file name."""
    return {
        f"{board.uid}.json": board
        for board in (
            made() for made in (fleet.board, agent.board, cache.board, detector.board, runtime.board, genai.board)
        )
    }


def main(arguments: list[str]) -> int:
    """Write the files, or compare them with what would be written."""
    texts = {name: rendered(board) for name, board in boards().items()}
    stale = [name for name, text in texts.items() if not _same(HERE / name, text)]
    stale += [path.name for path in HERE.glob("*.json") if path.name not in texts]
    if "--check" in arguments:
        if stale:
            sys.stderr.write(f"{', '.join(sorted(stale))} differ from the source: run python -m dashboards.build\n")
        return 1 if stale else 0
    for name, text in texts.items():
        (HERE / name).write_text(text, encoding="utf-8")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
