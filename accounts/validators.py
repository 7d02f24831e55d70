"""Rules for new passwords, beside Django's."""

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError

MAX_PASSWORD_LENGTH = 128


class MaximumLengthValidator:
    """Refuses a password that is longer than a person's, and costs time to hash."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raise ValidationError for more than MAX_PASSWORD_LENGTH characters."""
        if len(password) > MAX_PASSWORD_LENGTH:
            raise ValidationError(self.get_help_text(), code="password_too_long")

    def get_help_text(self) -> str:
        """Say the rule."""
        return f"This password is too long. It may have {MAX_PASSWORD_LENGTH} characters at most."
