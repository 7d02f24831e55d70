"""Checking a password: in the same time whoever it is for, and not too often."""

import logging

from django.contrib.auth import password_validation
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework.exceptions import ValidationError

from socialapi import tally
from socialapi.logs import event

from .limits import PASSWORD_FAILURES
from .models import User

log = logging.getLogger(__name__)

for outcome in ("accepted", "refused"):
    tally.expect("logins", outcome)


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
        tell_refusal("password", user, network)
        PASSWORD_FAILURES.hit(*subject)
        return None
    PASSWORD_FAILURES.forget(*subject)
    return user


def tell_login(user: User) -> None:
    """Tell the log, and count, that a user has logged in."""
    tally.count("logins", "accepted")
    log.info("Logged in.", extra=event("login", account_id=user.pk))


def tell_refusal(reason: str, user: User | None, network: str) -> None:
    """Tell the log, and count, that a login was refused; a user is None if there is none."""
    tally.count("logins", "refused")
    fields = event(
        "login.refused", reason=reason, account_id=user.pk if user else None, network=network
    )
    log.warning("A login was refused.", extra=fields)


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
