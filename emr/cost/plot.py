"""`plot_costs`: the price of a million rows over the number of rows, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emr.cost.break_even import break_even
from emr.cost.run import MILLION
from sparkml.errors import ConfigError, ExtraMissing

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from emr.cost.break_even import Line

KINDS = (".png", ".svg", ".pdf")


def plot_costs(
    lines: Sequence[Line], path: str | os.PathLike[str], *, rows: tuple[int, int] | None = None
) -> Path:
    """Draws all-in cost per million rows for each line, and where the first two break even.

    Args:
        lines: one or more clusters.
        path: a `.png`, `.svg` or `.pdf` file; its folder must exist.
        rows: from how many rows to how many; around the break-even when None.

    Raises:
        ConfigError: another kind of file, no such folder, or one that cannot be written to.
        ExtraMissing: matplotlib is not installed.
    """
    file = Path(path)
    if file.suffix.lower() not in KINDS:
        raise ConfigError(f"cannot draw into '{file.name}'", fix=f"end it in {', '.join(KINDS)}")
    if not file.parent.is_dir():
        raise ConfigError(f"no such folder: {file.parent}", where=str(file))
    try:
        from matplotlib.figure import Figure  # here, so that only a plot imports it
    except ImportError:
        fix = "pip install 'sparkml[train]'"
        raise ExtraMissing("a plot needs matplotlib", where=str(file), fix=fix) from None
    crossing = break_even(lines[0], lines[1]) if len(lines) > 1 else None
    middle = crossing.rows if crossing and crossing.rows else 10 * MILLION
    low, high = rows or (max(1, middle // 100), middle * 100)
    if not 0 < low < high:
        raise ConfigError(f"cannot draw from {low} to {high} rows")
    steps = [low * (high / low) ** (i / 200) for i in range(201)]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for line in lines:
        axes.loglog(steps, [line.at(n) * MILLION / n for n in steps], label=line.name)
    if crossing and crossing.rows and low <= crossing.rows <= high:
        axes.axvline(crossing.rows, color="grey", linestyle="--", linewidth=1)
        height = lines[0].at(crossing.rows) * MILLION / crossing.rows
        text, offset = f"break-even: {crossing.rows:,} rows", (6, 10)
        axes.annotate(text, (crossing.rows, height), xytext=offset, textcoords="offset points")
    axes.set_xlabel("rows of the run")
    axes.set_ylabel("USD per million rows, all-in")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    try:
        figure.savefig(file)
    except OSError as error:
        fix = "name a file that you may write"
        raise ConfigError(f"cannot draw: {error.strerror}", where=str(file), fix=fix) from None
    return file
