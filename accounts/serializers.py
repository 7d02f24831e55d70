"""What the account endpoints take and give."""

from typing import Any

from django.contrib.auth.password_validation import MinimumLengthValidator
from django.core.validators import RegexValidator
from django.db import IntegrityError
from rest_framework import serializers

from socialapi.database import violated_constraint
from socialapi.fields import EmailField, StringField
from socialapi.network import client_network

from .models import USERNAME_MAX, USERNAME_MIN, USERNAME_PATTERN, USERNAME_RULE, Session, User
from .passwords import confirm_password, validate_new_password
from .validators import MAX_PASSWORD_LENGTH

PASSWORD_RULE = "Not common, not digits alone, not like the email."
TAKEN = {"accounts_user_email_unique": "email", "accounts_user_username_unique": "username"}


class PasswordField(StringField):
    """A password, taken exactly as sent and never given back."""

    def __init__(self, **options: Any) -> None:
        style = {"input_type": "password"}
        super().__init__(write_only=True, trim_whitespace=False, style=style, **options)


class CurrentPasswordField(PasswordField):
    """The caller's password, checked; raises Throttled after too many failures."""

    def run_validation(self, data: Any = serializers.empty) -> str:
        """Refuse a password that is not the caller's, once it is known to be a text at all."""
        password: str = super().run_validation(data)
        request = self.context["request"]
        confirm_password(request.user, password, client_network(request))
        return password


class NewPasswordField(PasswordField):
    """A password that a user chooses."""

    def __init__(self, **options: Any) -> None:
        least = MinimumLengthValidator().min_length
        super().__init__(min_length=least, max_length=MAX_PASSWORD_LENGTH, **options)


class ProfileSerializer(serializers.ModelSerializer[User]):
    """A user as others see them."""

    class Meta:
        model = User
        fields = ("id", "username", "created_at")
        read_only_fields = fields


class AccountSerializer(serializers.ModelSerializer[User]):
    """A user's own account."""

    email = EmailField(max_length=254)
    username = StringField(
        min_length=USERNAME_MIN,
        max_length=USERNAME_MAX,
        validators=[RegexValidator(USERNAME_PATTERN, USERNAME_RULE)],
        help_text=USERNAME_RULE,
    )

    class Meta:
        model = User
        fields: tuple[str, ...] = ("id", "email", "username", "created_at")
        read_only_fields = ("id", "created_at")

    def save(self, **kwargs: Any) -> User:
        """Save; what another user has is a validation error, decided by the database alone."""
        try:
            return super().save(**kwargs)
        except IntegrityError as error:
            field = TAKEN.get(violated_constraint(error))
            if field is None:
                raise
            raise serializers.ValidationError({field: [f"This {field} is taken."]}) from None


class SignUpSerializer(AccountSerializer):
    """A new account."""

    password = NewPasswordField(help_text=PASSWORD_RULE)
    username = StringField(
        min_length=USERNAME_MIN,
        max_length=USERNAME_MAX,
        validators=[RegexValidator(USERNAME_PATTERN, USERNAME_RULE)],
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text=f"{USERNAME_RULE} Left out, null or blank, a neutral one is made.",
    )

    class Meta(AccountSerializer.Meta):
        fields = (*AccountSerializer.Meta.fields, "password")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check the password against the email."""
        validate_new_password(attrs["password"], attrs["email"], "password")
        return attrs

    def create(self, validated_data: dict[str, Any]) -> User:
        """Insert the user."""
        return User.objects.create_user(**validated_data)


class AccountUpdateSerializer(AccountSerializer):
    """A change of the own account."""

    current_password = CurrentPasswordField(
        required=False, help_text="Needed to change the email."
    )

    class Meta(AccountSerializer.Meta):
        fields = (*AccountSerializer.Meta.fields, "current_password")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for the password where the login changes."""
        if attrs.pop("current_password", None) is None and "email" in attrs:
            message = "Your current password is needed to change the email."
            raise serializers.ValidationError({"current_password": [message]})
        return attrs

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        """Save only what was sent, so that two requests do not undo each other."""
        for field, value in validated_data.items():
            setattr(instance, field, value)
        instance.save(update_fields=list(validated_data))
        return instance


class PasswordSerializer(serializers.Serializer[Any]):
    """A proof that it is the account's owner who asks."""

    password = CurrentPasswordField()


class PasswordChangeSerializer(serializers.Serializer[Any]):
    """A new password."""

    current_password = CurrentPasswordField()
    new_password = NewPasswordField(help_text=PASSWORD_RULE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check the new password against the caller's email."""
        email = self.context["request"].user.email
        validate_new_password(attrs["new_password"], email, "new_password")
        return attrs


class LoginSerializer(serializers.Serializer[Any]):
    """Email and password. OAuth2's password form calls the email `username`."""

    username = StringField(required=False, help_text="The email, as OAuth2 clients name it.")
    email = StringField(required=False, help_text="The email.")
    password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Take the email under either name."""
        email = attrs.get("email") or attrs.get("username")
        if not email:
            raise serializers.ValidationError({"username": ["This field is required."]})
        return {"email": email, "password": attrs["password"]}


class RefreshSerializer(serializers.Serializer[Any]):
    """A refresh token."""

    refresh_token = StringField(help_text="From the last login or refresh.")


class SessionSerializer(serializers.ModelSerializer[Session]):
    """A login."""

    current = serializers.BooleanField(help_text="Whether it is the one that asks.")

    class Meta:
        model = Session
        fields = ("id", "created_at", "last_used_at", "user_agent", "network", "current")
        read_only_fields = fields


class ExportedAccountSerializer(serializers.ModelSerializer[User]):
    """All that is held about a user in their own row, but for the hash of the password."""

    groups = serializers.ListField(child=serializers.CharField(), source="group_names")
    permissions = serializers.ListField(child=serializers.CharField(), source="permission_names")

    class Meta:
        model = User
        fields = (
            "id",
            "email",
            "username",
            "created_at",
            "last_login",
            "is_active",
            "is_staff",
            "is_superuser",
            "groups",
            "permissions",
        )


class ExportedSessionSerializer(serializers.ModelSerializer[Session]):
    """All that is held about a login, but for the id of its refresh token."""

    class Meta:
        model = Session
        fields = (
            "id",
            "created_at",
            "last_used_at",
            "expires_at",
            "revoked_at",
            "user_agent",
            "network",
        )


class TokenPairSerializer(serializers.Serializer[Any]):
    """Tokens, as RFC 6749, section 5.1, names them."""

    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.ChoiceField(choices=["bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds that the access token lives.")
