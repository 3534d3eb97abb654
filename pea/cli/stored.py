"""What a service that is not running has left behind: its stored traces, answered as it would answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pea.config import Settings
from pea.errors import InputError


class Stored:
    """The traces in the state folder. The service's own modules are imported only when they are asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.path = Path(settings.state, "chronicle", "spans.db")

    @property
    def there(self) -> bool:
        """Whether any have been stored."""
        return self.path.is_file()

    def answer(self, path: str, query: Mapping[str, Any]) -> Any:
        """What ``GET path`` of the service would answer, for the routes of traces; raises as the service refuses."""
        from pea.service.fields import misfit
        from pea.service.refusals import UnknownTrace
        from pea.service.traces import parse_trace_id, stored_trace, trace_list
        from pea.service.traces_query import TraceQuery
        from pea.store import opened

        with opened(self.path, self._settings.store) as store:
            last = path.rpartition("/")[2]
            if last == "search":
                given = {key: str(value) for key, value in query.items() if value is not None}
                try:
                    wanted = msgspec.convert(given, TraceQuery, strict=False).wanted(time.time_ns())
                except msgspec.ValidationError as error:
                    what, where, fix = misfit(error, TraceQuery)
                    raise InputError(what, where=where, fix=fix) from None
                return msgspec.to_builtins(trace_list(store, wanted))
            found = stored_trace(store, parse_trace_id(last))
            if found is None:
                raise UnknownTrace("no such trace is stored", where=f"trace {last}", fix="pea traces lists them")
            return msgspec.to_builtins(found)
