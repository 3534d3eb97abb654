"""Watches what is measured: windows, rules and alerts, their causes, trends and recommendations."""
