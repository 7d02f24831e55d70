"""The configuration, read once from the environment, an optional `.env` file, and secret files.

ENV_FILE names another file; the tests name an empty one. A secret file has a variable's name and
its value, and lies in /run/secrets, where containers get theirs, or in SECRETS_DIR.
"""

import os
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import dj_database_url
import psycopg2
from psycopg2.extensions import parse_dsn
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

BASE_DIR = Path(__file__).resolve().parent.parent
# Written by what deploys the service.
REVISION_FILE = BASE_DIR / "REVISION"
SECRETS_DIR = Path(os.environ.get("SECRETS_DIR", "/run/secrets"))

# RFC 7518, section 3.2: an HMAC key is at least as long as the hash it makes.
KEY_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
EXAMPLE_SECRETS = re.compile(
    # The last one is the key printed in FastAPI's tutorial.
    r"change.?me|django-insecure|example|your.?secret|09d25e094faa6ca2556c818166b7a956",
    re.IGNORECASE,
)
# A name or an IPv6 address, and what a browser sends as the origin of a page there.
NAME = r"[a-z0-9-]+(\.[a-z0-9-]+)*"
ADDRESS = r"\[[0-9a-f:]+\]"
HOST = re.compile(rf"\.?{NAME}|{ADDRESS}", re.IGNORECASE)
ORIGIN = re.compile(rf"https?://({NAME}|{ADDRESS})(:[0-9]{{1,5}})?")

# What is imported only if a variable asks for it.
OPTIONAL_PACKAGES = {
    "SENTRY_DSN": "sentry-sdk",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "opentelemetry-exporter-otlp-proto-http",
}

# What a value has to be, where pydantic would say it to those who read patterns.
WANTED = {
    "ALLOWED_HOSTS": "must name one host at least",
    "LOG_LEVEL": "must be DEBUG, INFO, WARNING, ERROR or CRITICAL",
    "METRICS_TOKEN": "must be 16 characters or more, of ASCII and without spaces",
    "SENTRY_DSN": "must be the DSN that Sentry shows, a URL with a key and a project's number",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "must be a URL that starts with http:// or https://",
}
TECHNICAL = {"literal_error", "string_pattern_mismatch", "too_short"}

CommaSeparated = Annotated[list[str], NoDecode]


