"""Users, their sessions, and the counters that limit guessing."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.validators import RegexValidator
from django.db import connection, models, transaction
from django.db.models.functions import Lower, Now
from django.utils import timezone

from socialapi.statements import Parameter, Statement, identifier

USERNAME_MIN, USERNAME_MAX = 3, 30
USERNAME_PATTERN = rf"^[A-Za-z0-9_.-]{{{USERNAME_MIN},{USERNAME_MAX}}}$"
USERNAME_RULE = (
    f"{USERNAME_MIN} to {USERNAME_MAX} of the letters a to z, digits, '_', '-' and '.'."
)


# So much of what a client calls itself is kept, and the longest network there is.
USER_AGENT_MAX, NETWORK_MAX = 300, 43


def neutral_username() -> str:
    """Make a name that tells nothing of its owner, and is practically unique (64 bits)."""
    return f"user-{secrets.token_hex(8)}"


class UserManager(BaseUserManager["User"]):
    """Finds users by email without regard to case, and makes them."""

    def get_by_natural_key(self, email: str | None) -> User:
        """Return the user of an email, in any case; raises User.DoesNotExist. One query."""
        for row in BY_EMAIL.rows(email=email):
            return User.from_db("default", USER_COLUMNS, row)
        raise User.DoesNotExist

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Insert a user; raises IntegrityError naming the constraint of what is taken."""
        fields["username"] = fields.get("username") or neutral_username()
        return self.create(email=email, password=make_password(password), **fields)

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Insert a user who may do everything."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signed up. The email is the login, and nobody else's business."""

    email = models.EmailField("email", help_text="The login, in any case. Never shown to others.")
    username = models.CharField(
        max_length=USERNAME_MAX,
        help_text=USERNAME_RULE,
        validators=[RegexValidator(USERNAME_PATTERN, USERNAME_RULE)],
    )
    is_active = models.BooleanField(
        "active", default=True, db_default=True, help_text="Off for a suspended user."
    )
    is_staff = models.BooleanField(
        "staff", default=False, db_default=False, help_text="May enter the admin."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        permissions = [("suspend_user", "Can suspend and restore users")]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="accounts_user_email_unique",
                violation_error_message="This email is taken.",
            ),
            models.UniqueConstraint(
                Lower("username"),
                name="accounts_user_username_unique",
                violation_error_message="This username is taken.",
            ),
            models.CheckConstraint(
                condition=models.Q(username__regex=USERNAME_PATTERN),
                name="accounts_user_username_valid",
                violation_error_message=USERNAME_RULE,
            ),
        ]

    def __str__(self) -> str:
        return self.username

    # Django's own mark of `set_password`. It tells a new password from one whose hash alone was
    # renewed at a login.
    _password: str | None

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a password that was set ends every session of the user."""
        changed = self._password is not None and self.pk is not None
        with transaction.atomic():
            super().save(*args, **kwargs)
            if changed:
                self.sessions.end()

    def suspend(self) -> None:
        """Refuse the user from the next request on. The sessions stay ended when restored."""
        with transaction.atomic():
            self.is_active = False
            self.save(update_fields=["is_active"])
            self.sessions.end()

    def restore(self) -> None:
        """Let a suspended user log in again."""
        self.is_active = True
        self.save(update_fields=["is_active"])


USER_COLUMNS = [field.attname for field in User._meta.concrete_fields]
BY_EMAIL = Statement(
    lambda: (
        User.objects.alias(lower_email=Lower("email"))
        .filter(lower_email=Lower(Parameter("email", models.TextField())))
        .values_list(*USER_COLUMNS)
    )
)
# What would end the user's sessions waits for this one, or has been seen by it.
START_SESSION = Statement(
    lambda: (
        """
        WITH unchanged AS (
            SELECT id FROM accounts_user WHERE id = %s AND password = %s AND is_active
            FOR NO KEY UPDATE
        ), expired AS (
            DELETE FROM accounts_session WHERE user_id = %s AND expires_at < now()
        )
        INSERT INTO accounts_session (user_id, refresh_id, expires_at, user_agent, network)
        SELECT id, %s, %s, %s, %s FROM unchanged RETURNING id
        """,
        (
            identifier("user"),
            Parameter("password", models.TextField()),
            identifier("user"),
            Parameter("refresh_id", models.UUIDField()),
            Parameter("expires_at", models.DateTimeField()),
            Parameter("user_agent", models.TextField()),
            Parameter("network", models.TextField()),
        ),
    )
)


class Origin(NamedTuple):
    """Where a login or a refresh came from, as far as its user needs it to know it again."""

    user_agent: str = ""
    network: str = ""


NOWHERE = Origin()


class SessionQuerySet(models.QuerySet["Session"]):
    """Sessions by what they are good for."""

    def open(self) -> SessionQuerySet:
        """Sessions whose tokens are accepted, by the database's clock."""
        return self.filter(revoked_at=None, expires_at__gt=Now(), user__is_active=True)

    def end(self) -> None:
        """Refuse the tokens of these sessions from now on."""
        self.filter(revoked_at=None).update(revoked_at=Now())

    def start(self, user: User, origin: Origin = NOWHERE) -> Session:
        """Insert a session for a login, and forget those of the user that have expired.

        One query. Raises User.DoesNotExist if the user was suspended or deleted, or the password
        changed, since it was read: what ended the other sessions then could not end this one.
        """
        expires_at = timezone.now() + settings.SESSION_LIFETIME
        session = Session(user=user, expires_at=expires_at, **origin._asdict())
        values = {"refresh_id": session.refresh_id, "expires_at": expires_at} | origin._asdict()
        for (session.pk,) in START_SESSION.rows(user=user.pk, password=user.password, **values):
            return session
        raise User.DoesNotExist


