"""The reference is complete, and what the documentation names is there."""

import re
from pathlib import Path

import pytest

from script import pages, reference
from socialapi.environment import BASE_DIR, Environment
from socialapi.schema import describe_api

SETTINGS = reference.settings(Environment.model_json_schema())
API = reference.api(describe_api())


@pytest.mark.parametrize("name", Environment.model_fields)
def test_every_setting_has_a_row_with_what_it_does_and_a_good_value(name: str) -> None:
    field = Environment.model_fields[name]
    (row,) = (line for line in SETTINGS.splitlines() if line.startswith(f"| `{name}` |"))

    assert f" | {field.description} Example: `{(field.examples or [''])[0]}` | " in row
    assert row.endswith("| must be set |") == field.is_required()


def test_every_operation_and_every_shape_is_described_once() -> None:
    document = describe_api()
    calls = [call for call, _ in reference.operations(document)]

    assert [call for call in calls if API.count(f"\n`{call}`") != 1] == []
    anchors = re.findall(r"\{ #(\w+) \}", API)
    assert len(set(anchors)) == len(anchors) == len(calls) + len(document["components"]["schemas"])


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "format": "email", "maxLength": 254}, "email, up to 254 characters"),
        ({"type": "integer", "minimum": 1, "maximum": 100}, "integer, 1 to 100"),
        ({"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, "integer, 1 or more"),
        ({"type": ["string", "null"], "format": "uri"}, "uri or null"),
        ({"enum": ["new", "old"]}, "`new`, `old`"),
        ({"const": 1}, "`1`"),
        (
            {"type": "array", "items": {"$ref": "#/components/schemas/Post"}},
            "list of [Post](#Post)",
        ),
    ],
    ids=str,
)
def test_says_in_words_what_a_value_may_be(schema: reference.Schema, words: str) -> None:
    assert reference.kind(schema) == words


@pytest.mark.parametrize(
    ("source", "link", "mended"),
    [
        ("docs/deploy/docker.md", "[x](../scale.md#pgbouncer)", "[x](../scale.md#pgbouncer)"),
        ("CHANGELOG.md", "[x](docs/deploy/docker.md)", "[x](deploy/docker.md)"),
        ("docs/README.md", "[x](../CHANGELOG.md)", "[x](changelog.md)"),
        ("docs/README.md", "[`manage.py`](../manage.py)", "`manage.py`"),
        ("docs/README.md", "[x](../nowhere.md)", "[x](../nowhere.md)"),
        ("docs/README.md", "[x](https://example.org)", "[x](https://example.org)"),
        ("docs/README.md", "![x](performance.png)", "![x](performance.png)"),
    ],
)
def test_a_link_leads_where_the_site_has_its_file(source: str, link: str, mended: str) -> None:
    uri = pages.ABOVE.get(source) or source.removeprefix("docs/")

    assert pages.mend_links(link, BASE_DIR / source, uri) == mended


@pytest.mark.parametrize(
    ("tag", "is_foreign"),
    [
        ('<script src="https://example.org/a.js">', True),
        ('<link rel="stylesheet" href="//example.org/a.css">', True),
        ('<img alt="" src=http://example.org/a.png>', True),
        ('<a href="https://example.org">', False),
        ('<script src="../assets/a.js">', False),
    ],
)
def test_what_a_page_would_load_from_another_host_is_seen(tag: str, is_foreign: bool) -> None:
    assert pages.FOREIGN.findall(f"<p>{tag}</p>") == [tag] * is_foreign


def test_every_proof_of_what_is_guaranteed_is_there() -> None:
    text = (BASE_DIR / "docs" / "security.md").read_text()
    proofs = re.findall(r"`([\w/]+\.py)::(\w+)`", text)

    def is_there(path: str, name: str) -> bool:
        return bool(re.search(rf"\b(def|class) {name}\b", Path(BASE_DIR, path).read_text()))

    assert [name for path, name in proofs if not is_there(path, name)] == []
    assert len(proofs) == text.count("::")
