"""The one table that is printed."""

from collections.abc import Iterable

from rich.table import Table

from benchmarks.rows import Row

_DIGITS = 3


def drawn(rows: Iterable[Row]) -> Table:
    """Return the table of the rows that are held to a target."""
    table = Table()
    for title in ("", "workload", "size", "engine", "compared with", "ratio", "target", "holds"):
        table.add_column(title, justify="right" if title in ("size", "ratio") else "left")
    for row in rows:
        if row.target is None:
            continue
        table.add_row(
            row.workload,
            row.what + (f" ({row.note})" if row.note else ""),
            f"{row.size:,} {row.of}",
            measured(row.engine, row.unit),
            f"{measured(row.against, row.unit)} {row.compared_with}",
            f"{row.ratio:.2f}",
            str(row.target),
            "[green]yes[/]" if row.holds else "[red]no[/]",
        )
    return table


def measured(value: float, unit: str) -> str:
    """Return a figure with its unit, in three digits."""
    if unit == "s" and value < 1:
        value, unit = value * 1000, "ms"
    if value >= 10**_DIGITS:
        return f"{value:,.0f} {unit}"
    return f"{value:.{_DIGITS}g} {unit}"
