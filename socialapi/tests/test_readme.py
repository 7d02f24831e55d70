"""The README says what is true."""

import re
import subprocess
from shutil import which

import pytest

from accounts import tokens
from accounts.models import User
from posts.models import Change, Listener, Post
from posts.tests.factories import PostFactory
from socialapi.environment import BASE_DIR, Environment
from socialapi.tests.live import Server, wait_until
from votes.models import Vote

README = (BASE_DIR / "README.md").read_text()
EXAMPLE = (BASE_DIR / ".env.example").read_text()


def section(title: str) -> str:
    """Return what stands under a heading."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.usefixtures("committed")
def test_its_tour_works_word_for_word(server: Server) -> None:
    (tour,) = re.findall(r"```sh\n(.*?)```", section("A tour"), re.DOTALL)
    assert "http://localhost:8000" in tour

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", tour.replace("http://localhost:8000", server.url)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    answers = done.stdout
    assert '"email":"ada@example.org"' in answers
    assert answers.count('"title":"Notes on the Analytical Engine"') == 2
    assert '"message":"Vote added."' in answers
    assert '"errors":{"limit":["Ensure this value is less than or equal to 100."]}' in answers
    assert Post.objects.get().owner.email == "ada@example.org"
    assert not Vote.objects.exists()


@pytest.mark.skipif(which("node") is None, reason="needs Node.js")
@pytest.mark.usefixtures("committed")
def test_its_client_of_the_stream_understands_any_text(server: Server, reader: User) -> None:
    _, example = re.findall(r"```js\n(.*?)```", section("Watch it live"), re.DOTALL)
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
def test_every_variable_is_explained_in_both_places(name: str) -> None:
    assert f"| `{name}` |" in section("Configuration")
    assert re.search(rf"^{name}=", EXAMPLE, re.MULTILINE)


def test_the_example_file_has_the_defaults() -> None:
    values = dict(re.findall(r"^([A-Z_]+)=(.+)$", EXAMPLE, re.MULTILINE))

    for name, value in values.items():
        default = Environment.model_fields[name].default
        assert value == {"True": "on", "False": "off"}.get(str(default), str(default)), name
    assert len(values) >= 10
