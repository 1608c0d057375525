"""What beat sends: the tick, and nothing else; every flow that depends on time starts from it."""

from datetime import UTC, datetime

from celery.schedules import schedule


def beat_schedule(tick_seconds: float) -> dict[str, dict[str, object]]:
    """Return beat's schedule: `halo.tick` every `tick_seconds`, the first one at once."""
    return {
        "tick": {
            "task": "halo.tick",
            "schedule": schedule(tick_seconds),
            # Beat keeps no file: an overdue tick goes out even if beat restarts every few seconds.
            "last_run_at": datetime(2000, 1, 1, tzinfo=UTC),
            # With no worker about, ticks must not pile up: the next one makes up for those missed.
            "options": {"expires": tick_seconds, "ignore_result": True},
        }
    }
