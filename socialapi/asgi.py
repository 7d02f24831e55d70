"""The ASGI application that gunicorn serves."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "socialapi.settings")
django.setup()

from . import logs, metrics  # noqa: E402  (their imports read the settings)
from .environment import environment  # noqa: E402  (as above)
from .handler import Handler, background, observers  # noqa: E402  (as above)

observers.append(logs.AccessLog(environment.SLOW_REQUEST_MS, is_readable=environment.DEBUG))
if environment.METRICS_TOKEN:
    observers.append(metrics.observe)
    background.append(metrics.publish)
# Both are imported only where their packages are wanted.
if environment.SENTRY_DSN:
    from . import sentry

    sentry.start(environment.SENTRY_DSN, environment.REVISION)
if environment.OTEL_EXPORTER_OTLP_ENDPOINT:
    from . import tracing

    observers.append(tracing.start(environment.OTEL_EXPORTER_OTLP_ENDPOINT, environment.REVISION))
application = Handler(threads=environment.DB_THREADS, queue=environment.QUEUE_SIZE)
