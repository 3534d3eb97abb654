"""Has Schemathesis, which believes every word of an OpenAPI document, look for answers that contradict it.

Each of its phases takes seconds, and one code makes the document whether tokens are asked for or not. So the callers
share the phases: sequences and many drawn values go to the open service, the bounds of every schema to the locked one.
"""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# A valid request may also meet a key that was used for something else (422), or a task that is gone (410).
RIGHT = ("2xx", 404, 409, 410, 422)


async def contradictions(
    url: str,
    document: Any,
    folder: Path,
    *,
    phases: str,
    examples: int,
    checks: str = "all",
    headers: Mapping[str, str] | None = None,
    also: Iterable[int] = (),
) -> str:
    """What was found in a service at ``url``, in Schemathesis' own words; nothing when its document is true.

    ``also`` are statuses that a valid request may be answered with beside `RIGHT`; ``folder`` is for its files.
    """
    file, config = folder / "openapi.json", folder / "schemathesis.toml"
    file.write_text(json.dumps(document))
    config.write_text(f"[checks.positive_data_acceptance]\nexpected-statuses = {json.dumps([*RIGHT, *also])}\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", f"--config-file={config}", "run", str(file)),
        *(f"--url={url}", f"--phases={phases}", f"--max-examples={examples}", f"--checks={checks}"),
        *(f"--header={name}: {value}" for name, value in (headers or {}).items()),
        *("--continue-on-failure", "--no-color", "--seed=1", "--generation-database=none"),
        *("--request-timeout=20", "--workers=1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    output, _ = await process.communicate()
    return output.decode() if process.returncode else ""
