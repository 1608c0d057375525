"""What runs: the Celery app and its tasks, the stack of processes, the `halo` command."""
