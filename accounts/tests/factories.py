"""Users for tests."""

from functools import cache
from typing import Any

import factory
from django.contrib.auth.hashers import make_password

from accounts.models import User

PASSWORD = "correct-horse-42"


@cache
def stored_password() -> str:
    """Hash the tests' password once: the real hasher takes its time."""
    return make_password(PASSWORD)


class UserFactory(factory.django.DjangoModelFactory[User]):
    """An active user whose password is PASSWORD."""

    class Meta:
        model = User

    class Params:
        suspended = factory.Trait(is_active=False)
        superuser = factory.Trait(is_staff=True, is_superuser=True)

    email = factory.Sequence(lambda n: f"person{n}@example.com")
    username = factory.Sequence(lambda n: f"person{n}")
    password: Any = factory.LazyFunction(stored_password)
