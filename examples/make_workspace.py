"""Make the example workspace anew from the story beside it: ``python examples/make_workspace.py [FOLDER]``.

The same story gives the same bytes, so the files that are committed can be checked against it. Run it by hand after
changing a file in ``examples/story``; it needs the ``assistant`` extra (pypdf and python-docx).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from maker import calendars, contacts, documents, ledgers, mail
from maker.story import cast

HERE = Path(__file__).parent
PARTS = {
    "calendars": calendars.write,
    "contacts": contacts.write,
    "documents": documents.write,
    "ledgers": ledgers.write,
    "mail": mail.write,
}


def make(workspace: Path) -> None:
    """Write calendars, contacts, documents, ledgers and mail into ``workspace``, in place of those that are there."""
    people = cast()
    for name, write in PARTS.items():
        folder = workspace / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write(folder, people)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "workspace")
