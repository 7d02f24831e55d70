"""The README, and what else is read first, say what is true."""

import json
import re
import subprocess
from shutil import which
from typing import Any

import pytest
from django.db import connection

from accounts import tokens
from accounts.models import User
from posts.models import Change, Listener, Post
from posts.tests.factories import PostFactory
from socialapi.environment import BASE_DIR, Environment
from socialapi.tests.live import Server, wait_until
from votes.models import Vote

README = (BASE_DIR / "README.md").read_text()
TOUR = (BASE_DIR / "docs" / "tour.md").read_text()
STREAM = (BASE_DIR / "docs" / "stream.md").read_text()
EXAMPLE = (BASE_DIR / ".env.example").read_text()


def section(title: str) -> str:
    """Return what stands under a heading."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def run(script: str, server: Server) -> str:
    """Do what is told to be done on one's own machine; return what was said."""
    assert "http://localhost:8000" in script
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://localhost:8000", server.url)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.usefixtures("committed")
def test_its_tour_works_word_for_word(server: Server) -> None:
    (tour,) = re.findall(r"```sh\n(.*?)```", section("A tour"), re.DOTALL)

    answers = run(tour, server)

    assert '"email":"ada@example.org"' in answers
    assert answers.count('"title":"Notes on the Analytical Engine"') == 2
    assert '"message":"Vote added."' in answers
    assert '"errors":{"limit":["Ensure this value is less than or equal to 100."]}' in answers
    assert Post.objects.get().owner.email == "ada@example.org"
    assert not Vote.objects.exists()


def like(answer: str) -> Any:
    """Read an answer, but for what differs each time."""
    for changing, name in (
        (r'"eyJ[^"]*"', '"token"'),
        (r"user-[0-9a-f]{16}", "name"),
        (r"[0-9-]{10}T[0-9:.]{15}Z", "time"),
        (r'"(id|owner_id)": ?[0-9]+', r'"\1": 0'),
    ):
        answer = re.sub(changing, name, answer)
    return json.loads(answer)


@pytest.mark.usefixtures("committed")
def test_the_longer_tour_shows_what_is_really_answered(server: Server) -> None:
    steps = re.findall(r"```sh\n(.*?)```\n\n(?:```json\n(.*?)```)?", TOUR, re.DOTALL)
    # Not the start of the server, nor of the stream, which does not end by itself.
    steps = [step for step in steps if "script/server" not in step[0] and "-sN" not in step[0]]
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('posts_post_id_seq', 500)")

    said = run("echo ---\n".join(f"{step}echo\n" for step, _ in steps), server).split("---\n")

    for answer, (_, shown) in zip(said, steps, strict=True):
        assert not shown or like(answer) == like(shown)
    assert len([shown for _, shown in steps if shown]) == 5


@pytest.mark.skipif(which("node") is None, reason="needs Node.js")
@pytest.mark.usefixtures("committed")
def test_the_client_of_the_stream_understands_any_text(server: Server, reader: User) -> None:
    _, example = re.findall(r"```js\n(.*?)```", STREAM, re.DOTALL)
    start, token = Change.objects.bounds().horizon, tokens.log_in(reader)["access_token"]
    title = "A: b\N{LINE SEPARATOR}c: d\N{PARAGRAPH SEPARATOR}"
    PostFactory.create(title=title)
    script = f"""{example}
        lastId = "{start}";
        await watch("{token}", (name, post) => {{
            process.stdout.write(name + " " + post.title);
            process.exit();
        }});"""

    done = subprocess.run(
        ["node", "--input-type=module", "-e", script.replace('"/posts', f'"{server.url}/posts')],
        capture_output=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.decode() == f"created {title}"
    wait_until(lambda: not Listener.objects.exists())


@pytest.mark.parametrize("name", Environment.model_fields)
def test_the_example_file_explains_every_variable(name: str) -> None:
    assert re.search(rf"^{name}=", EXAMPLE, re.MULTILINE)


def test_the_example_file_has_the_defaults() -> None:
    values = dict(re.findall(r"^([A-Z_]+)=(.+)$", EXAMPLE, re.MULTILINE))

    for name, value in values.items():
        default = Environment.model_fields[name].default
        assert value == {"True": "on", "False": "off"}.get(str(default), str(default)), name
    assert len(values) >= 10
