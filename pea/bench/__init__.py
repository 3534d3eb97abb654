"""The benchmarks behind ``pea bench``."""
