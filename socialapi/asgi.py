"""The ASGI application that gunicorn serves."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "socialapi.settings")
django.setup()

from .environment import environment  # noqa: E402  (as above)
from .handler import Handler  # noqa: E402  (its imports read the settings)

application = Handler(threads=environment.DB_THREADS, queue=environment.QUEUE_SIZE)
