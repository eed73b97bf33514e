"""The Celery application of a cluster: `celery -A crane_celery.celery_app beat|worker ...`.

Celery carries hints and Redis holds the truth (design.md section 4), so nothing here is about not losing messages:
no result backend, and messages that nobody took for an hour may come twice.
"""

from functools import cache

from celery import Celery

from crane_celery import log_lines
from crane_celery.settings import Settings, load
from crane_celery.store.link import ANSWER_S, tcp


def broker_url(server_url: str) -> str:
    """The server's URL as kombu spells it: a Unix socket is ``redis+socket://`` there."""
    if not server_url.startswith("unix://"):
        return server_url
    path, _, query = server_url.removeprefix("unix://").partition("?")
    db = dict(part.partition("=")[::2] for part in query.split("&")).get("db", "0")
    return f"redis+socket://{path}?virtual_host={db}"


def configuration(settings: Settings) -> dict[str, object]:
    """Return what Celery is told. Sources: reference/peers.md sections 5.3 to 5.6."""
    return {
        "broker_url": broker_url(settings.server_url),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # the default gives up after 100 and ends the process
        "broker_transport_options": {
            "global_keyprefix": f"{settings.prefix}:celery:",
            "visibility_timeout": 3600,  # handlers return within a second; redelivery is never the way to recover
            "health_check_interval": 25,
            "socket_timeout": ANSWER_S,  # else a publish over a dead connection waits for ever
            **tcp(settings.server_url),
        },
        "result_backend": None,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        # launches name their queue (wire.queue_of); nothing is to land in one by default that somebody reads
        "task_default_queue": "unrouted",
        "task_create_missing_queues": True,
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "beat_scheduler": "beat.host:CraneScheduler",
        "beat_enable_remote_control": False,
        "enable_utc": True,
        "timezone": "UTC",
    }


def make_app(settings: Settings) -> Celery:
    """An application for these settings, in a process that logs as ours do."""
    log_lines.install()
    made = Celery("crane", set_as_current=True)
    made.conf.update(configuration(settings))
    return made


@cache
def _app() -> Celery:
    return make_app(load())


def __getattr__(name: str) -> Celery:
    """``app``, made when it is first asked for: importing this module reads no configuration. Raises ConfigError."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _app()
