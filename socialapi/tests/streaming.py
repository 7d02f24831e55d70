"""The service with three addresses more, for gunicorn to serve in tests.

It soon cuts off who does not read an export.

`/numbers` is a stream that ends, `/clock` one that does not, `/peak` tells the worker's memory.
"""

import asyncio
import resource
from collections.abc import AsyncIterator

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

# First, since it makes Django ready for what follows.
from socialapi.asgi import application
from socialapi.urls import urlpatterns

from accounts import export  # isort: skip

__all__ = ["application"]

export.PATIENCE = 2.0


async def count_to_three() -> AsyncIterator[bytes]:
    """End by itself."""
    for number in (1, 2, 3):
        yield b"%d\n" % number
        await asyncio.sleep(0)


async def tick() -> AsyncIterator[bytes]:
    """Say one thing, and then wait for ever."""
    try:
        yield b"tick\n"
        await asyncio.Event().wait()
    finally:
        print("The clock stopped.")


def numbers(request: HttpRequest) -> StreamingHttpResponse:
    """Stream three numbers."""
    return StreamingHttpResponse(count_to_three())


class Clock(StreamingHttpResponse):
    """A stream for ever."""

    def close(self) -> None:
        """Say that it was."""
        print("The response was closed.")
        super().close()


def clock(request: HttpRequest) -> StreamingHttpResponse:
    """Stream for ever."""
    return Clock(tick())


def peak(request: HttpRequest) -> HttpResponse:
    """Tell the most memory that the process has had, in the system's unit."""
    return JsonResponse(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, safe=False)


urlpatterns += [path("numbers", numbers), path("clock", clock), path("peak", peak)]
