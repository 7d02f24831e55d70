"""What fits of the FastAPI course's rows, and how it is inserted, as SQL.

The rows of a batch are in the temporary table `staged`. What a statement sets aside is gone from
there, so that the next one need not look at it.
"""

from posts.models import CONTENT_MAX, NOT_BLANK, TITLE_MAX

# What passlib writes, as far as bcrypt reads it.
BCRYPT = r"^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}$"

KEY_COLUMNS = "id bigint, created_at timestamptz"
USER_COLUMNS = f"{KEY_COLUMNS}, email text, password text"
POST_COLUMNS = (
    f"{KEY_COLUMNS}, title text, content text, published boolean, owner_id bigint, voters bigint[]"
)
VOTE_COLUMNS = "user_id bigint, post_id bigint"

LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('import_fastapi'))"

# Ids and `created_at`, which nobody can change, tell a row that has been imported before.
CLASHING = """
    SELECT staged.id FROM staged JOIN {table} AS present USING (id)
    WHERE staged.created_at IS DISTINCT FROM present.created_at
"""
# Those whose email is one.
NAME_USERS = """
    ALTER TABLE staged ADD username text;
    UPDATE staged SET username = name FROM unnest(%s::bigint[], %s::text[]) AS named (pk, name)
    WHERE id = pk
"""
# A row that took one of the ids after the check is not present, and stops the import.
SET_PRESENT_ASIDE = """
    DELETE FROM staged USING {table} AS present
    WHERE present.id = staged.id AND present.created_at = staged.created_at
"""
SET_FLAWED_ASIDE = "DELETE FROM staged WHERE {flaw} IS NOT NULL RETURNING id, {flaw}"
BAD_KEY = """
    WHEN id < 1 THEN 'the id is not positive'
    WHEN created_at IS NULL THEN 'created_at is empty'
    WHEN created_at NOT BETWEEN '0001-01-01' AND '9999-12-31' THEN 'created_at is out of range'
"""
USER_FLAW = f"""CASE {BAD_KEY}
    WHEN username IS NULL THEN 'the email is not valid'
    WHEN (password ~ '{BCRYPT}') IS NOT TRUE THEN 'the password is not a bcrypt hash'
END"""
POST_FLAW = f"""CASE {BAD_KEY}
    WHEN (title ~ '{NOT_BLANK}') IS NOT TRUE THEN 'the title is blank'
    WHEN length(title) > {TITLE_MAX} THEN 'the title has more than {TITLE_MAX} characters'
    WHEN (content ~ '{NOT_BLANK}') IS NOT TRUE THEN 'the content is blank'
    WHEN length(content) > {CONTENT_MAX} THEN 'the content has more than {CONTENT_MAX} characters'
    WHEN published IS NULL THEN 'published is empty'
    WHEN owner_id IS NULL THEN 'owner_id is empty'
    WHEN NOT EXISTS (SELECT FROM accounts_user AS owner WHERE owner.id = owner_id)
    THEN format('user %s was not imported', owner_id)
END"""

# Of several users with one email, the first by id is inserted.
INSERT_USERS = """
    INSERT INTO accounts_user (id, email, username, password, is_superuser, created_at)
    SELECT id, email, username, 'bcrypt$' || password, false, created_at FROM staged ORDER BY id
    ON CONFLICT (lower(email)) DO NOTHING
"""
NOT_INSERTED_USERS = """
    SELECT staged.id, format('user %s has the same email, but for case', holder.id)
    FROM staged JOIN accounts_user AS holder ON lower(holder.email) = lower(staged.email)
    WHERE staged.id <> holder.id
"""

LIST_VOTES = (
    "CREATE TEMP TABLE vote AS SELECT id AS post_id, unnest(voters) AS user_id FROM staged"
)
SET_FLAWED_VOTES_ASIDE = """
    DELETE FROM vote WHERE post_id = ANY(%(posts)s)
    OR NOT EXISTS (SELECT FROM accounts_user AS voter WHERE voter.id = user_id)
    RETURNING user_id, post_id, CASE WHEN post_id = ANY(%(posts)s)
        THEN format('post %%s was not imported', post_id)
        ELSE format('user %%s was not imported', user_id)
    END
"""
# Votes come before their posts, which bring their counts along. All that the triggers then have
# to count are votes on posts that were there before.
INSERT_VOTES = """
    INSERT INTO votes_vote (user_id, post_id) SELECT user_id, post_id FROM vote
    ON CONFLICT DO NOTHING
"""
INSERT_POSTS = """
    INSERT INTO posts_post
        (id, title, content, published, created_at, updated_at, owner_id, vote_count)
    SELECT id, title, content, published, created_at, created_at, owner_id,
        (SELECT count(*) FROM votes_vote WHERE post_id = staged.id)
    FROM staged ORDER BY id
"""

RESERVE_IDS = """
    SELECT setval(sequence, greatest(%s, nextval(sequence)))
    FROM pg_get_serial_sequence(%s, 'id') AS sequence
"""
