"""Moderators see posts, edit them and delete them."""

from django.db import migrations

from socialapi.moderators import grant


class Migration(migrations.Migration):
    dependencies = [("posts", "0002_touch_updated_at"), ("accounts", "0002_moderators")]

    operations = [grant("posts", "view_post", "change_post", "delete_post")]
