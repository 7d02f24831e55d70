"""Sessions of the admin and the browsable API, in the database."""

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """Django's, but for what a hostile cookie may hold."""

    def _validate_session_key(self, key: str) -> bool:
        """Take a key with NUL, which PostgreSQL cannot be asked for, as that of no session."""
        return super()._validate_session_key(key) and "\0" not in key  # type: ignore[misc]
