"""Where the application keeps its gate and its audit."""

from __future__ import annotations

from aiohttp import web

from pea.service.access.auditor import Auditor
from pea.service.access.gate import Gate

GATE: web.AppKey[Gate] = web.AppKey("gate", Gate)
AUDITOR: web.AppKey[Auditor] = web.AppKey("auditor", Auditor)
