"""Results of several tasks, stored in one round trip."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import redis


def store_results(backend: Any, results: Mapping[str, Any], status: str) -> None:
    """Store results by their tasks' ids, and notify those who wait for them.

    It does in one pipeline what Celery's Redis backend does for each result. If the connection
    breaks, the backend itself stores each, and retries.
    """
    if not results:
        return
    now = datetime.now(UTC).isoformat()
    try:
        with backend.client.pipeline(transaction=False) as commands:
            for task_id, result in results.items():
                meta = {
                    "status": status,
                    "result": result,
                    "traceback": None,
                    "children": [],
                    "date_done": now,
                    "task_id": task_id,
                }
                key, value = backend.get_key_for_task(task_id), backend.encode(meta)
                commands.setex(key, backend.expires, value)
                commands.publish(key, value)
            commands.execute()
    except (redis.RedisError, OSError):
        for task_id, result in results.items():
            backend.store_result(task_id, result, status)
