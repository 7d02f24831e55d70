"""Looking at votes. They are the users' own, so nobody changes them here."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin import ids_in, users_named
from socialapi.admin import ModerationAdmin

from .models import Vote


@admin.register(Vote)
class VoteAdmin(ModerationAdmin):
    """Who voted for what, and when."""

    list_display = ("id", "user", "post", "post_title", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("user", "post")
    sortable_by = ()
    search_fields = ("user", "post")
    search_help_text = "A post's id; or @ and the user's username, email or id."
    fields = ("user", "post", "post_title", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Vote]:
        """Without the posts' contents, which are not shown."""
        return super().get_queryset(request).defer("post__content")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Vote | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Vote | None = None) -> bool:
        """Nobody."""
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Vote], search_term: str
    ) -> tuple[QuerySet[Vote], bool]:
        """Find by user or post, each on its index."""
        text = search_term.strip()
        if text.startswith("@"):
            return queryset.filter(user__in=users_named(text[1:].strip())), False
        return (queryset.filter(post__in=ids_in(text)) if text else queryset), False

    @admin.display(description="title")
    def post_title(self, vote: Vote) -> str:
        """What the post is called."""
        return vote.post.title