class Environment(BaseSettings):
    """Every variable the service reads, with its type, bounds, default and a good value.

    Raises `pydantic.ValidationError` naming every variable that is missing or wrong.
    """

    model_config = SettingsConfigDict(
        env_file=os.environ.get("ENV_FILE") or BASE_DIR / ".env",
        # One that belongs to somebody else on this machine is none of ours.
        secrets_dir=SECRETS_DIR if os.access(SECRETS_DIR, os.R_OK | os.X_OK) else None,
        env_ignore_empty=True,
        case_sensitive=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    DATABASE_URL: str = Field(
        description="The PostgreSQL database.",
        examples=["postgresql://socialapi:password@localhost:5432/socialapi"],
    )
    ALGORITHM: Literal["HS256", "HS384", "HS512"] = Field(
        "HS256", description="Signs the tokens.", examples=["HS256"]
    )
    SECRET_KEY: str = Field(
        description="Signs tokens and sessions; at least 32 random bytes.",
        examples=['the output of: python3 -c "import secrets; print(secrets.token_urlsafe(50))"'],
    )
    SECRET_KEY_FALLBACKS: CommaSeparated = Field(
        [],
        description="Former keys, whose tokens and sessions stay good, separated by commas.",
        examples=["the SECRET_KEY before this one"],
    )
    DEBUG: bool = Field(
        False,
        description="Development mode: code reloads, cookies travel over plain HTTP.",
        examples=["off"],
    )
    ALLOWED_HOSTS: CommaSeparated = Field(
        description="Host names that the service answers to, separated by commas.",
        examples=["api.example.org,localhost"],
        min_length=1,
    )
    CORS_ALLOWED_ORIGINS: CommaSeparated = Field(
        [],
        description="Origins whose pages may call the API, separated by commas.",
        examples=["https://app.example.org,http://localhost:3000"],
    )
    CSRF_TRUSTED_ORIGINS: CommaSeparated = Field(
        [],
        description="Origins whose forms the admin and the browsable API accept.",
        examples=["https://api.example.org"],
    )
    ACCESS_TOKEN_EXPIRE_MINUTES: int = Field(
        15, description="Minutes an access token lives.", examples=["15"], ge=1, le=1440
    )
    REFRESH_TOKEN_EXPIRE_DAYS: int = Field(
        14, description="Days an unused refresh token lives.", examples=["14"], ge=1, le=90
    )
    PORT: int = Field(8000, description="TCP port.", examples=["8000"], ge=1, le=65535)
    WEB_CONCURRENCY: int = Field(2, description="Worker processes.", examples=["2"], ge=1, le=256)
    DB_THREADS: int = Field(
        8,
        description="Threads, and so database connections, of each worker.",
        examples=["8"],
        ge=1,
        le=256,
    )
    QUEUE_SIZE: int = Field(
        512,
        description="Requests that wait for a thread, per worker; more are answered 503.",
        examples=["512"],
        ge=1,
        le=100_000,
    )
    DB_WAIT: int = Field(
        60,
        description="Seconds the start waits for the database.",
        examples=["60"],
        ge=0,
        le=3600,
    )
    TRUSTED_PROXIES: int = Field(
        0,
        description="Reverse proxies in front, whose X-Forwarded-For and -Proto are believed.",
        examples=["1"],
        ge=0,
        le=10,
    )
    THROTTLE: bool = Field(
        True, description="Rate limits; off for load tests only.", examples=["on"]
    )
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="The least severe log line that is written.", examples=["INFO"]
    )
    SLOW_REQUEST_MS: int = Field(
        1000,
        description="Milliseconds from which a request's log line is a warning.",
        examples=["1000"],
        ge=1,
        le=3_600_000,
    )
    METRICS_TOKEN: str = Field(
        "",
        description="Opens /metrics as a bearer token; without it there is no such address.",
        examples=['the output of: python3 -c "import secrets; print(secrets.token_urlsafe())"'],
        pattern=r"^$|^[\x21-\x7e]{16,}$",
    )
    SENTRY_DSN: str = Field(
        "",
        description="Where errors are reported to.",
        examples=["https://key@sentry.example.org/1"],
        pattern=r"^$|^https?://\w+@[^/\s]+/(.+/)?[0-9]+$",
    )
    OTEL_EXPORTER_OTLP_ENDPOINT: str = Field(
        "",
        description="Where traces are sent to, by OTLP over HTTP.",
        examples=["http://localhost:4318"],
        pattern=r"^$|^https?://[^/\s]+(/\S*)?$",
    )
    REVISION: str = Field(
        "",
        description="The commit or tag that runs, for metrics, errors and traces.",
        examples=["3f2a9c1"],
        # Sentry takes no slashes.
        pattern=r"^[A-Za-z0-9._+-]{0,100}$",
    )

    @field_validator(
        "ALLOWED_HOSTS",
        "CORS_ALLOWED_ORIGINS",
        "CSRF_TRUSTED_ORIGINS",
        "SECRET_KEY_FALLBACKS",
        mode="before",
    )
    @classmethod
    def split_commas(cls, value: str | list[str]) -> list[str]:
        """Turn `a, b` into `["a", "b"]`."""
        parts = value.split(",") if isinstance(value, str) else value
        return [part.strip() for part in parts if part.strip()]

    @field_validator("ALLOWED_HOSTS")
    @classmethod
    def hosts_are_names(cls, hosts: list[str]) -> list[str]:
        """Refuse a URL, a port, or a wildcard other than the dot before a domain."""
        for host in hosts:
            if not HOST.fullmatch(host):
                raise ValueError(f"{host!r} is not a host name")
        return hosts

    @field_validator("CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS")
    @classmethod
    def origins_are_complete(cls, origins: list[str]) -> list[str]:
        """Refuse anything but scheme, host and port, as a browser writes them."""
        for origin in origins:
            # Reading the port raises ValueError for one that cannot be.
            if not ORIGIN.fullmatch(origin) or urlsplit(origin).port == 0:
                raise ValueError(f"{origin!r} is not an origin such as https://app.example.org")
        return origins

    @field_validator("REVISION", mode="before")
    @classmethod
    def deployment_knows(cls, value: str) -> str:
        """Without the variable, take what the deployment wrote, or what Heroku says."""
        if not value and REVISION_FILE.exists():
            value = REVISION_FILE.read_text().strip()
        return value or os.environ.get("HEROKU_BUILD_COMMIT", "")

    @field_validator("LOG_LEVEL", mode="before")
    @classmethod
    def upper_case(cls, value: str) -> str:
        """Accept `info` for `INFO`."""
        return value.upper()

    @field_validator("DATABASE_URL")
    @classmethod
    def names_a_postgresql_database(cls, url: str) -> str:
        """Refuse another database's URL, one without a database name, and nonsense."""
        if not url.startswith(("postgres://", "postgresql://")):
            raise ValueError("the URL must start with postgresql://, and name no driver")
        try:
            # libpq reads the URL at the start, and Django its parts later.
            parse_dsn(url)
            parts = dj_database_url.parse(url)
        except (psycopg2.ProgrammingError, ValueError):
            # What exactly, they would say with a part of the password.
            raise ValueError(
                "the URL is malformed, or has an unknown parameter; in a password, characters "
                "such as # / ? @ % must be percent-encoded, # as %23"
            ) from None
        if not parts["NAME"]:
            raise ValueError("the URL must end with the database's name")
        return url

    @field_validator("SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT")
    @classmethod
    def package_is_installed(cls, value: str, info: ValidationInfo) -> str:
        """Refuse what needs a package that only requirements/monitoring.txt installs."""
        package = OPTIONAL_PACKAGES[str(info.field_name)]
        if value and not is_installed(package):
            raise ValueError(f"{package} is missing: pip install -r requirements/monitoring.txt")
        return value

    @field_validator("SECRET_KEY")
    @classmethod
    def key_is_strong(cls, key: str, info: ValidationInfo) -> str:
        """Refuse a signing key that is short, repetitive or printed in some tutorial."""
        needed = KEY_BYTES[info.data.get("ALGORITHM", "HS256")]
        if len(key.encode()) < needed:
            raise ValueError(f"must have at least {needed} bytes")
        if len(set(key)) < 5 or EXAMPLE_SECRETS.search(key):
            raise ValueError("must be random, not an example")
        return key

    @field_validator("SECRET_KEY_FALLBACKS")
    @classmethod
    def former_keys_are_strong(cls, keys: list[str], info: ValidationInfo) -> list[str]:
        """Refuse a former key that could not be the present one."""
        return [cls.key_is_strong(key, info) for key in keys]


