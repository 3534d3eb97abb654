"""structlog, imported without rich, which it would only draw tracebacks with: a tenth of the start, and 8 MB.

Its tracebacks are plain here whether rich is there or not: drawn ones show local variables, hence users' content.
"""

from __future__ import annotations

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
_unused = "rich" not in _modules
if _unused:
    _modules["rich"] = None  # what importing it raises, structlog takes as "not installed"
try:
    import structlog
finally:
    if _unused:
        del _modules["rich"]

__all__ = ["structlog"]
