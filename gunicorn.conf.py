"""How gunicorn serves the application; each figure is explained where it is not obvious."""

import os
from typing import Any

from socialapi.database import wait_for_database
from socialapi.environment import environment

wsgi_app = "socialapi.asgi:application"
worker_class = "asgi"
asgi_lifespan = "on"
workers = environment.WEB_CONCURRENCY
# A development server is nobody else's business.
bind = f"{'127.0.0.1' if environment.DEBUG else '0.0.0.0'}:{environment.PORT}"
reload = environment.DEBUG
loglevel = environment.LOG_LEVEL.lower()
# Seconds. Longer than a proxy's pause between two requests, shorter than anyone's patience
# with a restart.
keepalive = 15
# Seconds for requests to finish after SIGTERM; Heroku and Docker kill after 30 and 10.
graceful_timeout = 8
# A client that leaves takes its waiting request or its stream along at once.
asgi_disconnect_grace_period = 0
# Two services of one user would quarrel over it, and nothing here needs it.
control_socket_disable = True
# Which proxies are believed is a matter of TRUSTED_PROXIES, not of the peer's address.
forwarded_allow_ips = ""
# A statement that takes this long has lost its client anyway; a thread must not wait for it.
os.environ.setdefault("PGOPTIONS", "-c statement_timeout=25s")


def on_starting(_server: Any) -> None:
    """Open the port only when there is a database to ask."""
    wait_for_database(environment.DATABASE_URL, environment.DB_WAIT)
