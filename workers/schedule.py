"""Beat's schedule: only the tick, which starts every flow that depends on time."""

from datetime import UTC, datetime

from celery.schedules import schedule


def beat_schedule(tick_seconds: float) -> dict[str, dict[str, object]]:
    """Return beat's schedule: `halo.tick` every `tick_seconds`, the first one at once."""
    return {
        "tick": {
            "task": "halo.tick",
            "schedule": schedule(tick_seconds),
            # Beat keeps no file: an overdue tick is sent even if beat restarts every few seconds.
            "last_run_at": datetime(2000, 1, 1, tzinfo=UTC),
            # Without a worker, ticks must not pile up: the next one does the work of those missed.
            "options": {"expires": tick_seconds, "ignore_result": True},
        }
    }
