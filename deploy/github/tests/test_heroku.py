"""A deployment to Heroku, on a server that answers as its API does."""

import io
import json
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from deploy.github.heroku import App, DeployError, git
from socialapi.environment import BASE_DIR

KEY = "the-key-of-the-app"


class Heroku(ThreadingHTTPServer):
    """Knows one app, which runs v7, and will make v8 of what is built."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.archive = b""
        self.build: dict[str, Any] = {}
        self.rolled_back_to: str | None = None
        self.slug: dict[str, str] | None = {"id": "old-slug"}
        # What is seen of them, look by look; the last stays.
        self.builds = ["pending", "succeeded"]
        self.phases = ["pending", "succeeded"]
        self.dynos = [(7, "up"), (8, "starting"), (8, "up")]
        self.health = 200

    def answer(self, call: str, body: Any) -> Any:
        """Return the JSON of an answer."""
        match call:
            case "GET /releases":
                failed = {"id": "failed", "version": 9, "current": False, "slug": None}
                old = {"id": "old", "version": 7, "current": True, "slug": self.slug}
                result: Any = [failed, old]
            case "POST /sources":
                put, get = f"{self.url}/upload?signature=1", f"{self.url}/download"
                result = {"source_blob": {"put_url": put, "get_url": get}}
            case "POST /builds":
                self.build = body
                result = {"id": "b", "output_stream_url": f"{self.url}/output"}
            case "GET /builds/b":
                status = after(self.builds)
                release = {"id": "new"} if status == "succeeded" else None
                result = {"id": "b", "status": status, "release": release}
            case "GET /releases/new":
                result = {"id": "new", "version": 8, "status": after(self.phases)}
            case "GET /dynos":
                version, state = after(self.dynos)
                web = {"type": "web", "state": state, "release": {"version": version}}
                result = [web, {"type": "run", "state": "up", "release": {"version": 7}}]
            case "POST /releases":
                self.rolled_back_to = body["release"]
                result = {"id": "newest", "version": 10}
            case _:
                raise AssertionError(call)
        return result


def after[T](values: list[T]) -> T:
    """Return the first value, and go on to the next if there is one."""
    return values.pop(0) if len(values) > 1 else values[0]


class Handler(BaseHTTPRequestHandler):
    """Heroku's API, its storage, its stream of a build's output, and the app itself."""

    server: Heroku

    def do_GET(self) -> None:
        """Answer what is asked for."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        path = self.path.removeprefix("/apps/social-api")
        if path == "/health/ready":
            self.reply(self.server.health, b"")
        elif path == "/output":
            self.reply(200, b"-----> Python app detected\n")
        elif path.startswith("/upload"):
            assert not self.headers["Content-Type"]
            self.server.archive = body
            self.reply(200, b"")
        elif self.headers["Authorization"] != f"Bearer {KEY}":
            self.reply(401, b'{"id": "unauthorized", "message": "Invalid credentials"}')
        elif "unwell" in self.server.builds and path == "/builds/b":
            self.server.builds.remove("unwell")
            self.reply(503, b"{}")
        else:
            answer = self.server.answer(f"{self.command} {path}", json.loads(body or b"null"))
            self.reply(200, json.dumps(answer).encode())

    do_POST = do_PUT = do_GET  # noqa: N815 - named by the library

    def reply(self, status: int, body: bytes) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the library
        """Say nothing."""


@pytest.fixture
def heroku(monkeypatch: pytest.MonkeyPatch) -> Iterator[Heroku]:
    monkeypatch.setenv("HEALTH_RETRIES", "0")
    with Heroku() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def deploy(heroku: Heroku, key: str = KEY) -> None:
    """Deploy some source."""
    App("social-api", key, heroku.url, pause=0).deploy(b"source", "abc", heroku.url)


def test_what_was_built_runs_in_the_end(
    heroku: Heroku, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(heroku)

    assert heroku.archive == b"source"
    assert heroku.build == {"source_blob": {"url": f"{heroku.url}/download", "version": "abc"}}
    assert (heroku.builds, heroku.phases, heroku.dynos) == (
        ["succeeded"],
        ["succeeded"],
        [(8, "up")],
    )
    assert heroku.rolled_back_to is None
    output = capsys.readouterr().out
    assert "Python app detected" in output
    assert "v8 is ready." in output


def test_the_source_is_what_is_committed() -> None:
    with tarfile.open(fileobj=io.BytesIO(git("archive", "--format=tar.gz", "HEAD"))) as archive:
        names = archive.getnames()

    assert {"Procfile", "manage.py", "requirements/prod.txt"} <= set(names)


@pytest.mark.parametrize(
    ("part", "message"),
    [("builds", "The build has failed."), ("phases", "The release phase has failed")],
)
def test_what_is_not_released_leaves_the_old_release(
    heroku: Heroku, part: str, message: str
) -> None:
    setattr(heroku, part, ["failed"])

    with pytest.raises(DeployError, match=message):
        deploy(heroku)

    assert heroku.rolled_back_to is None


def test_a_crash_is_rolled_back(heroku: Heroku) -> None:
    heroku.dynos = [(7, "up"), (8, "crashed")]

    with pytest.raises(DeployError, match=r"v8 crashes. Rolled back to v7\."):
        deploy(heroku)

    assert heroku.rolled_back_to == "old"


def test_what_does_not_get_ready_is_rolled_back(heroku: Heroku) -> None:
    heroku.health = 503

    with pytest.raises(DeployError, match=r"does not get ready. Rolled back to v7\."):
        deploy(heroku)

    assert heroku.rolled_back_to == "old"


def test_the_first_release_has_nothing_to_go_back_to(heroku: Heroku) -> None:
    heroku.slug = None
    heroku.health = 503

    with pytest.raises(DeployError, match="There is nothing to go back to"):
        deploy(heroku)

    assert heroku.rolled_back_to is None


def test_a_moment_without_answers_is_waited_out(heroku: Heroku) -> None:
    heroku.builds = ["unwell", "succeeded"]

    deploy(heroku)

    assert heroku.dynos == [(8, "up")]


def test_a_wrong_key_is_refused_and_not_shown(heroku: Heroku) -> None:
    with pytest.raises(DeployError, match=r"GET .*/releases: 401 .*Invalid credentials") as caught:
        deploy(heroku, key="wrong-key")

    assert "wrong-key" not in str(caught.value)
    assert KEY not in repr(App("social-api", KEY))


def test_what_has_to_be_set_is_said() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.github.heroku"],
        cwd=BASE_DIR,
        env={"HEROKU_APP": "social-api"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "HEROKU_API_KEY has to be set" in done.stderr
    assert "HEROKU_URL has to be set, to https://api.example.org say." in done.stderr
