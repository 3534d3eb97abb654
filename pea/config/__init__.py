"""Settings: pea.yaml, then PEA_* variables, then the command line, read into typed structs.

Every default of PEA stands here. A setting ``service.port`` is ``service: {port: 8080}`` in the file and
``PEA_SERVICE__PORT=8080`` in the environment; durations are written ``250ms``, ``5s``, ``2m``, ``24h``, ``7d`` and
sizes ``64KiB``, ``1MiB``, ``2GB``.
"""

from pea.config.access import AccessSettings, AuditSettings, TlsSettings
from pea.config.llm import LlmSettings
from pea.config.loading import load
from pea.config.mcp import McpServer, McpSettings
from pea.config.memory import MemorySettings
from pea.config.sections import (
    CacheSettings,
    InvalidationRule,
    JournalSettings,
    KeeperSettings,
    L1Settings,
    L2Settings,
    L3Settings,
    L4Settings,
    LogSettings,
    RetentionSettings,
    RuntimeSettings,
    ServiceSettings,
    Settings,
    SlaSettings,
    StoreSettings,
    TelemetrySettings,
    UserSettings,
    WatchSettings,
)
from pea.config.units import Bytes, Seconds

__all__ = [
    "AccessSettings",
    "AuditSettings",
    "Bytes",
    "CacheSettings",
    "InvalidationRule",
    "JournalSettings",
    "KeeperSettings",
    "L1Settings",
    "L2Settings",
    "L3Settings",
    "L4Settings",
    "LlmSettings",
    "LogSettings",
    "McpServer",
    "McpSettings",
    "MemorySettings",
    "RetentionSettings",
    "RuntimeSettings",
    "Seconds",
    "ServiceSettings",
    "Settings",
    "SlaSettings",
    "StoreSettings",
    "TelemetrySettings",
    "TlsSettings",
    "UserSettings",
    "WatchSettings",
    "load",
]
