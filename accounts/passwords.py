"""Checking a password: in the same time whoever it is for, and not too often."""

from django.contrib.auth import password_validation
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework.exceptions import ValidationError

from .limits import PASSWORD_FAILURES
from .models import User


def find_user(email: str, password: str, network: str) -> User | None:
    """Return the user whose email and password these are, suspended or not.

    An unknown email costs the same hash as a wrong password. Raises Throttled after ten failures
    from a network; a right password then is refused too, so that guessing teaches nothing.
    """
    try:
        user = User.objects.get_by_natural_key(email)
    except User.DoesNotExist:
        user = None
    # The stored email, since Python and PostgreSQL differ on the lower case of a few letters.
    subject = ((user.email if user else email).lower(), network)
    PASSWORD_FAILURES.check(*subject)
    if user is None:
        make_password(password)
    if user is None or not user.check_password(password):
        PASSWORD_FAILURES.hit(*subject)
        return None
    PASSWORD_FAILURES.forget(*subject)
    return user


def confirm_password(user: User, password: str, network: str) -> None:
    """Raise ValidationError if this is not the user's password.

    Raises Throttled as `find_user` does: a stolen token must not be a way to guess.
    """
    if find_user(user.email, password, network) != user:
        raise ValidationError(["This is not your password."])


def validate_new_password(password: str, email: str, field: str) -> None:
    """Raise ValidationError naming the field if a password breaks a rule for new ones."""
    try:
        password_validation.validate_password(password, User(email=email))
    except DjangoValidationError as error:
        raise ValidationError({field: error.messages}) from None
