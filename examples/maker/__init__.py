"""Turns the story in ``examples/story`` into the files of ``examples/workspace``, the same bytes every time."""
