"""Every route. API paths answer with and without a trailing slash; the admin is Django's own."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path, re_path

from .demo import DemoView
from .docs import OpenAPIView, RedocView, SwaggerView
from .environment import environment
from .health import LiveView, ReadyView
from .metrics import MetricsView
from .root import RootView

# Where the browsable API's links lead: DRF's own pages would not do without the slash.
session_urls = [
    re_path(
        r"^login/?$", LoginView.as_view(template_name="rest_framework/login.html"), name="login"
    ),
    re_path(r"^logout/?$", LogoutView.as_view(), name="logout"),
]

urlpatterns = [
    # The ones most asked for come first.
    path("", include("posts.urls")),
    path("", include("votes.urls")),
    path("", include("accounts.urls")),
    re_path(r"^$", RootView.as_view(), name="root"),
    re_path(r"^openapi\.json/?$", OpenAPIView.as_view(), name="openapi"),
    re_path(r"^docs/?$", SwaggerView.as_view(url_name="openapi"), name="docs"),
    re_path(r"^redoc/?$", RedocView.as_view(url_name="openapi"), name="redoc"),
    re_path(r"^demo/?$", DemoView.as_view(), name="demo"),
    re_path(r"^health/live/?$", LiveView.as_view(), name="live"),
    re_path(r"^health/ready/?$", ReadyView.as_view(), name="ready"),
    path("session/", include((session_urls, "rest_framework"))),
    path("admin/", admin.site.urls),
]
if environment.METRICS_TOKEN:
    urlpatterns.append(re_path(r"^metrics/?$", MetricsView.as_view(), name="metrics"))
