"""Spans, and what is folded from them."""
