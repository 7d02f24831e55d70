"""The service with an address that fails, for gunicorn to serve in tests."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from socialapi.asgi import application
from socialapi.urls import urlpatterns

__all__ = ["application"]


def crash(request: HttpRequest) -> HttpResponse:
    """Fail with what the client sent, as code does that quotes its input."""
    raise ValueError(f"no account for {request.GET['email']}, {request.GET['token']}")


urlpatterns.append(path("crash", crash))
