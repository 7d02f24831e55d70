"""Triggers that keep each post's `vote_count`, whoever writes the votes, and however.

They run once for a statement, so that deleting an account with 100,000 votes is one update. The
posts are locked in the order of their ids: two such deletions wait for each other, where in any
other order they could deadlock.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION votes_count() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER votes_count_inserted AFTER INSERT ON votes_vote
REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION votes_count('1');

CREATE TRIGGER votes_count_deleted AFTER DELETE ON votes_vote
REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION votes_count('-1');

CREATE TRIGGER votes_count_moved_away AFTER UPDATE ON votes_vote
REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION votes_count('-1');

CREATE TRIGGER votes_count_moved_in AFTER UPDATE ON votes_vote
REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION votes_count('1');

CREATE FUNCTION votes_count_none() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE posts_post SET vote_count = 0 WHERE vote_count <> 0;
    RETURN NULL;
END $$;

CREATE TRIGGER votes_count_truncated AFTER TRUNCATE ON votes_vote
FOR EACH STATEMENT EXECUTE FUNCTION votes_count_none();

UPDATE posts_post SET vote_count = counted
FROM (SELECT post_id, count(*) AS counted FROM votes_vote GROUP BY post_id) AS votes
WHERE id = post_id;
"""

BACKWARD = """
DROP TRIGGER votes_count_inserted ON votes_vote;
DROP TRIGGER votes_count_deleted ON votes_vote;
DROP TRIGGER votes_count_moved_away ON votes_vote;
DROP TRIGGER votes_count_moved_in ON votes_vote;
DROP TRIGGER votes_count_truncated ON votes_vote;
DROP FUNCTION votes_count;
DROP FUNCTION votes_count_none;
UPDATE posts_post SET vote_count = 0 WHERE vote_count <> 0;
"""


class Migration(migrations.Migration):
    dependencies = [("votes", "0001_initial"), ("posts", "0002_touch_updated_at")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
