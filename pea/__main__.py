"""``python -m pea`` is the ``pea`` command."""

from pea.cli import main

main()
