"""Moderating users."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, BaseUserCreationForm
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Exact, StartsWith
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from socialapi.admin import EVERYWHERE, ModerationAdmin

from .models import Session, SessionQuerySet, User, neutral_username


def ids_in(text: str) -> list[int]:
    """Return the id that was searched for, if it is one."""
    return [int(text)] if text.isascii() and text.isdecimal() and len(text) < 20 else []


def users_named(text: str) -> QuerySet[User]:
    """Users with this id, email or username, in any case."""
    name = Lower(Value(text))
    named = Q(Exact(Lower("email"), name)) | Q(Exact(Lower("username"), name))
    return User.objects.filter(named | Q(pk__in=ids_in(text)))


class UserAddForm(BaseUserCreationForm[User]):
    """A new user, whose username may be left to us."""

    username = forms.CharField(required=False, help_text="Left blank, a neutral one is made.")

    class Meta:
        model = User
        fields = ("email", "username")

    def clean_username(self) -> str:
        """Make a name where none is given."""
        return self.cleaned_data["username"] or neutral_username()


class PasswordForm(AdminPasswordChangeForm[User]):
    """A new password or none, which both end the sessions."""

    def save(self, commit: bool = True) -> User:
        """Save; the model does not take the lack of a password for a new one."""
        user = super().save(commit)
        user.sessions.end()
        return user


@admin.register(User)
class UserAdmin(ModerationAdmin, DjangoUserAdmin):  # type: ignore[type-arg]  # Not at run time.
    """Moderators look at users and suspend them. Superusers do everything else.

    Whoever edits users could make a superuser, so no permission but theirs allows it.
    """

    list_display = ("username", "email", "is_active", "is_staff", "created_at")
    list_filter = ("is_active", "is_staff", "is_superuser", "created_at")
    sortable_by = ()
    search_fields = ("email", "username")
    search_help_text = "An id, or how an email or a username begins."
    readonly_fields = ("is_active", "created_at", "last_login", "logins")
    fieldsets = (
        (None, {"fields": ("email", "username", "is_active", "created_at", "last_login")}),
        ("Access", {"fields": ("password", "is_staff", "is_superuser", "logins")}),
        ("Permissions", {"fields": ("groups", "user_permissions")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "username", "password1", "password2")}),)
    add_form = UserAddForm
    change_password_form = PasswordForm
    actions = ("suspend", "restore")

    @admin.display
    def logins(self, obj: User) -> str:
        """Lead to the list of the user's sessions."""
        path = reverse("admin:accounts_session_changelist")
        return format_html(
            '<a href="{}?user__id__exact={}">Where from, and when</a>', path, obj.pk
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers only."""
        return self.is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Superusers only."""
        return self.is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Superusers only."""
        return self.is_superuser(request)

    def is_superuser(self, request: HttpRequest) -> bool:
        """Whether the caller may do everything."""
        return request.user.is_active and request.user.is_superuser

    def has_moderate_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Ordinary users may be suspended by moderators, staff by superusers, nobody by itself."""
        if not request.user.has_perm("accounts.suspend_user"):
            return False
        if obj is None:
            return True
        is_ordinary = not (obj.is_staff or obj.is_superuser)
        return obj != request.user and (is_ordinary or self.is_superuser(request))

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Moderators see neither passwords, hashed as they are, nor permissions."""
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if self.is_superuser(request) else fieldsets[:1]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """Find by what the unique indexes on the lower case of emails and usernames can."""
        text = search_term.strip()
        if not text:
            return queryset, False
        start = Lower(Value(text))
        begins = Q(StartsWith(Lower("email"), start)) | Q(StartsWith(Lower("username"), start))
        return queryset.filter(begins | Q(pk__in=ids_in(text))), False

    @admin.action(
        permissions=["moderate"],
        description="Suspend",
        description_plural="Suspend selected users",
        location=EVERYWHERE,
    )
    def suspend(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Refuse users, and end their sessions."""
        return self.moderate(request, queryset.filter(is_active=True), "Suspend", User.suspend)

    @admin.action(
        permissions=["moderate"],
        description="Restore",
        description_plural="Restore selected users",
        location=EVERYWHERE,
    )
    def restore(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Let suspended users log in again."""
        return self.moderate(request, queryset.filter(is_active=False), "Restore", User.restore)


@admin.register(Session)
class SessionAdmin(ModerationAdmin):
    """Superusers look at logins and end them. Where users are is no business of moderators."""

    list_display = (
        "user",
        "created_at",
        "last_used_at",
        "user_agent",
        "network",
        "expires_at",
        "revoked_at",
    )
    list_select_related = ("user",)
    sortable_by = ()
    search_fields = ("user",)
    search_help_text = "The id, the email or the username of a user."
    fields = list_display
    readonly_fields = list_display
    actions = ("end",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Logins are made by logging in."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        """Nor are they changed here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        """They are forgotten when they have expired."""
        return False

    def has_moderate_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        """Superusers, and whoever they let."""
        return request.user.has_perm("accounts.change_session")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Session], search_term: str
    ) -> tuple[QuerySet[Session], bool]:
        """Find those of one user."""
        text = search_term.strip()
        return (queryset.filter(user__in=users_named(text)) if text else queryset), False

    @admin.action(
        permissions=["moderate"],
        description="End",
        description_plural="End selected sessions",
        location=EVERYWHERE,
    )
    def end(self, request: HttpRequest, queryset: SessionQuerySet) -> HttpResponse | None:
        """Refuse the tokens of sessions from now on."""
        return self.moderate(request, queryset.filter(revoked_at=None), "End", Session.end)
