"""Configure Celery for this engine: broker, queues, limits, schedule."""

from celery import Celery, signals
from kombu import Exchange, Queue

from halo_engine.settings import Settings

from .broker.messages import read_every_message
from .engine_task import EngineTask
from .queue_names import queues_of
from .schedule import beat_schedule
from .tracing.messages import name_cause

EngineApp = Celery[EngineTask]

_REDIS_TIMEOUTS = {"socket_timeout": 10.0, "socket_connect_timeout": 5.0}
_HEALTH_CHECK_SECONDS = 25

_TASKS = ("beat", "doors", "gathered", "webhooks")


def create_app(settings: Settings, *, set_as_current: bool = False) -> EngineApp:
    """Make a Celery app for the broker that the settings name.

    Only a worker's or beat's app is `set_as_current`; any number of others may serve as clients.
    """
    read_every_message()
    signals.before_task_publish.connect(name_cause)
    app = EngineApp("halo", task_cls=EngineTask, set_as_current=set_as_current)
    app.conf.update(_broker(settings))
    app.conf.update(_tasks(settings))
    app.conf.update(
        beat_schedule=beat_schedule(settings.tick_seconds),
        # In memory: the tick is idempotent, and two beats share no file.
        beat_scheduler="celery.beat:Scheduler",
        beat_max_loop_interval=min(5.0, settings.tick_seconds),
        timezone="UTC",
        worker_concurrency=settings.worker_concurrency,
        # A worker takes a call only when a process is free; the rest waits in the queue, in order.
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_redirect_stdouts=False,
        worker_soft_shutdown_timeout=settings.soft_shutdown_seconds,
    )
    return app


def _broker(settings: Settings) -> dict[str, object]:
    """The settings of messages and results; no wait for a server lasts for ever."""
    return {
        "broker_url": settings.broker_url,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": 5.0,
        "broker_pool_acquire_timeout": 5.0,
        "broker_transport_options": {
            **_REDIS_TIMEOUTS,
            "socket_keepalive": True,
            "health_check_interval": _HEALTH_CHECK_SECONDS,
        },
        "result_backend": settings.broker_url,
        # The work is committed: without its stored answer the caller would read a failure. Pauses
        # grow to ten seconds, so this tries for about a minute.
        "result_backend_always_retry": True,
        "result_backend_max_retries": 16,
        "result_expires": 3600,
        "redis_socket_timeout": _REDIS_TIMEOUTS["socket_timeout"],
        "redis_socket_connect_timeout": _REDIS_TIMEOUTS["socket_connect_timeout"],
        # A Unix socket has no keepalive and refuses the option.
        "redis_socket_keepalive": not (settings.broker_url or "").startswith("redis+socket:"),
        "redis_backend_health_check_interval": _HEALTH_CHECK_SECONDS,
    }


def _tasks(settings: Settings) -> dict[str, object]:
    """The settings of tasks: how they are sent, to which queue, and how long they may take."""
    queues = queues_of(settings.cell)
    return {
        "imports": tuple(f"{__package__}.tasks.{name}" for name in _TASKS),
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        "task_create_missing_queues": False,
        "task_default_queue": queues.calls,
        "task_queues": [Queue(name, Exchange(name), routing_key=name) for name in queues.taken],
        "task_routes": {
            "halo.tick": {"queue": queues.tick},
            "halo.settle": {"queue": queues.signals},
            "halo.webhooks.deliver": {"queue": queues.signals},
        },
        # For the doorbell, which each cell has to itself.
        "halo_cell": settings.cell,
        # These are acknowledged before they run: the next tick does the work of a lost one.
        "task_annotations": {
            name: {"acks_late": False}
            for name in ("halo.tick", "halo.settle", "halo.webhooks.deliver")
        },
        # A call whose process was killed is delivered again, a few times (`deliveries`).
        "task_reject_on_worker_lost": True,
        "task_publish_retry_policy": {"max_retries": 2, "interval_step": 0.2, "interval_max": 0.5},
        "task_soft_time_limit": settings.soft_limit_seconds,
        "task_time_limit": settings.hard_limit_seconds,
        "worker_proc_alive_timeout": 30.0,
    }
