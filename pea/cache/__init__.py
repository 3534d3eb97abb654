"""The four cache tiers: looked up in turn, computed once, invalidated by events, bounded by bytes, entries and age."""

from pea.cache.activity import Activity, ActivityLog, ActivityStats, AgentLog
from pea.cache.caches import Caches, CacheStats
from pea.cache.counts import TierStats
from pea.cache.flights import ComputationCancelled
from pea.cache.namespace import Namespace, NamespaceStats
from pea.cache.stack import Invalidation

__all__ = [
    "Activity",
    "ActivityLog",
    "ActivityStats",
    "AgentLog",
    "CacheStats",
    "Caches",
    "ComputationCancelled",
    "Invalidation",
    "Namespace",
    "NamespaceStats",
    "TierStats",
]
