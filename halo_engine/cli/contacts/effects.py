"""What a dry run prints of series: who would enter them, and who would leave."""

import click

from halo_engine.pipeline.batches.trials import Effects


def draw_effects(found: Effects) -> None:
    """Print who would start each series, and who would leave it, and why."""
    for key, count in found.starts.items():
        click.echo(f"  would start series {key}: {count}")
    for key, count in found.starts_later.items():
        click.echo(f"  would start series {key} at its next re-evaluation: {count}")
    if not found.starts and not found.starts_later:
        click.echo("  would start no series")
    for key, reasons in found.leaves.items():
        for reason, count in reasons.items():
            click.echo(f"  would leave series {key} ({reason}): {count}")
