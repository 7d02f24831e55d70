"""The trigger that counts votes logs which published posts' counts it changed, for the stream."""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION votes_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM posts_post WHERE id IN (SELECT post_id FROM changed)
    ORDER BY id FOR NO KEY UPDATE;
    WITH counted AS (
        UPDATE posts_post SET vote_count = vote_count + change
        FROM (
            SELECT post_id, count(*) * TG_ARGV[0]::integer AS change FROM changed GROUP BY post_id
        ) AS changes
        WHERE id = post_id
        RETURNING id, published
    )
    INSERT INTO posts_change (post_id, kind) SELECT id, 1 FROM counted WHERE published
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION votes_count_none() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH counted AS (
        UPDATE posts_post SET vote_count = 0 WHERE vote_count <> 0 RETURNING id, published
    )
    INSERT INTO posts_change (post_id, kind) SELECT id, 1 FROM counted WHERE published
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
"""

BACKWARD = """
CREATE OR REPLACE FUNCTION votes_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM posts_post WHERE id IN (SELECT post_id FROM changed)
    ORDER BY id FOR NO KEY UPDATE;
    UPDATE posts_post SET vote_count = vote_count + change
    FROM (
        SELECT post_id, count(*) * TG_ARGV[0]::integer AS change FROM changed GROUP BY post_id
    ) AS changes
    WHERE id = post_id;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION votes_count_none() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE posts_post SET vote_count = 0 WHERE vote_count <> 0;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("votes", "0004_lock_order"), ("posts", "0004_stream")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
