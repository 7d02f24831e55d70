"""What the scripts beside this file run: the server, the tests and management commands.

Without DATABASE_URL they use a PostgreSQL of their own.
"""

import http.client
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from dotenv import dotenv_values

from script import child, database

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
MANAGE = [sys.executable, str(ROOT / "manage.py")]
SEED = ["seed", "--if-empty", "-v0"]
SEED_PASSWORD = "correct-horse-42"  # noqa: S105 - of invented people
# Seconds for open requests to finish; gunicorn itself stops waiting before.
PATIENCE = 15


class Stopped(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)


class ScriptError(Exception):
    """The message is all that the developer needs to know."""


def main() -> int:
    """Run the command named by the first argument with the others, and return the exit code."""
    command, *arguments = sys.argv[1:]
    stop_on_signals()
    try:
        match command:
            case "server":
                code = serve()
            case "manage":
                code = manage(arguments)
            case "test":
                code = test(arguments)
            case "with-database":
                code = with_temporary_database(arguments)
            case "with-server":
                code = with_temporary_server(arguments)
            case _:
                raise ScriptError(f"There is no command {command}.")
        return code
    except (ScriptError, database.DatabaseError) as error:
        print(error, file=sys.stderr)
    except PermissionError as error:
        print(f"{error.filename} belongs to another user.", file=sys.stderr)
    except Stopped as stopped:
        return 0 if command == "server" else 128 + stopped.signal
    return 1


def stop_on_signals() -> None:
    """Turn the first signal to end into `Stopped`, and ignore those that follow."""
    numbers = {signal.SIGINT, signal.SIGTERM}
    # Under nohup the closing of the terminal is to be survived.
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.add(signal.SIGHUP)

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    for number in numbers:
        signal.signal(number, stop)


def serve() -> int:
    """Run the server until a signal comes or a part of it breaks."""
    environment = developers_environment()
    port = free_port(environment["PORT"])
    with developers_database(environment) as postgres:
        LOCAL.mkdir(exist_ok=True)
        with database.exclusive(LOCAL):
            if not is_ready(environment):
                return 1
            prepare("migrate", "-v0", environment=environment)
            if postgres:
                prepare(*SEED, environment=environment)
        gunicorn = child.start(
            [sys.executable, "-m", "gunicorn"],
            signal.SIGINT,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        stop = signal.SIGTERM
        answers = False
        try:
            wait_until_it_answers(gunicorn, port)
            answers = True
            print(welcome(port, environment if postgres else None), flush=True)
            while gunicorn.poll() is None:
                if postgres and not postgres.is_alive():
                    raise ScriptError("The database has ended, and so does the server.")
                time.sleep(0.2)
        except Stopped as stopped:
            # Ctrl-C need not wait for a browser that keeps its connection open.
            if answers and stopped.signal == signal.SIGINT:
                stop = signal.SIGINT
            raise
        finally:
            child.end(gunicorn, stop, PATIENCE)
        raise ScriptError(f"The server has ended with code {gunicorn.returncode}.")


def manage(arguments: Sequence[str]) -> int:
    """Run a management command in the server's environment."""
    environment = developers_environment()
    with developers_database(environment):
        return in_foreground([*MANAGE, *arguments], signal.SIGTERM, environment)


def test(arguments: Sequence[str]) -> int:
    """Run pytest, on all cores unless the arguments forbid it."""
    environment = os.environ | {
        "DEBUG": "0",
        # A developer's `.env` is not for the tests.
        "ENV_FILE": os.devnull,
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "SECRET_KEY": secrets.token_urlsafe(50),
    }
    in_one_process = ("-n", "--numprocesses", "--pdb", "--trace", "no:xdist", "-pno:xdist")
    if not any(argument.startswith(in_one_process) for argument in arguments):
        arguments = ["-n", "logical", *arguments]
    with temporary_database(environment):
        # pytest cleans up after an interrupt, and only then.
        return in_foreground(
            [sys.executable, "-m", "pytest", *arguments], signal.SIGINT, environment, cwd=ROOT
        )


def with_temporary_database(command: Sequence[str]) -> int:
    """Run a command with DATABASE_URL naming a database that is removed afterwards."""
    environment = dict(os.environ)
    with temporary_database(environment):
        return in_foreground(command, signal.SIGTERM, environment)


def with_temporary_server(command: Sequence[str]) -> int:
    """Run a command with API_URL naming a server that has a new database of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with database.temporary() as postgres:
        environment = os.environ | {
            "DATABASE_URL": postgres.url,
            "DEBUG": "0",
            "ENV_FILE": os.devnull,
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "LOG_LEVEL": "WARNING",
        }
        prepare("migrate", "-v0", environment=environment)
        gunicorn = child.start(
            [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"],
            signal.SIGTERM,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        try:
            wait_until_it_answers(gunicorn, port)
            if gunicorn.poll() is not None:
                raise ScriptError(f"The server has ended with code {gunicorn.returncode}.")
            url = f"http://127.0.0.1:{port}"
            return in_foreground(command, signal.SIGTERM, os.environ | {"API_URL": url})
        finally:
            child.end(gunicorn, signal.SIGTERM, PATIENCE)


def developers_environment() -> dict[str, str]:
    """Return the environment, completed from `.env`, completed with what suits development."""
    dotenv = {name: value for name, value in dotenv_values(ROOT / ".env").items() if value}
    defaults = {"DEBUG": "1", "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]", "PORT": "8000"}
    environment = defaults | dotenv | os.environ
    if not environment.get("SECRET_KEY"):
        environment["SECRET_KEY"] = secret_key()
    return environment


def secret_key() -> str:
    """Return a key of this checkout's own, the same every time."""
    path = LOCAL / "secret_key"
    if not path.exists():
        LOCAL.mkdir(exist_ok=True)
        new = LOCAL / f"secret_key.{os.getpid()}"
        new.touch(mode=0o600)
        new.write_text(secrets.token_urlsafe(50))
        new.rename(path)
    return path.read_text()


def free_port(text: str) -> int:
    """Return the port's number, or raise `ScriptError` if no server can open it."""
    try:
        port = int(text)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("", port))
    except (ValueError, OverflowError):
        raise ScriptError(f"PORT is {text}, which is not a port's number.") from None
    except OSError as error:
        raise ScriptError(
            f"Port {port} cannot be used ({error.strerror}): set PORT to another one."
        ) from None
    return port


