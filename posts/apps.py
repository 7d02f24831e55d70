"""The posts app."""

from django.apps import AppConfig


class PostsConfig(AppConfig):
    """Posts: written, listed, searched."""

    name = "posts"
