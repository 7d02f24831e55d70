"""A deployment to a server by SSH; `ssh` and `sudo` are stand-ins that run what they are given."""

import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from socialapi.environment import BASE_DIR

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def make_program(path: Path, script: str) -> None:
    """Write a shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Where a server has its current release, and notes what happens to it in `log`."""
    release = tmp_path / "current"
    (release / "deploy/github").mkdir(parents=True)
    shutil.copy(BASE_DIR / "deploy/github/receive", release / "deploy/github")
    keep = f'cp "$1" {tmp_path}; echo "upgrade ${{1##*/}}" >>{tmp_path}/log'
    make_program(release / "deploy/ubuntu/upgrade", keep)
    make_program(release / "deploy/ubuntu/rollback", f"echo rollback >>{tmp_path}/log")
    make_program(tmp_path / "bin/sudo", 'shift; exec "$@"')
    # What follows the host is the command.
    key = 'while [ "$1" != deploy@server ]; do [ "$1" = -i ] && cp "$2" key; shift; done; shift'
    command = f'SSH_ORIGINAL_COMMAND="$*" exec {release}/deploy/github/receive'
    make_program(tmp_path / "bin/ssh", f"cd {tmp_path}; {key}; {command}")
    return tmp_path


class Ready(BaseHTTPRequestHandler):
    """A service that is ready, and has nothing else."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()


@pytest.fixture
def site() -> Iterator[str]:
    """The address of a service that is ready."""
    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def log(machine: Path) -> list[str]:
    """Return what has happened on the server."""
    path = machine / "log"
    return path.read_text().splitlines() if path.exists() else []


def deploy(machine: Path, url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Deploy to the server."""
    environment = {
        "HOME": str(machine),
        "PATH": f"{machine}/bin:{os.environ['PATH']}",
        "HEALTH_RETRIES": "0",
        "SSH_HOST": "deploy@server",
        "SSH_PRIVATE_KEY": "the private key",
        "SSH_KNOWN_HOSTS": "server ssh-ed25519 AAAA",
        "TMPDIR": str(machine),
        "UBUNTU_URL": url,
        **variables,
    }
    return subprocess.run(
        [BASE_DIR / "deploy/github/ubuntu"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def receive(machine: Path, command: str) -> int:
    """Ask the server for something, as GitHub's key does, and return the exit code."""
    environment = {"SSH_ORIGINAL_COMMAND": command, "PATH": f"{machine}/bin:{os.environ['PATH']}"}
    program = machine / "current/deploy/github/receive"
    return subprocess.run([program], env=environment, input=b"archive", check=False).returncode


def test_the_commit_reaches_the_server(machine: Path, site: str) -> None:
    done = deploy(machine, site)

    assert done.returncode == 0, done.stderr
    (line,) = log(machine)
    name = line.removeprefix("upgrade ")
    with tarfile.open(machine / name) as archive:
        assert {"manage.py", "deploy/github/receive"} <= set(archive.getnames())
    assert (machine / "key").read_text() == "the private key\n"
    assert not list(machine.glob("tmp.*")), "the key was left behind"
    assert "the private key" not in done.stdout + done.stderr


def test_what_does_not_get_ready_is_rolled_back(machine: Path) -> None:
    done = deploy(machine, "http://127.0.0.1:1")

    assert done.returncode == 1
    assert [line.split()[0] for line in log(machine)] == ["upgrade", "rollback"]
    assert "Rolled back." in done.stderr


def test_a_failed_upgrade_is_not_rolled_back_again(machine: Path, site: str) -> None:
    make_program(machine / "current/deploy/ubuntu/upgrade", "exit 3")

    assert deploy(machine, site).returncode == 3

    assert log(machine) == []


def test_what_has_to_be_set_is_said(machine: Path) -> None:
    done = deploy(machine, "https://api.example.org", SSH_KNOWN_HOSTS="")

    assert done.returncode != 0
    assert "SSH_KNOWN_HOSTS: has to be set" in done.stderr
    assert log(machine) == []


@pytest.mark.parametrize(
    "command",
    [
        "",
        "bash",
        "upgrade",
        "upgrade ../../etc/passwd",
        f"upgrade {COMMIT} twice",
        f"upgrade {COMMIT};reboot",
        "rollback everything",
    ],
)
def test_the_key_opens_nothing_else(machine: Path, command: str) -> None:
    assert receive(machine, command) == 2

    assert log(machine) == []


def test_the_key_opens_both(machine: Path) -> None:
    assert receive(machine, f"upgrade {COMMIT}") == 0
    assert receive(machine, "rollback") == 0

    assert log(machine) == [f"upgrade {COMMIT}.tar.gz", "rollback"]
    assert (machine / f"{COMMIT}.tar.gz").read_bytes() == b"archive"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["api.example.org"]])
def test_waiting_needs_an_address(arguments: list[str]) -> None:
    program = BASE_DIR / "deploy/github/wait-healthy"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (2, "Usage: wait-healthy https://api.example.org\n")
