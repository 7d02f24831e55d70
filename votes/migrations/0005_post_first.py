"""The unique index of votes begins with the post, and so serves as the post's, too."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("posts", "0004_owner_indexes"),
        ("votes", "0004_lock_order"),
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