def is_installed(package: str) -> bool:
    """Whether a package is there to be imported."""
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def explain(error: ValidationError) -> str:
    """Return one line for each bad variable: its name, what is wrong, and a good value."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        name = str(problem["loc"][0])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            message = "must be set"
        elif problem["type"] in TECHNICAL:
            message = WANTED.get(name, message)
        example = (Environment.model_fields[name].examples or [""])[0]
        lines.append(f"{name}: {message}. Example: {example}")
    return "\n".join(lines)


def explain_file(error: SettingsError) -> str:
    """Return a line for a secret file that cannot be read: its variable, why, and what helps."""
    name = next(name for name in Environment.model_fields if f'"{name}"' in str(error))
    return f"{name}: its file cannot be read ({error.__cause__}). Example: chmod a+r {name}"


def check_file() -> None:
    """Stop the program if ENV_FILE names a file that cannot be read."""
    name = os.environ.get("ENV_FILE")
    if name and not os.access(name, os.R_OK):
        raise SystemExit(f"ENV_FILE: {name} cannot be read. Example: /etc/socialapi/env")


def read_environment() -> Environment:
    """Read the environment, or stop the program with a line for each bad variable."""
    check_file()
    try:
        return Environment()
    except ValidationError as error:
        raise SystemExit(explain(error)) from None
    except SettingsError as error:
        raise SystemExit(explain_file(error)) from None


environment = read_environment()