class Session(models.Model):
    """A login, from the password to the logout. Every token names one, and lives by it."""

    user = models.ForeignKey(User, on_delete=models.DB_CASCADE, related_name="sessions")
    refresh_id = models.UUIDField(
        default=uuid4, help_text="The `jti` of the one refresh token that may be used next."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(db_default=Now(), help_text="The last login or refresh.")
    expires_at = models.DateTimeField(help_text="The end, however often it is refreshed.")
    revoked_at = models.DateTimeField(null=True, blank=True, help_text="Set when it was ended.")
    user_agent = models.CharField(
        max_length=USER_AGENT_MAX,
        blank=True,
        db_default="",
        help_text="What the client called itself at the last login or refresh.",
    )
    network = models.CharField(
        max_length=NETWORK_MAX,
        blank=True,
        db_default="",
        help_text="Where that came from: a /24 of IPv4, or a /48 of IPv6.",
    )

    objects = SessionQuerySet.as_manager()

    def __str__(self) -> str:
        return f"session {self.pk}"

    def end(self) -> None:
        """Refuse its tokens from now on."""
        Session.objects.filter(pk=self.pk).end()

    def rotate(self, origin: Origin) -> None:
        """Exchange the refresh token's id, so that the present one is good no more."""
        self.refresh_id = uuid4()
        self.last_used_at = Now()
        self.user_agent, self.network = origin
        self.save(update_fields=["refresh_id", "last_used_at", *Origin._fields])


class RateLimitQuerySet(models.QuerySet["RateLimit"]):
    """Exact counters: one statement counts and reads, so that no two processes see the same."""

    def hit(self, key: str, period: timedelta) -> tuple[int, float]:
        """Count one event; return the count in this period and the seconds until it ends.

        One statement, atomic across connections. A new period also removes finished ones.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO accounts_ratelimit AS entry (key, count, resets_at)
                VALUES (%s, 1, now() + make_interval(secs => %s))
                ON CONFLICT (key) DO UPDATE SET
                    count = CASE WHEN entry.resets_at > now() THEN entry.count + 1 ELSE 1 END,
                    resets_at = CASE WHEN entry.resets_at > now() THEN entry.resets_at
                                     ELSE EXCLUDED.resets_at END
                RETURNING count, extract(epoch FROM resets_at - now())
                """,
                [key, period.total_seconds()],
            )
            count, seconds = cursor.fetchone()
        if count == 1:
            self.filter(resets_at__lt=Now()).delete()
        return count, float(seconds)


class RateLimit(models.Model):
    """How often something happened since its period began."""

    key = models.CharField(max_length=64, primary_key=True, help_text="A keyed hash of whom.")
    count = models.IntegerField()
    resets_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)

    objects = RateLimitQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.count} until {self.resets_at:%H:%M:%S}"
