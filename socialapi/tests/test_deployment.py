"""The files that deploy the service name only variables that it reads."""

import json
import re
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
