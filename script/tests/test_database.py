"""The database for development: its letters, who shares it, and what a kill leaves behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg2
import pytest

from script import database

# Starts a server, says so, and waits to be killed.
SCRIPT = """
import sys, time
from pathlib import Path
from script import database
with database.running(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where a cluster may be made."""
    return tmp_path / "a folder" / "postgres"


def run(url: str, statement: str) -> Any:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)
        return cursor.fetchone() if cursor.description else None


def kill(data: Path) -> None:
    os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


def test_letters_of_any_script_have_case(data: Path) -> None:
    with database.running(data) as server:
        assert run(server.url, "SELECT 'É' ILIKE 'é', 'ΣΊΣ' ILIKE 'σίσ'") == (True, True)
        assert run(server.url, "SELECT 'ПРИВЕТ' ILIKE 'привет'") == (True,)


def test_who_comes_second_joins_and_leaves_it_running(data: Path) -> None:
    with database.running(data) as first:
        with database.running(data) as second:
            assert second.url == first.url
            assert second.is_alive()
        assert run(first.url, "SELECT 1") == (1,)
    assert not second.is_alive()


def test_a_killed_server_is_noticed_and_starts_again(data: Path) -> None:
    with database.running(data) as server:
        run(server.url, "CREATE TABLE kept ()")
        kill(data)
        while server.is_alive():
            time.sleep(0.01)
    assert (data / "postmaster.pid").exists()
    with database.running(data) as server:
        assert run(server.url, "SELECT count(*) FROM kept") == (0,)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it outlives the script")
def test_a_killed_script_takes_its_server_along(data: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout
        url = script.stdout.readline().strip()
        with database.running(data) as joined:
            assert joined.url == url
            script.kill()
            while joined.is_alive():
                time.sleep(0.01)
    # All that a kill leaves behind is the folder of the socket, which is empty.
    Path(unquote(url.rpartition("@")[2].rpartition("/")[0])).rmdir()


def test_data_of_another_version_is_told_apart(data: Path) -> None:
    with database.running(data):
        pass
    (data / "PG_VERSION").write_text("17\n")
    with (
        pytest.raises(database.DatabaseError, match="initialized by PostgreSQL version 17"),
        database.running(data),
    ):
        pass
