"""How passwords are stored: Argon2id; bcrypt is read, to be replaced at the next login."""

from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.hashers import Argon2PasswordHasher, BCryptPasswordHasher

# However many log in at a time, one of them takes memory, and has the processor's caches to
# itself: side by side on one core, eight took longer than one after another.
one_at_a_time = ThreadPoolExecutor(1, "hash")


class Argon2idHasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes and one lane.

    The figures are OWASP's (Password Storage Cheat Sheet); Django's own take 100 MiB for each
    login that is under way.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """Hash a password."""
        return one_at_a_time.submit(super().encode, password, salt).result()

    def verify(self, password: str, encoded: str) -> bool:
        """Whether a hash is that of the password."""
        return one_at_a_time.submit(super().verify, password, encoded).result()


class TruncatingBCryptHasher(BCryptPasswordHasher):
    """The older system's hashes, `bcrypt$` and then passlib's text.

    bcrypt sees 72 bytes of a password. The older library cut the rest off, the present one
    raises, so it is cut here.
    """

    def encode(self, password: str, salt: str) -> str:
        """Hash the first 72 bytes."""
        return super().encode(password.encode()[:72], salt)  # type: ignore[arg-type]
