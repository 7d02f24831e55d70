"""What deploy/ubuntu/test runs, where nothing else is: from the first install to a restore.

Each function is a step, and begins where the one before it ended.
"""

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.tests.clients import CERTIFICATE, HOST, Caller, Client, Watcher, running
from deploy.tests.systemd import UNITS, Systemd

CLONE = Path("/run/clone")
SCRIPTS = CLONE / "deploy" / "ubuntu"
BASE = Path("/srv/socialapi")
ENVIRONMENT = Path("/etc/socialapi/env")
BACKUPS = Path("/var/backups/socialapi")
CLIENTS = 8
MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("posts", "{last}")]
    operations = [
        migrations.AddField("post", "mood", models.TextField(db_default="fine")),
        migrations.RunSQL("CREATE INDEX ON posts_post (mood)", migrations.RunSQL.noop),
    ]
"""


def run(*command: str | Path) -> str:
    """Run a command that has to succeed, and return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def fail(*command: str | Path) -> str:
    """Run a command that has to fail, and return what it says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stderr


def sql(query: str, database: str = "socialapi") -> list[str]:
    """Ask the database itself."""
    return run(
        *("runuser", "-u", "postgres", "--", "psql", "-qtA", "-d", database, "-c", query)
    ).splitlines()


def version_in_service() -> str:
    """What the API says of itself."""
    return str(Caller("127.0.0.1").ask("GET", "/openapi.json").json()["info"]["version"])


def commit(tag: str, file: str, pattern: str, replacement: str) -> None:
    """Make a new version of the project, with one change."""
    path = CLONE / file
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1, f"{file} has no {pattern}"
    path.write_text(text)
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    run("git", "-C", CLONE, "add", ".")
    run("git", "-C", CLONE, *author, "commit", "--quiet", "--message", tag)
    run("git", "-C", CLONE, "tag", tag)


def revert(tag: str) -> None:
    """Go back to a version in the clone."""
    run("git", "-C", CLONE, "reset", "--quiet", "--hard", tag)


def says_what_comes_first() -> None:
    for script in ("manage", "backup", "restore", "rollback", "upgrade"):
        assert "Begin with: sudo deploy/ubuntu/install" in fail(SCRIPTS / script)
    assert "restore FILE" in run(SCRIPTS / "restore", "--help")


def installs() -> None:
    # What an installation leaves that is interrupted at the wrong moment.
    ENVIRONMENT.parent.mkdir()
    ENVIRONMENT.touch()
    run(SCRIPTS / "install", HOST.upper())
    assert f"ALLOWED_HOSTS={HOST}," in ENVIRONMENT.read_text()
    assert Caller("127.0.0.1").ask("GET", "/health/ready").json() == {"status": "ok"}


def installs_again_without_changing_a_thing() -> None:
    before = ENVIRONMENT.read_text(), Path(CERTIFICATE).read_text(), (BASE / "current").resolve()
    run(SCRIPTS / "install", HOST)
    after = ENVIRONMENT.read_text(), Path(CERTIFICATE).read_text(), (BASE / "current").resolve()
    assert before == after
    assert Caller("127.0.0.1").ask("GET", "/health/ready").status == 200


def explains_what_is_wrong() -> None:
    assert "Usage: install DOMAIN" in fail(SCRIPTS / "install", "https://api.example.org")
    assert "neither an archive nor a commit" in fail(SCRIPTS / "upgrade", "v99")
    assert "Usage: upgrade" in fail(SCRIPTS / "upgrade", "--all")
    assert "no such release" in fail(SCRIPTS / "rollback", "v99")
    assert "Name a backup" in fail(SCRIPTS / "restore", "/nowhere.dump")


def has_units_that_systemd_accepts() -> None:
    units = sorted(UNITS.glob("socialapi*.*[a-z]"))
    names = [unit.name for unit in units if unit.is_file()]
    assert len(names) == 7
    done = subprocess.run(
        ["systemd-analyze", "verify", *names], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    for name in names:
        if name.endswith(".service"):
            # The score of what can be reached, out of 100: 20 is well protected.
            run("systemd-analyze", "security", "--offline=true", "--threshold=20", name)


def keeps_secrets_and_code_from_others() -> None:
    assert ENVIRONMENT.stat().st_mode & 0o777 == 0o640
    assert BACKUPS.stat().st_mode & 0o777 == 0o700
    code = run("find", BASE, "-not", "-user", "root")
    assert not code, code
    writable = run(
        "runuser", "-u", "socialapi", "--", "find", BASE, "!", "-type", "l", "-writable"
    )
    assert not writable, writable


def leads_plain_http_to_https() -> None:
    connection = http.client.HTTPConnection(HOST)
    connection.request("POST", "/posts?x=1")
    response = connection.getresponse()
    assert response.status == 308
    assert response.headers["Location"] == f"https://{HOST}/posts?x=1"


def answers_to_its_own_name_alone() -> None:
    context = ssl.create_default_context(cafile=CERTIFICATE)
    with socket.create_connection((HOST, 443)) as plain:
        try:
            context.wrap_socket(plain, server_hostname="localhost")
        except ssl.SSLError as error:
            reason = error.reason
        else:
            reason = "none"
    assert "UNRECOGNIZED_NAME" in reason, reason


def refuses_large_bodies_in_the_shape_of_all_errors() -> None:
    answer = Caller("127.0.0.1").ask("POST", "/users", {"email": "x" * 2**20})
    assert answer.status == 413
    assert answer.is_problem, answer
    assert Caller("127.0.0.1").ask("POST", "/users", {"email": "x" * 2**19}).status == 400


def refuses_what_is_not_http_in_the_shape_of_all_errors() -> None:
    caller = Caller("127.0.0.1")
    answers = [caller.ask("TRACE", "/"), caller.ask("GET", "/", X_Long="x" * 9000)]
    assert [answer.status for answer in answers] == [405, 431]
    assert all(answer.is_problem for answer in answers)
    caller.connection.connect()
    caller.connection.sock.sendall(b"NONSENSE\r\n\r\n")
    response = http.client.HTTPResponse(caller.connection.sock)
    response.begin()
    assert response.status == 400
    assert json.loads(response.read())["title"] == "Bad Request"


def refuses_the_same_by_http_2() -> None:
    large = Path("/run/large")
    large.write_bytes(b"x" * 2**21)
    problem = "application/problem+json"
    for options, answer in (
        (["--data-binary", f"@{large}", f"https://{HOST}/users"], f"2 413 {problem}"),
        ([f"https://{HOST}/posts?search={'x' * 9000}"], f"2 414 {problem}"),
        (["--header", f"X-Long: {'x' * 9000}", f"https://{HOST}/health/live"], "2 200"),
    ):
        said = run(
            *("curl", "--silent", "--http2", "--cacert", CERTIFICATE, "--output", "/dev/null"),
            *("--write-out", "%{http_version} %{http_code} %{content_type}", *options),
        )
        assert said.startswith(answer), said


def believes_nobody_about_where_he_is() -> None:
    who = {"email": "ada@example.org", "password": "lovelace-1815"}
    assert Caller("127.0.3.1").ask("POST", "/users", who).status == 201
    wrong = who | {"password": "wrong"}
    statuses = [
        Caller("127.0.3.1")
        .ask("POST", "/login", wrong, X_Forwarded_For=f"10.0.0.{n}", X_Real_IP=f"10.0.0.{n}")
        .status
        for n in range(11)
    ]
    assert statuses == [401] * 10 + [429]
    # The owner is elsewhere.
    assert Caller("127.0.3.2").ask("POST", "/login", who).status == 200


def limits_floods_by_client() -> None:
    # Two addresses of one household.
    callers = [Caller("fd00:0:0:1::1"), Caller("fd00:0:0:1::2")]
    answers = [callers[n % 2].ask("GET", "/health/live") for n in range(600)]
    refused = [answer for answer in answers if answer.status == 429]
    print(f"   {Counter(answer.status for answer in answers)}")
    assert refused
    assert all(answer.is_problem for answer in refused)
    assert refused[0].headers["Retry-After"] == "1"
    assert Caller("fd00:0:0:2::1").ask("GET", "/health/live").status == 200


def begin_slowly() -> socket.socket:
    """Send the beginning of a request."""
    caller = Caller("127.0.0.1")
    caller.connection.connect()
    caller.connection.sock.sendall(b"GET / HTTP/1.1\r\nHost: api.example.org\r\n")
    return caller.connection.sock


def upgrades_without_a_failed_request(clients: list[Client], watcher: Watcher) -> None:
    slow = begin_slowly()
    last = max((CLONE / "posts" / "migrations").glob("0*.py")).stem
    (CLONE / "posts" / "migrations" / "9999_mood.py").write_text(MIGRATION.format(last=last))
    commit("v2", "socialapi/settings.py", '"VERSION": "[^"]*"', '"VERSION": "2.0.0"')
    seen = len(watcher.titles)
    run(SCRIPTS / "upgrade")
    assert version_in_service() == "2.0.0"
    assert (BASE / "current" / "REVISION").read_text() == "v2\n"
    assert sql("SELECT count(*) > 0 FROM posts_post WHERE mood = 'fine'") == ["t"]
    assert_unharmed(clients, watcher)
    assert len(watcher.titles) > seen
    assert not slow.recv(1000), "a client that never finishes its headers is still there"


def leaves_the_service_alone_if_the_new_version_does_not_start(
    clients: list[Client], watcher: Watcher
) -> None:
    commit("v3", "socialapi/asgi.py", "import django", "import nothing_like_this")
    said = fail(SCRIPTS / "upgrade", "v3")
    assert "nothing_like_this" in said
    assert "v3 does not start" in said, said
    assert (BASE / "current").resolve().name == "v2"
    assert_unharmed(clients, watcher)
    revert("v2")


def goes_back_if_the_new_version_is_not_ready(clients: list[Client], watcher: Watcher) -> None:
    commit(
        "v4", "socialapi/health.py", "executor = Migra", 'raise ServiceUnavailable("x")  # Migra'
    )
    archive = "/run/v4.tar.gz"
    run("git", "-C", CLONE, "archive", "--output", archive, "v4")
    assert "v4 was not ready, so v2 is in service again" in fail(SCRIPTS / "upgrade", archive)
    assert version_in_service() == "2.0.0"
    assert_unharmed(clients, watcher)
    revert("v2")


def rolls_back_and_forward(clients: list[Client], watcher: Watcher) -> None:
    run(BASE / "current" / "deploy" / "ubuntu" / "rollback")
    assert version_in_service() != "2.0.0"
    run(BASE / "current" / "deploy" / "ubuntu" / "rollback")
    assert version_in_service() == "2.0.0"
    assert_unharmed(clients, watcher)


def keeps_what_a_rollback_needs(clients: list[Client], watcher: Watcher) -> None:
    archive = Path("/run/v1.tar.gz")
    run("tar", "-czf", archive, "-C", CLONE, "README.md")
    assert "does not hold manage.py" in fail(SCRIPTS / "upgrade", archive)
    assert {release.name for release in (BASE / "releases").iterdir()} == {"v1", "v2"}
    rolls_back_and_forward(clients, watcher)


def puts_pgbouncer_in_between(clients: list[Client], watcher: Watcher) -> None:
    run(SCRIPTS / "install", HOST, "--pgbouncer")
    watched = sum(client.answers for client in clients) + 200
    while sum(client.answers for client in clients) < watched:
        time.sleep(0.1)
    assert_unharmed(clients, watcher)
    pooler = ("runuser", "-u", "socialapi", "--", "psql", "-qtA", "-h", "/run/socialapi-pgbouncer")
    pools = run(*pooler, "-p", "6432", "-c", "SHOW STATS_TOTALS", "pgbouncer")
    assert any(row.startswith("socialapi|") for row in pools.splitlines()), pools
    timeout = run(*pooler, "-p", "6432", "-c", "SHOW statement_timeout", "socialapi")
    assert timeout == "25s\n"


def assert_unharmed(clients: list[Client], watcher: Watcher) -> None:
    """Nobody was let down so far."""
    failures = [failure for client in clients for failure in client.failures]
    assert not failures, failures[:5]
    assert not watcher.failures, watcher.failures[:5]
    count = sum(client.answers for client in clients)
    slowest = max(client.slowest for client in clients)
    print(
        f"   {count} requests so far, none failed; the slowest since the last step took "
        f"{slowest:.1f} s; {watcher.streams} streams one after the other"
    )
    for client in clients:
        client.slowest = 0


def has_what_the_ledgers_say(clients: list[Client], watcher: Watcher) -> None:
    titles = Counter(sql("SELECT title FROM posts_post"))
    ledger = {title: there for client in clients for title, there in client.ledger.items()}
    assert len(ledger) > 100
    for title, is_there in ledger.items():
        assert titles[title] == int(is_there), title
    deadline = time.monotonic() + 20
    while (missed := set(titles) - watcher.titles) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not missed, f"the stream did not tell of {missed}"
    print(f"   {len(ledger)} posts, {sum(ledger.values())} of them left, all told of")


def backs_up() -> None:
    for _ in range(2):
        run("systemctl", "start", "socialapi-backup.service")
        time.sleep(1)
    assert len(list(BACKUPS.iterdir())) == 2
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in BACKUPS.iterdir())
    mine = BACKUPS / "before-import.dump"
    mine.touch()
    run("env", "COPIES=1", SCRIPTS / "backup")
    assert len(list(BACKUPS.iterdir())) == 2
    mine.unlink()


def restores() -> None:
    before = snapshot()
    caller = Caller("127.0.0.1")
    caller.log_in("late")
    for number in range(3):
        assert (
            caller.ask("POST", "/posts", {"title": f"late-{number}", "content": "x"}).status == 201
        )
    sql("DELETE FROM posts_post WHERE title LIKE 'client1-%'")
    assert snapshot() != before
    began = time.monotonic()
    said = run(SCRIPTS / "restore", max(BACKUPS.iterdir()))
    print(f"   restored in {time.monotonic() - began:.0f} s")
    assert snapshot() == before
    assert caller.ask("GET", "/posts").status == 401, "someone who signed up later is still there"
    old = re.search(r"dropdb (\w+)", said)
    assert old
    assert sql("SELECT count(*) FROM posts_post WHERE title LIKE 'late-%'", old[1]) == ["3"]
    assert Caller("127.0.0.1").ask("GET", "/health/ready").status == 200


def snapshot() -> list[str]:
    """Return all users, posts and votes."""
    tables = ("accounts_user", "posts_post", "votes_vote")
    return [row for table in tables for row in sql(f"TABLE {table} ORDER BY id")]


def refuses_a_backup_whose_counts_are_wrong() -> None:
    before = snapshot()
    sql("ALTER TABLE posts_post DISABLE TRIGGER USER; UPDATE posts_post SET vote_count = 7")
    wrong = BACKUPS / "wrong.dump"
    wrong.write_bytes(
        subprocess.run(
            ["runuser", "-u", "postgres", "--", "pg_dump", "-Fc", "socialapi"],
            capture_output=True,
            check=True,
        ).stdout
    )
    sql("ALTER TABLE posts_post ENABLE TRIGGER USER")
    now = snapshot()
    assert now != before
    assert "to repair the counts" in fail(SCRIPTS / "restore", wrong)
    assert snapshot() == now
    assert sql("SELECT datname FROM pg_database WHERE datname LIKE 'socialapi_new_%'") == []


def respects_a_database_elsewhere() -> None:
    own = ENVIRONMENT.read_text()
    other = re.sub("DATABASE_URL=.*", "DATABASE_URL=postgresql://me@127.0.0.1:9/other", own)
    ENVIRONMENT.write_text(other)
    for command in (["backup"], ["restore", "x.dump"], ["install", HOST, "--pgbouncer"]):
        assert "is not this machine's own database" in fail(SCRIPTS / command[0], *command[1:])
    assert "port 9 failed" in fail(SCRIPTS / "manage", "migrate")
    assert ENVIRONMENT.read_text() == other
    ENVIRONMENT.write_text(own)


def installs_what_sentry_needs() -> None:
    with ENVIRONMENT.open("a") as settings:
        settings.write("SENTRY_DSN=https://key@127.0.0.1/1\n")
    commit("v5", "socialapi/settings.py", '"VERSION": "[^"]*"', '"VERSION": "5.0.0"')
    run(SCRIPTS / "upgrade", "v5")
    assert version_in_service() == "5.0.0"


def take(step: Callable[..., None], *cast: Any) -> None:
    """Take a step, and say so."""
    print(f"-- {step.__name__.replace('_', ' ')}", flush=True)
    began = time.monotonic()
    step(*cast)
    print(f"   {time.monotonic() - began:.1f} s", flush=True)


def main() -> None:
    """Take all steps."""
    folder = Path("/run/systemd-stand-in")
    Systemd(folder)
    os.environ["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
    for step in (
        says_what_comes_first,
        installs,
        installs_again_without_changing_a_thing,
        explains_what_is_wrong,
        has_units_that_systemd_accepts,
        keeps_secrets_and_code_from_others,
        leads_plain_http_to_https,
        answers_to_its_own_name_alone,
        refuses_large_bodies_in_the_shape_of_all_errors,
        refuses_what_is_not_http_in_the_shape_of_all_errors,
        refuses_the_same_by_http_2,
        believes_nobody_about_where_he_is,
        limits_floods_by_client,
    ):
        take(step)
    clients, watcher = [Client(number) for number in range(1, CLIENTS + 1)], Watcher()
    while not watcher.streams:
        time.sleep(0.01)
    with running(clients):
        for step_under_load in (
            upgrades_without_a_failed_request,
            leaves_the_service_alone_if_the_new_version_does_not_start,
            goes_back_if_the_new_version_is_not_ready,
            rolls_back_and_forward,
            keeps_what_a_rollback_needs,
            puts_pgbouncer_in_between,
        ):
            take(step_under_load, clients, watcher)
    take(has_what_the_ledgers_say, clients, watcher)
    for step in (
        backs_up,
        restores,
        refuses_a_backup_whose_counts_are_wrong,
        respects_a_database_elsewhere,
        installs_what_sentry_needs,
    ):
        take(step)


if __name__ == "__main__":
    main()
