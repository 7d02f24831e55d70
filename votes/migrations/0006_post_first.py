"""The unique index begins with the post.

A user's vote on a post is then found at once on posts with many votes too, and the index on the
post alone is needed no more.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("posts", "0005_rank"),
        ("votes", "0005_log_counts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="vote",
            name="votes_vote_once",
        ),
        migrations.AlterField(
            model_name="vote",
            name="post",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.DB_CASCADE,
                related_name="votes",
                to="posts.post",
            ),
        ),
        migrations.AddConstraint(
            model_name="vote",
            constraint=models.UniqueConstraint(fields=("post", "user"), name="votes_vote_once"),
        ),
    ]
