"""A few damaged models of every format: whatever becomes of a file, nothing dies of it later."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.hostile.seeds import SEEDS


@pytest.mark.parametrize("kind", SEEDS)
def test_what_is_accepted_scores_and_what_is_not_ends_where_it_is_opened(kind):
    """More with `python -m tests.hostile.fuzz`, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.hostile.fuzz", "--format", kind]
    ended = subprocess.run(
        [*command, "--runs", "15"], capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    seeds = [line for line in ended.stdout.splitlines() if line.startswith("seed: ")]
    assert {"seed: accepted, scored accepted, scored "} == {*seeds}
