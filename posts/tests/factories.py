"""Posts for tests."""

import factory

from accounts.tests.factories import UserFactory
from posts.models import Post


class PostFactory(factory.django.DjangoModelFactory[Post]):
    """A published post."""

    class Meta:
        model = Post

    class Params:
        draft = factory.Trait(published=False)

    owner = factory.SubFactory(UserFactory)
    title = factory.Sequence(lambda n: f"Title {n}")
    content = factory.Sequence(lambda n: f"Content {n}")
