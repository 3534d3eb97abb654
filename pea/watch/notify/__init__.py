"""Telling people: alerts grouped into notices, queued for each receiver, sent again until they have arrived."""

from pea.watch.notify.notice import Notice
from pea.watch.notify.outbox import Delivery, Outbox, OutboxState, Send
from pea.watch.notify.planner import Planner, PlannerState
from pea.watch.notify.senders import sender, to_log

__all__ = ["Delivery", "Notice", "Outbox", "OutboxState", "Planner", "PlannerState", "Send", "sender", "to_log"]
