"""Users, posts and votes."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Now


class Argon2idHasher(Argon2PasswordHasher):
    """The parameters that all have."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1


class User(AbstractBaseUser):
    """Who logs in by email."""

    email = models.EmailField(unique=True)
    username = models.CharField(max_length=30, unique=True)
    is_active = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(db_default=Now())

    USERNAME_FIELD = "email"
    objects = BaseUserManager()

    class Meta:
        db_table = "users"


class Post(models.Model):
    """A text of a user."""

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="posts")
    title = models.CharField(max_length=300)
    content = models.TextField()
    published = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "posts"

    def __str__(self) -> str:
        return f"post {self.pk}"


class Vote(models.Model):
    """One user's vote for one post."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="votes")
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="votes")

    class Meta:
        db_table = "votes"
        constraints = [models.UniqueConstraint(fields=["user", "post"], name="vote_once")]

    def __str__(self) -> str:
        return f"vote {self.pk}"
