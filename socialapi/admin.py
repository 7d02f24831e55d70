"""What the admin's pages share: lists of bounded cost, and actions that ask before they act."""

import logging
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import ActionLocation
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import DB_CASCADE, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from .logs import event

log = logging.getLogger(__name__)

# A list is not counted, nor turned over, beyond this: who looks for more than that searches.
COUNT_MAX = 10_000
# The most that one action changes or deletes.
ACTION_MAX = 500
TOO_MANY = f"That is too much at once. Choose {ACTION_MAX} at most."
EVERYWHERE = list(ActionLocation)
# What the confirmation page sends again.
ACTION_FIELDS = ("action", f"{ActionLocation.CHANGE_FORM.value}-action", ACTION_CHECKBOX_NAME)

admin.site.site_header = admin.site.site_title = "Social API"
admin.site.index_title = "Moderation"


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # Not generic at run time.
    """Pages whose count stops at COUNT_MAX, so that it costs the same in a table of any size."""

    most = COUNT_MAX

    @cached_property
    def count(self) -> int:
        """Count the rows up to `most`. One query."""
        return bounded_count(self.object_list, self.most)


def bounded_count(queryset: Any, most: int = COUNT_MAX) -> int:
    """Count rows, but no more than `most`. One query."""
    count: int = queryset.order_by()[:most].count()
    return count


class ModerationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # As above.
    """An admin for a large table, with actions that are confirmed and kept in the history.

    An action is a method that calls `moderate`; its permission is "moderate".
    """

    paginator = BoundedPaginator
    show_full_result_count = False
    # They would count the whole table for each choice of each filter.
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    ordering = ("-pk",)
    change_list_template = "admin/bounded_change_list.html"

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        """Save only what changed, so that a vote or a suspension meanwhile is not undone."""
        columns = {field.name for field in self.opts.concrete_fields}
        obj.save(update_fields=columns & set(form.changed_data) if change else None)

    def has_moderate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the caller may use the actions, on this object or at all."""
        return self.has_change_permission(request, obj)

    def moderate(
        self, request: HttpRequest, chosen: QuerySet[Any], verb: str, change: Callable[[Any], None]
    ) -> HttpResponse | None:
        """Ask whether to `change` each of the chosen objects; once confirmed, do it.

        Returns the page that asks, or None when there is nothing left to ask. All are changed
        or none is, each with an entry in its history.
        """
        objects = list(chosen[: ACTION_MAX + 1])
        if refusal := self.refuse(request, objects, verb):
            self.message_user(request, refusal, messages.ERROR)
            return None
        if "post" not in request.POST:
            return self.ask(request, objects, verb)
        with transaction.atomic():
            for obj in objects:
                change(obj)
            self.record(request, objects, verb)
        count = f"{len(objects)} {self.name_of(len(objects))}"
        self.message_user(request, f"{verb}: {count}.", messages.SUCCESS)
        return None

    def refuse(self, request: HttpRequest, objects: list[Model], verb: str) -> str | None:
        """Return why an action cannot be, or None."""
        if not objects:
            return f"{verb}: there is nothing to do."
        if len(objects) > ACTION_MAX:
            return TOO_MANY
        forbidden = [obj for obj in objects if not self.has_moderate_permission(request, obj)]
        if forbidden:
            return f"{verb}: you may not do this to {', '.join(map(str, forbidden[:10]))}."
        return None

    def ask(self, request: HttpRequest, objects: list[Model], verb: str) -> HttpResponse:
        """Return the page that asks for confirmation."""
        resent = [
            (name, value) for name in ACTION_FIELDS[:2] for value in request.POST.getlist(name)
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb} {self.name_of(len(objects))}?",
            "opts": self.opts,
            "objects": [self.describe(obj) for obj in objects],
            "fields": resent + [(ACTION_CHECKBOX_NAME, obj.pk) for obj in objects],
            "verb": verb,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)

    def record(self, request: HttpRequest, objects: list[Model], verb: str) -> None:
        """Write the history of an action, and tell the log. One query."""
        user_id = request.user.pk
        LogEntry.objects.log_actions(user_id, objects, CHANGE, f"{verb}.")  # type: ignore[arg-type]
        self.tell(request, verb, objects)

    def tell(self, request: HttpRequest, verb: str, objects: Iterable[Model]) -> None:
        """Tell the log what somebody has done."""
        ids = [obj.pk for obj in objects]
        model = str(self.opts.model_name)
        fields = event(
            "moderation", moderator_id=request.user.pk, action=verb, model=model, ids=ids
        )
        log.info("%s: %s %s", verb, model, ids, extra=fields)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        """Write the history, and tell the log."""
        self.tell(request, "Add", [obj])
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        """Write the history, and tell the log."""
        self.tell(request, "Change", [obj])
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Write the history, and tell the log."""
        self.tell(request, "Delete", queryset)
        return super().log_deletions(request, queryset)

    def describe(self, obj: Any) -> str:
        """Tell an object from others, for someone who is about to change it."""
        return str(obj)

    def name_of(self, count: int) -> str:
        """Return what so many objects are called."""
        name = self.opts.verbose_name if count == 1 else self.opts.verbose_name_plural
        return str(name)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, Any], set[Any], list[Any]]:
        """Tell what a deletion takes along: one bounded count for each relation.

        Django would load it all, and ask for permission to delete it; the database deletes it by
        itself, and it belongs to what is deleted.
        """
        objects = list(objs[: ACTION_MAX + 1])
        if len(objects) > ACTION_MAX:
            return [], {}, set(), [TOO_MANY]
        counts = {self.name_of(len(objects)): len(objects)}
        for relation in self.opts.related_objects:
            if getattr(relation, "on_delete", None) is DB_CASCADE:
                rows = relation.related_model._base_manager.filter(
                    **{f"{relation.field.name}__in": objects}
                )
                counts[str(relation.related_model._meta.verbose_name_plural)] = bounded_count(rows)
        return [self.describe(obj) for obj in objects], counts, set(), []
