"""A narrow table for the order by votes, so that a vote touches no index of the posts.

An update that changes no indexed column is cheap in PostgreSQL (a heap-only tuple), and one that
does writes to all indexes, the one for search included: a vote took half as long again, and each
search had to look through what the votes had left there. Triggers keep the copies.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

FORWARD = """
-- Room in each page for the next version of a row.
ALTER TABLE posts_post SET (fillfactor = 90);
ALTER TABLE posts_postrank SET (fillfactor = 90);

INSERT INTO posts_postrank (post_id, owner_id, published, vote_count)
SELECT id, owner_id, published, vote_count FROM posts_post;

CREATE FUNCTION posts_rank_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO posts_postrank (post_id, owner_id, published, vote_count)
    SELECT id, owner_id, published, vote_count FROM inserted;
    RETURN NULL;
END $$;

CREATE TRIGGER posts_rank_inserted AFTER INSERT ON posts_post
REFERENCING NEW TABLE AS inserted
FOR EACH STATEMENT EXECUTE FUNCTION posts_rank_inserted();

CREATE FUNCTION posts_rank_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE posts_postrank
    SET owner_id = NEW.owner_id, published = NEW.published, vote_count = NEW.vote_count
    WHERE post_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER posts_rank_updated AFTER UPDATE OF owner_id, published, vote_count ON posts_post
FOR EACH ROW WHEN (
    (OLD.owner_id, OLD.published, OLD.vote_count) IS DISTINCT FROM
    (NEW.owner_id, NEW.published, NEW.vote_count)
) EXECUTE FUNCTION posts_rank_updated();
"""

BACKWARD = """
DROP TRIGGER posts_rank_inserted ON posts_post;
DROP TRIGGER posts_rank_updated ON posts_post;
DROP FUNCTION posts_rank_inserted;
DROP FUNCTION posts_rank_updated;
ALTER TABLE posts_post RESET (fillfactor);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("posts", "0004_stream"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="post",
            name="owner",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.DB_CASCADE,
                related_name="posts",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RemoveIndex(model_name="post", name="posts_post_by_votes"),
        migrations.CreateModel(
            name="PostRank",
            fields=[
                (
                    "post",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DB_CASCADE,
                        primary_key=True,
                        related_name="rank",
                        serialize=False,
                        to="posts.post",
                    ),
                ),
                ("owner_id", models.BigIntegerField()),
                ("published", models.BooleanField()),
                ("vote_count", models.IntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("vote_count"),
                        models.F("post"),
                        condition=Q(published=True),
                        name="posts_postrank_by_votes",
                    ),
                    models.Index(
                        models.F("owner_id"),
                        models.F("published"),
                        models.F("vote_count"),
                        models.F("post"),
                        name="posts_postrank_by_owner",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
