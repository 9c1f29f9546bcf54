"""`python -m emr`."""

from __future__ import annotations

from emr.cli import main

main()
