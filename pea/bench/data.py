"""Where public data sets are: none is part of PEA, so their folder is named by whoever has them."""

from __future__ import annotations

import os
from pathlib import Path

DATA_VARIABLE = "PEA_BENCH_DATA"


def data_folder() -> Path:
    """``$PEA_BENCH_DATA``, else ``../shared/data`` beside the working folder."""
    return Path(os.environ.get(DATA_VARIABLE) or "../shared/data")
