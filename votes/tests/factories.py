"""Votes for tests."""

import factory

from accounts.tests.factories import UserFactory
from posts.tests.factories import PostFactory
from votes.models import Vote


class VoteFactory(factory.django.DjangoModelFactory[Vote]):
    """A vote of a new user on a new post."""

    class Meta:
        model = Vote

    user = factory.SubFactory(UserFactory)
    post = factory.SubFactory(PostFactory)
