"""Where each login was last used from. Constants fill both columns, so no table is rewritten."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_moderators")]

    operations = [
        migrations.AddField(
            model_name="session",
            name="user_agent",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="What the client called itself at the last login or refresh.",
                max_length=300,
            ),
        ),
        migrations.AddField(
            model_name="session",
            name="network",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="Where that came from: a /24 of IPv4, or a /48 of IPv6.",
                max_length=43,
            ),
        ),
    ]