@contextmanager
def developers_database(environment: dict[str, str]) -> Iterator[database.Server | None]:
    """Set DATABASE_URL where it is unset, and yield the server that was started for it."""
    if environment.get("DATABASE_URL"):
        yield None
        return
    with database.running(LOCAL / "postgres") as server:
        environment["DATABASE_URL"] = server.url
        yield server


@contextmanager
def temporary_database(environment: dict[str, str]) -> Iterator[None]:
    """Set DATABASE_URL where it is unset, to a database that is removed afterwards."""
    if environment.get("DATABASE_URL"):
        yield
        return
    with database.temporary() as server:
        environment["DATABASE_URL"] = server.url
        yield


def is_ready(environment: dict[str, str]) -> bool:
    """Whether the configuration is good and its database answers, which is waited for.

    What is wrong has been said.
    """
    wait = (
        "from socialapi.environment import environment;"
        "from socialapi.database import wait_for_database;"
        "wait_for_database(environment.DATABASE_URL, environment.DB_WAIT)"
    )
    return run_to_end([sys.executable, "-c", wait], environment) == 0


def prepare(*arguments: str, environment: dict[str, str]) -> None:
    """Run a management command that has to succeed before the server starts."""
    if run_to_end([*MANAGE, *arguments], environment):
        raise ScriptError(f"manage.py {arguments[0]} has failed.")


def run_to_end(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run a command that ends before the server starts, and return its exit code."""
    process = child.start(
        command, signal.SIGTERM, cwd=ROOT, env=environment, start_new_session=True
    )
    try:
        return process.wait()
    finally:
        child.end(process, signal.SIGTERM, PATIENCE)


def in_foreground(
    command: Sequence[str],
    stop: signal.Signals,
    environment: dict[str, str],
    cwd: Path | None = None,
) -> int:
    """Run a command that has the terminal, Ctrl-C included, and return its exit code."""
    # The terminal sends Ctrl-C to the command as well, which may want to go on (a prompt does).
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    process = child.start(command, stop, env=environment, cwd=cwd)
    try:
        code = process.wait()
    except Stopped:
        process.send_signal(stop)
        code = process.wait()
    return code if code >= 0 else 128 - code


def wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    """Return when the server on `port` has answered a request, or has ended."""
    while process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health/live")
            connection.getresponse()
            return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()


def welcome(port: int, seeded: dict[str, str] | None) -> str:
    """Return where to go, and with which login if the database has the demonstration's users."""
    site = f"http://localhost:{port}"
    text = f"""
Social API is running; Ctrl-C ends it.

  API    {site}/
  Demo   {site}/demo
  Docs   {site}/docs
  Admin  {site}/admin/
"""
    if seeded is not None:
        password = seeded.get("SEED_PASSWORD") or SEED_PASSWORD
        fields = shlex.quote(f"password={password}")
        text += f"""
Logins: user1@example.com and moderator@example.com (admin), password {password}

  curl -d username=user1@example.com --data-urlencode {fields} {site}/login
"""
    return text


if __name__ == "__main__":
    sys.exit(main())
