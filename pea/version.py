"""The version of PEA."""

__version__ = "0.1.0"
