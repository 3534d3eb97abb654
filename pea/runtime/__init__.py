"""Agents, tasks and the calls between them."""
