"""The ``pea`` command."""
