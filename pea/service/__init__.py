"""PEA over HTTP: tasks, agents, capabilities, probes, metrics and a live page."""

from pea.service.application import create_app
from pea.service.server import Service

__all__ = ["Service", "create_app"]
