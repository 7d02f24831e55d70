"""The log of what the stream tells, and the triggers that write it.

An entry is one small row, written once for a post in a transaction. Votes are logged by the
trigger that counts them. Inserted and deleted posts are logged once for a statement, changed ones
each for itself: a trigger that is told of all rows cannot be limited to columns, and would run at
every vote. A bulk load that nobody needs to be told of sets `socialapi.log` to `off`.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Cast, Now

FORWARD = """
INSERT INTO posts_mark (xid) VALUES (0);

-- The oldest transaction that runs in this database, or the next one. Those of other databases
-- cannot write here; one whose lock is not found, or is held by no process, may be any.
CREATE FUNCTION posts_horizon() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(min(running), pg_snapshot_xmax(pg_current_snapshot()))::text::bigint
    FROM pg_snapshot_xip(pg_current_snapshot()) AS running
    WHERE NOT EXISTS (
        SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE transactionid = running::xid AND granted AND mode = 'ExclusiveLock'
        AND datname <> current_database()
    )
$$;

CREATE FUNCTION posts_log_presence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO posts_change (post_id, kind) SELECT id, 3 FROM changed WHERE published
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER posts_log_inserted AFTER INSERT ON posts_post
REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT WHEN (current_setting('socialapi.log', true) IS DISTINCT FROM 'off')
EXECUTE FUNCTION posts_log_presence();

CREATE TRIGGER posts_log_deleted AFTER DELETE ON posts_post
REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION posts_log_presence();

CREATE FUNCTION posts_log_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO posts_change (post_id, kind)
    VALUES (NEW.id, CASE WHEN OLD.published AND NEW.published THEN 2 ELSE 3 END)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER posts_log_updated AFTER UPDATE OF title, content, published ON posts_post
FOR EACH ROW WHEN (
    (OLD.published OR NEW.published) AND
    (OLD.title, OLD.content, OLD.published) IS DISTINCT FROM
    (NEW.title, NEW.content, NEW.published)
) EXECUTE FUNCTION posts_log_updated();

CREATE FUNCTION posts_log_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO posts_change (post_id, kind) SELECT id, 3 FROM posts_post WHERE published
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER posts_log_truncated BEFORE TRUNCATE ON posts_post
FOR EACH STATEMENT EXECUTE FUNCTION posts_log_truncated();
"""

BACKWARD = """
DROP TRIGGER posts_log_inserted ON posts_post;
DROP TRIGGER posts_log_deleted ON posts_post;
DROP TRIGGER posts_log_updated ON posts_post;
DROP TRIGGER posts_log_truncated ON posts_post;
DROP FUNCTION posts_log_presence;
DROP FUNCTION posts_log_updated;
DROP FUNCTION posts_log_truncated;
DROP FUNCTION posts_horizon;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("posts", "0003_moderators"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Change",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "xid",
                        "post_id",
                        "kind",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "xid",
                    models.BigIntegerField(
                        db_default=Cast(
                            Cast(models.Func(function="pg_current_xact_id"), models.TextField()),
                            models.BigIntegerField(),
                        ),
                        help_text="The transaction.",
                    ),
                ),
                ("post_id", models.BigIntegerField()),
                (
                    "kind",
                    models.SmallIntegerField(
                        choices=[(1, "Votes"), (2, "Content"), (3, "Presence")]
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Mark",
            fields=[
                ("xid", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_default=Now())),
            ],
        ),
        migrations.CreateModel(
            name="Listener",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DB_CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
