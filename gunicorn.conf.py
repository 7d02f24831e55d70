"""How gunicorn serves the application; each figure is explained where it is not obvious."""

import gc
import os
import signal
from logging.config import dictConfig
from typing import Any

from gunicorn import glogging

from socialapi import tally
from socialapi.database import wait_for_database
from socialapi.environment import environment
from socialapi.logs import configuration


class Logger(glogging.Logger):
    """Writes gunicorn's own lines as all others are written.

    With `logconfig_dict`, gunicorn would also make access lines of its own, which cost a third of
    a request's time.
    """

    def setup(self, cfg: Any) -> None:
        """Do so from the first line on, and after each reload."""
        super().setup(cfg)
        dictConfig(configuration(environment.LOG_LEVEL, is_readable=environment.DEBUG))


logger_class = Logger
wsgi_app = "socialapi.asgi:application"
worker_class = "asgi"
asgi_lifespan = "on"
workers = environment.WEB_CONCURRENCY
# A development server is nobody else's business.
bind = f"{'127.0.0.1' if environment.DEBUG else '0.0.0.0'}:{environment.PORT}"
reload = environment.DEBUG
loglevel = environment.LOG_LEVEL.lower()
# Seconds. A proxy should close an idle connection sooner, so that it never sends a request on
# one that is just being closed here.
keepalive = 15
# Seconds until a stop becomes a kill; Heroku and Docker kill after 30 and 10.
graceful_timeout = 8
# A client that leaves takes its waiting request or its stream along at once.
asgi_disconnect_grace_period = 0
# Two services of one user would quarrel over it, and nothing here needs it.
control_socket_disable = True
# Bytes; a title to search for may be long. It is the most that gunicorn allows.
limit_request_line = 8190
# Bytes of a header. By HTTP/2 nginx measures them compressed, by 5 bits of 8 at best: with its
# limit of 8 KiB, more than 13 KiB do not come.
limit_request_field_size = 16384
# Which proxies are believed is a matter of TRUSTED_PROXIES, not of the peer's address.
forwarded_allow_ips = ""
# A statement that takes this long has lost its client anyway; a thread must not wait for it.
os.environ.setdefault("PGOPTIONS", "-c statement_timeout=25s")


def on_starting(_server: Any) -> None:
    """Open the port only when there is a database to ask."""
    wait_for_database(environment.DATABASE_URL, environment.DB_WAIT)
    if environment.METRICS_TOKEN:
        tally.open_folder()


def child_exit(_server: Any, worker: Any) -> None:
    """Keep what a worker had counted."""
    tally.bury(worker.pid)


def on_exit(_server: Any) -> None:
    """Leave nothing behind."""
    tally.close_folder()


def post_fork(_server: Any, _worker: Any) -> None:
    """Let a stop wait until the worker has loaded: uvloop forgets what comes before it runs."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def post_worker_init(worker: Any) -> None:
    """Keep the garbage collector from what was loaded, and announce the end before it comes.

    On SIGTERM the application tells its clients that their connections end.
    gunicorn alone would close some right after a response that did not say so, and lose the
    request that the client sends next.
    """

    def leave() -> None:
        worker.asgi.take_leave()
        worker.loop.call_later(0.5, stop)

    def stop() -> None:
        # asyncio drops a connection that it accepts while gunicorn closes the listening socket.
        for server in worker.servers:
            for listener in server.sockets:
                worker.loop.remove_reader(listener)
        worker.handle_exit_signal()

    worker.loop.remove_signal_handler(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: worker.loop.call_soon_threadsafe(leave))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    # Connections that stay idle are closed by force after this, which has to be before the kill.
    worker.cfg.set("graceful_timeout", 5)
    # What is there now stays, and need not be looked through for garbage again and again.
    gc.collect()
    gc.freeze()
