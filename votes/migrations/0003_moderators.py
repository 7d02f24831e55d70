"""Moderators see votes."""

from django.db import migrations

from socialapi.moderators import grant


class Migration(migrations.Migration):
    dependencies = [("votes", "0002_count_votes"), ("posts", "0003_moderators")]

    operations = [grant("votes", "view_vote")]
