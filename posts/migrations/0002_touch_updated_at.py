"""A trigger that moves `updated_at` when what a post says changes, and only then."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION posts_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := statement_timestamp();
    RETURN NEW;
END $$;

CREATE TRIGGER posts_touch BEFORE UPDATE OF title, content, published ON posts_post
FOR EACH ROW WHEN (
    (OLD.title, OLD.content, OLD.published) IS DISTINCT FROM
    (NEW.title, NEW.content, NEW.published)
) EXECUTE FUNCTION posts_touch();
"""

BACKWARD = """
DROP TRIGGER posts_touch ON posts_post;
DROP FUNCTION posts_touch;
"""


class Migration(migrations.Migration):
    dependencies = [("posts", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
