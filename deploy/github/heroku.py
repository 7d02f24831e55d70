"""Deploys the commit that is checked out to Heroku, and goes back if it does not get ready.

    HEROKU_API_KEY=… HEROKU_APP=… HEROKU_URL=… python3 -m deploy.github.heroku

By Heroku's Platform API, and with the standard library alone: the machines of GitHub have no
`heroku` command, and nothing else shall be installed beside the key.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

WAIT_HEALTHY = Path(__file__).with_name("wait-healthy")
# Seconds, for each of: the build, the release phase, the start of the dynos.
PATIENCE = 15 * 60
# Seconds without a byte; a build may be silent for as long.
SILENCE = 5 * 60
EXAMPLES = {
    "HEROKU_API_KEY": "a token made by `heroku authorizations:create`",
    "HEROKU_APP": "social-api",
    "HEROKU_URL": "https://api.example.org",
}


class DeployError(Exception):
    """The deployment has failed; the message is for those who read its log."""


class UnreachableError(DeployError):
    """Heroku did not answer, or with a fault of its own."""


@dataclass(frozen=True)
class App:
    """An application on Heroku."""

    name: str
    key: str = field(repr=False)
    api: str = "https://api.heroku.com"
    # Seconds between two looks at what takes a while.
    pause: float = 5

    def deploy(self, archive: bytes, version: str, url: str) -> None:
        """Build, release and start the source; on `DeployError` the old release runs on."""
        before = self.current_release()
        release = self.release(self.build(archive, version))
        try:
            self.wait_for_dynos(release)
            wait_until_healthy(url)
        except DeployError as error:
            raise DeployError(f"{error} {self.roll_back(before)}") from None
        print(f"v{release['version']} is ready.")

    def current_release(self) -> Any:
        """Return the release that runs."""
        releases = self._ask("GET", "/releases", Range="version ..; order=desc")
        return next(release for release in releases if release["current"])

    def build(self, archive: bytes, version: str) -> Any:
        """Build the source, and return the build once it has succeeded."""
        source = self._ask("POST", "/sources")["source_blob"]
        # The address is signed for a request without a type, and urllib would add one.
        upload = Request(source["put_url"], archive, {"Content-Type": ""}, method="PUT")
        _open(upload).close()
        blob = {"url": source["get_url"], "version": version}
        build = self._ask("POST", "/builds", {"source_blob": blob})
        # What it writes is for people; what counts is asked for afterwards.
        with (
            suppress(DeployError, OSError, HTTPException),
            closing(_open(Request(build["output_stream_url"]))) as output,
        ):
            for line in output:
                print(line.decode(errors="replace"), end="", flush=True)
        path = f"/builds/{build['id']}"
        build = self._wait(path, lambda it: it["status"] == "failed" or it["release"])
        if build["status"] == "failed":
            raise DeployError("The build has failed.")
        return build

    def release(self, build: Any) -> Any:
        """Return the build's release, once what the Procfile says of `release` has succeeded."""
        path = f"/releases/{build['release']['id']}"
        release = self._wait(path, lambda it: it["status"] != "pending")
        if release["status"] != "succeeded":
            raise DeployError("The release phase has failed: see `heroku releases:output`.")
        return release

    def wait_for_dynos(self, release: Any) -> None:
        """Return when every web dyno runs the release; raise `DeployError` when one crashes."""

        def states(dynos: Any) -> set[str]:
            return {
                dyno["state"] if dyno["release"]["version"] == release["version"] else "old"
                for dyno in dynos
                if dyno["type"] == "web"
            }

        def is_decided(dynos: Any) -> bool:
            return "crashed" in states(dynos) or states(dynos) == {"up"}

        if "crashed" in states(self._wait("/dynos", is_decided)):
            raise DeployError(f"v{release['version']} crashes.")

    def roll_back(self, release: Any) -> str:
        """Release once more what an earlier release had, and return what was done."""
        if not release["slug"]:
            return "There is nothing to go back to."
        self._ask("POST", "/releases", {"release": release["id"]})
        return f"Rolled back to v{release['version']}."

    def _wait(self, path: str, is_decided: Callable[[Any], bool]) -> Any:
        """Ask until `is_decided`, and return what was decided on."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            # An answer that fails to come does not mean that what was asked for has failed.
            with suppress(UnreachableError):
                answer = self._ask("GET", path)
                if is_decided(answer):
                    return answer
            time.sleep(self.pause)
        raise DeployError(f"{path} takes more than {PATIENCE} seconds.")

    def _ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        headers |= {
            "Accept": "application/vnd.heroku+json; version=3",
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.api}/apps/{self.name}{path}", data, headers, method=method)
        with closing(_open(request)) as answer:
            return json.load(answer)


def wait_until_healthy(url: str) -> None:
    """Return when the service at `url` is ready, and raise `DeployError` if it does not get so."""
    if subprocess.run([WAIT_HEALTHY, url], check=False).returncode:
        raise DeployError(f"{url} does not get ready.")


def git(*arguments: str) -> bytes:
    """Return what git says of the checkout."""
    return subprocess.check_output(["git", *arguments])


def _open(request: Request) -> HTTPResponse:
    """Send a request to an address of Heroku's; any failure is a `DeployError`."""
    what = f"{request.get_method()} {request.selector.partition('?')[0]}"
    try:
        answer: HTTPResponse = urlopen(request, timeout=SILENCE)
    except HTTPError as error:
        kind = UnreachableError if error.code >= 500 else DeployError
        raise kind(f"{what}: {error.code} {error.read().decode()}") from None
    except (OSError, HTTPException) as error:
        raise UnreachableError(f"{what}: {error}") from None
    return answer


def main() -> None:
    """Deploy as the environment says."""
    missing = [name for name in EXAMPLES if not os.environ.get(name)]
    if missing:
        sys.exit("\n".join(f"{name} has to be set, to {EXAMPLES[name]} say." for name in missing))
    app = App(os.environ["HEROKU_APP"], os.environ["HEROKU_API_KEY"])
    archive = git("archive", "--format=tar.gz", "HEAD")
    version = git("rev-parse", "HEAD").decode().strip()
    try:
        app.deploy(archive, version, os.environ["HEROKU_URL"])
    except DeployError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
