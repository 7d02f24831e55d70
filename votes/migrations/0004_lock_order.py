"""One order of locks for everything that changes votes: users, then posts by id, then votes.

Without it two users who voted for each other's posts and leave at the same time deadlock: each
deletion holds votes that the other one takes along. So the deletion of a user locks first all
posts that it will touch; and a vote locks its user as its foreign key does later on, at the end.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION votes_lock_posts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM posts_post WHERE id IN (
        SELECT post_id FROM votes_vote WHERE user_id = OLD.id
        UNION ALL SELECT id FROM posts_post WHERE owner_id = OLD.id
    ) ORDER BY id FOR UPDATE;
    RETURN OLD;
END $$;

CREATE TRIGGER votes_lock_posts BEFORE DELETE ON accounts_user
FOR EACH ROW EXECUTE FUNCTION votes_lock_posts();

CREATE FUNCTION votes_lock_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts_user WHERE id IN (SELECT user_id FROM changed)
    ORDER BY id FOR KEY SHARE;
    RETURN NULL;
END $$;

-- Triggers fire in the order of their names, and this one before votes_count_inserted.
CREATE TRIGGER votes_before_count AFTER INSERT ON votes_vote
REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION votes_lock_users();
"""

BACKWARD = """
DROP TRIGGER votes_lock_posts ON accounts_user;
DROP TRIGGER votes_before_count ON votes_vote;
DROP FUNCTION votes_lock_posts;
DROP FUNCTION votes_lock_users;
"""


class Migration(migrations.Migration):
    dependencies = [("votes", "0003_moderators")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
