"""The ASGI application that gunicorn serves."""

import os

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "socialapi.settings")
django.setup()

from .handler import Handler  # noqa: E402  (its imports read the settings)

application = Handler(threads=settings.DB_THREADS, queue=settings.QUEUE_SIZE)
