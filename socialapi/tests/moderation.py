"""What the tests of all admins need."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.test import Client


def run_action(
    browser: Client,
    path: str,
    action: str,
    *objects: Model,
    confirmed: bool = True,
    everywhere: bool = False,
) -> Any:
    """Tick objects in a list, choose an action, and confirm it or not; return the last page.

    `everywhere` ticks what is on other pages, too.
    """
    data: dict[str, Any] = {"action": action, "_selected_action": [obj.pk for obj in objects]}
    data["select_across"] = int(everywhere)
    if confirmed:
        data["post"] = "yes"
    return browser.post(path, data, follow=True)


def messages_of(response: Any) -> list[str]:
    """Return what a page tells of the action before it."""
    return [str(message) for message in response.context["messages"]]


def history_of(obj: Model) -> list[tuple[int, str]]:
    """Return who did what to an object, as its history page shows it."""
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(obj), object_id=quote(obj.pk)
    )
    return [(entry.user_id, entry.get_change_message()) for entry in entries.order_by("pk")]
