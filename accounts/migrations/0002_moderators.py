"""A group of moderators, who see users and suspend them."""

from django.db import migrations

from socialapi.moderators import grant, remove_group


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={"permissions": [("suspend_user", "Can suspend and restore users")]},
        ),
        remove_group,
        grant("accounts", "view_user", "suspend_user"),
    ]
