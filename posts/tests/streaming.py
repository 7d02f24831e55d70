"""The service with hasty streams, for gunicorn to serve in tests."""

# First, since it makes Django ready for what follows.
import socialapi.tests.streaming as service
from posts import stream

application = service.application

stream.TICK = 0.1
stream.KEEP_ALIVE = 0.3
stream.RENEW = 0.3
stream.PATIENCE = 1.0
stream.BACKLOG = 1024 * 1024
stream.RETRY = 10
