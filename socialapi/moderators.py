"""The group of moderators, whose permissions each app grants in a migration of its own."""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db.migrations import RunPython

GROUP = "Moderators"


def grant(app_label: str, *codenames: str) -> RunPython:
    """Return the operation that lets moderators do something; backward it takes it back."""

    def find_permissions(apps: Any) -> Any:
        permissions = apps.get_model("auth", "Permission").objects
        return permissions.filter(content_type__app_label=app_label, codename__in=codenames)

    def forward(apps: Any, _editor: Any) -> None:
        # Django makes permissions only after the last migration.
        app = apps.get_app_config(app_label)
        app.models_module = True
        create_permissions(app, verbosity=0, apps=apps)
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
        group.permissions.add(*find_permissions(apps))

    def backward(apps: Any, _editor: Any) -> None:
        for group in apps.get_model("auth", "Group").objects.filter(name=GROUP):
            group.permissions.remove(*find_permissions(apps))

    return RunPython(forward, backward)


def delete_group(apps: Any, _editor: Any) -> None:
    """Delete the group; its members stay staff, and may do nothing there."""
    apps.get_model("auth", "Group").objects.filter(name=GROUP).delete()


# Made by the first `grant`.
remove_group = RunPython(RunPython.noop, delete_group)
