"""Moderating posts."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from accounts.admin import users_named
from socialapi.admin import EVERYWHERE, ModerationAdmin

from .models import Post


@admin.register(Post)
class PostAdmin(ModerationAdmin):
    """Posts are edited, published, made drafts again, and deleted."""

    list_display = ("title", "owner_link", "published", "vote_count", "created_at")
    list_filter = ("published", "created_at")
    list_select_related = ("owner",)
    sortable_by = ()
    search_fields = ("title",)
    search_help_text = "Words of the title; or @ and the owner's username, email or id."
    fields = ("owner", "title", "content", "published", "vote_count", "created_at", "updated_at")
    readonly_fields = ("vote_count", "created_at", "updated_at")
    raw_id_fields = ("owner",)
    actions = ("publish", "unpublish")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Post]:
        """Without the contents, of which a list shows none; a single post loads its own."""
        return super().get_queryset(request).defer("content")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Post | None = None
    ) -> tuple[str, ...]:
        """A post stays its owner's."""
        return self.readonly_fields if obj is None else ("owner", *self.readonly_fields)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Post], search_term: str
    ) -> tuple[QuerySet[Post], bool]:
        """Find by words of the title, on its index, or by owner, on theirs.

        One or the other: of both at once, PostgreSQL would use no index.
        """
        if search_term.startswith("@"):
            return queryset.filter(owner__in=users_named(search_term[1:].strip())), False
        for word in search_term.split():
            queryset &= Post.objects.matching(word)
        return queryset, False

    def describe(self, obj: Post) -> str:
        """Add the title."""
        return f"{obj}: {obj.title}"

    @admin.display(description="owner")
    def owner_link(self, post: Post) -> str:
        """Lead to the owner's other posts."""
        return format_html('<a href="?q=@{}">{}</a>', post.owner.username, post.owner)

    @admin.action(
        permissions=["moderate"],
        description="Publish",
        description_plural="Publish selected posts",
        location=EVERYWHERE,
    )
    def publish(self, request: HttpRequest, queryset: QuerySet[Post]) -> HttpResponse | None:
        """Show posts to everyone."""
        drafts = queryset.filter(published=False)
        return self.moderate(request, drafts, "Publish", lambda post: post.edit(published=True))

    @admin.action(
        permissions=["moderate"],
        description="Unpublish",
        description_plural="Unpublish selected posts",
        location=EVERYWHERE,
    )
    def unpublish(self, request: HttpRequest, queryset: QuerySet[Post]) -> HttpResponse | None:
        """Show posts to nobody but their owners."""
        shown = queryset.filter(published=True)
        return self.moderate(request, shown, "Unpublish", lambda post: post.edit(published=False))
