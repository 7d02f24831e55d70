"""The files that deploy the service fit it."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from socialapi.environment import BASE_DIR, Environment

SERVICES: dict[str, Any] = {
    f"{name} in {file}": service
    for file in ("compose.yml", "compose.prod.yml")
    for name, service in yaml.safe_load((BASE_DIR / file).read_text())["services"].items()
    if name in {"api", "migrate"}
}
HEROKU: dict[str, Any] = json.loads((BASE_DIR / "app.json").read_text())["env"]
# What libpq and Heroku read.
OTHERS = {"PGSSLMODE", "DISABLE_COLLECTSTATIC"}


@pytest.mark.parametrize("name", SERVICES)
def test_compose_sets_variables_of_the_service(name: str) -> None:
    secrets = [
        secret["target"] if isinstance(secret, dict) else secret
        for secret in SERVICES[name].get("secrets", [])
    ]
    given = {*SERVICES[name].get("environment", {}), *secrets}
    assert given
    assert given <= set(Environment.model_fields)


def test_heroku_gets_all_that_has_no_default() -> None:
    required = {name for name, field in Environment.model_fields.items() if field.is_required()}
    # The database's comes from the add-on.
    assert required - {"DATABASE_URL"} <= set(HEROKU)
    assert set(HEROKU) - OTHERS <= set(Environment.model_fields)


def test_heroku_gets_good_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for files in ("env_file", "secrets_dir"):
        monkeypatch.setitem(Environment.model_config, files, None)
    for name in Environment.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgres://user:password@host:5432/name")
    for name, variable in HEROKU.items():
        monkeypatch.setenv(name, variable.get("value", "generated-0123456789-0123456789-ab"))
    taken = Environment()
    assert taken.ALLOWED_HOSTS == [".herokuapp.com"]
    # The smallest database allows 20 connections, of which the release takes one.
    assert 2 * taken.WEB_CONCURRENCY * taken.DB_THREADS < 20


def test_docker_and_heroku_run_the_same_python() -> None:
    wanted = (BASE_DIR / ".python-version").read_text().strip()
    images = re.findall(r"FROM python:(\d+\.\d+)\.", (BASE_DIR / "Dockerfile").read_text())
    assert images == [wanted]


class Live(BaseHTTPRequestHandler):
    """A service that lives, for those who name its host."""

    def do_GET(self) -> None:
        """Answer."""
        asked = self.path, self.headers["Host"]
        self.send_response(200 if asked == ("/health/live", "api.example.org") else 400)
        self.end_headers()


@pytest.mark.parametrize("place", ["variable", "file", "nowhere"])
def test_the_image_is_healthy_wherever_its_hosts_come_from(tmp_path: Path, place: str) -> None:
    text = (BASE_DIR / "Dockerfile").read_text().replace("\\\n", "")
    (command,) = re.findall(r"^HEALTHCHECK .*CMD (.*)$", text, re.MULTILINE)
    hosts = ".api.example.org,localhost"
    if place == "file":
        (tmp_path / "ALLOWED_HOSTS").write_text(f"{hosts}\n")
    with HTTPServer(("127.0.0.1", 0), Live) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        done = subprocess.run(
            [sys.executable, *json.loads(command)[1:]],
            env={
                "ALLOWED_HOSTS": hosts if place == "variable" else "",
                "SECRETS_DIR": str(tmp_path),
                "PORT": str(server.server_port),
            },
            capture_output=True,
            check=False,
        )
        server.shutdown()
        thread.join()
    assert done.returncode == (1 if place == "nowhere" else 0), done.stderr
