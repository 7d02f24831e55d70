"""What stops the start: bad variables, each said in a line, and a database that is away."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pwd import getpwnam
from tempfile import TemporaryDirectory

import pytest

from socialapi.environment import BASE_DIR, Environment, read_environment
from socialapi.tests.backends import Door
from socialapi.tests.live import database_url, server_environment
from socialapi.tests.wire import PATIENCE_SECONDS

GOOD = {
    "DATABASE_URL": "postgresql://user@localhost/name",
    "SECRET_KEY": "WOUN1kTl0Zpq7tXjpO4uZyqgkNzAX2pS",
    "ALLOWED_HOSTS": "localhost",
}
NONSENSE = {
    "DATABASE_URL": [
        "nonsense",
        "mysql://user@localhost/name",
        "postgresql://user@localhost",
        "postgresql://user@localhost:port/name",
        "postgresql://user@localhost/name?unknown=1",
        "postgresql://user:per%cent@localhost/name",
        "postgresql+psycopg2://user@localhost/name",
        "postgresql://user:p#ss@localhost/name",
        "postgresql+psycopg2://user@localhost/name",
        "postgresql://user:p#ss@localhost/name",
    ],
    "SECRET_KEY": ["short", "x" * 50, "change-me-" * 5, "django-insecure-" + "0123456789" * 5],
    "SECRET_KEY_FALLBACKS": ["short", f"{GOOD['SECRET_KEY']}, {'x' * 50}"],
    "DEBUG": ["maybe"],
    "ALLOWED_HOSTS": [",", "*", "*.example.org", "https://example.org", "example.org:8000"],
    "CORS_ALLOWED_ORIGINS": [
        "*",
        "null",
        "example.org",
        "https://example.org/",
        "https://a b",
        "https://a.example:99999",
    ],
    "CSRF_TRUSTED_ORIGINS": ["*", "example.org", "https://example.org/path"],
    "ALGORITHM": ["none", "RS256", "hs256"],
    "ACCESS_TOKEN_EXPIRE_MINUTES": ["0", "soon", "1441"],
    "REFRESH_TOKEN_EXPIRE_DAYS": ["0", "91"],
    "PORT": ["0", "abc", "65536"],
    "WEB_CONCURRENCY": ["0", "1.5"],
    "DB_THREADS": ["0", "-1", "many"],
    "QUEUE_SIZE": ["0"],
    "DB_WAIT": ["-1"],
    "TRUSTED_PROXIES": ["-1", "all"],
    "THROTTLE": ["sometimes"],
    "LOG_LEVEL": ["loud"],
    "SLOW_REQUEST_MS": ["0", "slow"],
    "METRICS_TOKEN": ["short", "with some spaces in it"],
    "SENTRY_DSN": ["sentry.example.org", "https://sentry.example.org/1"],
    "OTEL_EXPORTER_OTLP_ENDPOINT": ["localhost:4318", "http://a b"],
    "REVISION": ["two words", "feature/x"],
}
PROGRAMS = [["-m", "gunicorn"], ["manage.py", "check"]]


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set variables on top of what has to be set; a developer's own, and files, are ignored."""
    monkeypatch.setitem(Environment.model_config, "env_file", None)
    monkeypatch.setitem(Environment.model_config, "secrets_dir", None)
    for name in Environment.model_fields:
        monkeypatch.delenv(name, raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def complaints() -> list[str]:
    """Return the lines with which the start stops."""
    with pytest.raises(SystemExit) as stop:
        read_environment()
    return str(stop.value).splitlines()


@pytest.mark.parametrize("name", Environment.model_fields)
def test_nonsense_is_refused_by_name_with_an_example(
    variables: pytest.MonkeyPatch, name: str
) -> None:
    for value in NONSENSE[name]:
        variables.setenv(name, value)
        (line,) = complaints()
        assert line.startswith(f"{name}: ")
        assert "Example: " in line


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("ALLOWED_HOSTS", ",", "must name one host at least"),
        ("LOG_LEVEL", "warn", "must be DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("METRICS_TOKEN", "short", "must be 16 characters or more, of ASCII"),
        ("SENTRY_DSN", "https://sentry.example.org/1", "must be the DSN that Sentry shows"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "must be a URL that starts with http"),
        ("DATABASE_URL", "postgresql+psycopg2://u@h/n", "the URL must start with postgresql://, "),
        ("DATABASE_URL", "postgresql://user:p#ss@h/n", "the URL is malformed, or has an unknown"),
    ],
)
def test_nonsense_is_answered_with_what_is_wanted(
    variables: pytest.MonkeyPatch, name: str, value: str, wanted: str
) -> None:
    variables.setenv(name, value)
    (line,) = complaints()
    assert line.startswith(f"{name}: {wanted}")
    assert ("percent-encoded, # as %23" in line) == ("#" in value)


def test_a_file_of_variables_that_is_missing_is_named(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ENV_FILE", "/nowhere/env")
    assert complaints() == ["ENV_FILE: /nowhere/env cannot be read. Example: /etc/socialapi/env"]
    variables.setenv("ENV_FILE", os.devnull)
    assert read_environment().ALLOWED_HOSTS == ["localhost"]


@pytest.mark.parametrize("name", GOOD)
def test_what_is_missing_or_empty_has_to_be_set(variables: pytest.MonkeyPatch, name: str) -> None:
    variables.setenv(name, "")
    assert [line.partition(".")[0] for line in complaints()] == [f"{name}: must be set"]
    variables.delenv(name)
    assert [line.partition(".")[0] for line in complaints()] == [f"{name}: must be set"]


def test_no_password_is_shown(variables: pytest.MonkeyPatch) -> None:
    for url in ("postgresql://user:hunter2%zz@h/n", "mysql://user:hunter2@h/n"):
        variables.setenv("DATABASE_URL", url)
        assert "hunter2" not in complaints()[0]


@pytest.mark.parametrize("name", ["SECRET_KEY", "SECRET_KEY_FALLBACKS"])
def test_p02_a_key_has_32_bytes_and_is_no_example(
    variables: pytest.MonkeyPatch, name: str
) -> None:
    variables.setenv(name, GOOD["SECRET_KEY"][:31])
    assert complaints()[0].startswith(f"{name}: must have at least 32 bytes. Example: ")
    variables.setenv(name, "change-me-" * 5)
    assert complaints()[0].startswith(f"{name}: must be random, not an example. Example: ")
    variables.setenv(name, GOOD["SECRET_KEY"])
    read_environment()


def test_the_revision_is_what_the_deployment_says(
    variables: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "REVISION"
    variables.setattr("socialapi.environment.REVISION_FILE", file)
    variables.delenv("HEROKU_BUILD_COMMIT", raising=False)
    assert read_environment().REVISION == ""
    variables.setenv("HEROKU_BUILD_COMMIT", "3F2A9C1")
    assert read_environment().REVISION == "3F2A9C1"
    file.write_text("v1.2.0\n")
    assert read_environment().REVISION == "v1.2.0"
    variables.setenv("REVISION", "mine")
    assert read_environment().REVISION == "mine"


def test_p02_a_longer_hash_needs_a_longer_key(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ALGORITHM", "HS512")
    assert complaints()[0].startswith("SECRET_KEY: must have at least 64 bytes")


def test_good_values_are_taken(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ALLOWED_HOSTS", "example.org, .example.net,127.0.0.1,[::1]")
    variables.setenv("CORS_ALLOWED_ORIGINS", "https://example.org, http://[::1]:3000,")
    variables.setenv("LOG_LEVEL", "warning")
    variables.setenv("SECRET_KEY_FALLBACKS", f"{'ab-cd' * 9}, {'ef-gh' * 9}")
    taken = read_environment()
    assert taken.ALLOWED_HOSTS == ["example.org", ".example.net", "127.0.0.1", "[::1]"]
    assert taken.CORS_ALLOWED_ORIGINS == ["https://example.org", "http://[::1]:3000"]
    assert taken.LOG_LEVEL == "WARNING"
    assert taken.SECRET_KEY_FALLBACKS == ["ab-cd" * 9, "ef-gh" * 9]
    assert not taken.DEBUG


@pytest.fixture
def secrets(variables: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which files stand for variables."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        variables.setitem(Environment.model_config, "secrets_dir", folder)
        yield folder


def test_a_secret_file_stands_for_a_variable_that_is_not_set(
    variables: pytest.MonkeyPatch, secrets: Path
) -> None:
    (secrets / "SECRET_KEY").write_text(f"{GOOD['SECRET_KEY']}-from-a-file\n")
    (secrets / "ALLOWED_HOSTS").write_text("of-the-file\n")
    (secrets / "DATABASE_URL").write_text("postgresql://user@of-the-file/name\n")
    variables.delenv("SECRET_KEY")
    variables.setenv("ALLOWED_HOSTS", "")

    taken = read_environment().model_dump()

    assert taken["SECRET_KEY"] == f"{GOOD['SECRET_KEY']}-from-a-file"
    assert taken["ALLOWED_HOSTS"] == ["of-the-file"]
    assert taken["DATABASE_URL"] == GOOD["DATABASE_URL"]


def test_nonsense_in_a_secret_file_is_refused_by_name(
    variables: pytest.MonkeyPatch, secrets: Path
) -> None:
    variables.delenv("SECRET_KEY")
    (secrets / "SECRET_KEY").write_text("short")
    assert complaints()[0].startswith("SECRET_KEY: must have at least 32 bytes. Example: ")


def test_a_secret_file_that_cannot_be_read_is_named(
    variables: pytest.MonkeyPatch, secrets: Path
) -> None:
    file = secrets / "SECRET_KEY"
    file.touch(mode=0o000)
    user = os.geteuid()
    # Root may read everything.
    os.seteuid(user or getpwnam("nobody").pw_uid)
    try:
        (line,) = complaints()
    finally:
        os.seteuid(user)
    assert line.startswith("SECRET_KEY: its file cannot be read ([Errno 13] Permission denied: ")
    assert line.endswith(f"'{file}'). Example: chmod a+r SECRET_KEY")

    file.write_bytes(b"\xff")
    (line,) = complaints()
    assert line.startswith("SECRET_KEY: its file cannot be read ('utf-8' codec can't decode")


@pytest.mark.parametrize(
    ("name", "value", "package"),
    [
        ("SENTRY_DSN", "https://key@sentry.example.org/1", "sentry-sdk"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318", "opentelemetry"),
    ],
)
def test_what_needs_a_package_that_is_missing_says_how_to_install_it(
    variables: pytest.MonkeyPatch, name: str, value: str, package: str
) -> None:
    variables.setenv(name, value)
    assert getattr(read_environment(), name) == value
    variables.setattr("sys.path", [])
    (line,) = complaints()
    assert line.startswith(f"{name}: {package}")
    assert "requirements/monitoring.txt" in line


@contextmanager
def run(program: list[str], folder: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program with these variables of the service, its output being read line by line."""
    others = {k: v for k, v in os.environ.items() if k not in Environment.model_fields}
    with subprocess.Popen(
        [sys.executable, *program],
        cwd=folder,
        env=others | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what reads the environment, without a developer's `.env`."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(BASE_DIR / "socialapi", folder / "socialapi")
    for name in ("manage.py", "gunicorn.conf.py"):
        shutil.copy(BASE_DIR / name, folder)
    return folder


@pytest.mark.parametrize("program", PROGRAMS, ids=" ".join)
@pytest.mark.parametrize(
    ("given", "named"),
    [({}, GOOD), ({name: values[0] for name, values in NONSENSE.items()}, NONSENSE)],
    ids=["nothing set", "nonsense"],
)
def test_every_bad_variable_is_named_at_once(
    checkout: Path, program: list[str], given: dict[str, str], named: dict[str, object]
) -> None:
    with run(program, checkout, **given) as process:
        lines = process.communicate(timeout=PATIENCE_SECONDS)[0].splitlines()
    assert process.returncode == 1
    assert {line.partition(":")[0] for line in lines} == set(named)
    assert len(lines) == len(named)
    assert all("Example: " in line for line in lines)


def test_the_start_waits_for_the_database(committed: None) -> None:
    door = Door()
    door.shut()
    values = server_environment(DATABASE_URL=database_url(door.port), DB_WAIT="60")
    with run(["-m", "gunicorn", "--bind", "127.0.0.1:0"], BASE_DIR, **values) as process:
        assert process.stdout
        assert any("Waiting up to 60 seconds" in line for line in process.stdout)
        door = Door(door.port)
        assert any("Listening at" in line for line in process.stdout)
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)
    door.shut()


def test_the_start_gives_up_on_the_database(committed: None) -> None:
    door = Door()
    door.shut()
    values = server_environment(DATABASE_URL=database_url(door.port), DB_WAIT="1")
    with run(["-m", "gunicorn", "--bind", "127.0.0.1:0"], BASE_DIR, **values) as process:
        lines = process.communicate(timeout=PATIENCE_SECONDS)[0].splitlines()
    assert process.returncode == 1
    assert lines[-1].startswith("DATABASE_URL: no database after 1 seconds: ")
    assert sum("Waiting up to 1 seconds" in line for line in lines) == 1
    assert "Traceback" not in "".join(lines)
