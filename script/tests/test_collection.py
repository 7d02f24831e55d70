"""The Postman collection is what the OpenAPI document makes of it."""

import re
from copy import deepcopy

import pytest

from script import collection
from socialapi.schema import describe_api


def test_what_is_committed_is_what_the_script_makes() -> None:
    document = describe_api()

    files = {
        collection.COLLECTION: collection.collection(document),
        collection.ENVIRONMENT: collection.environment(document),
    }

    for path, content in files.items():
        assert path.read_text() == collection.as_text(content), "run script/postman"


def test_an_operation_without_a_place_in_the_story_is_named() -> None:
    document = deepcopy(describe_api())
    document["paths"]["/feed"] = {"get": {"operationId": "get_feed"}}

    with pytest.raises(ValueError, match="get_feed"):
        collection.collection(document)


def test_the_environment_has_every_variable_that_is_used() -> None:
    text = collection.as_text(collection.collection(describe_api()))

    used = re.findall(r"\{\{(\w+)\}\}", text)
    used += re.findall(r"pm\.environment\.[gs]et\(\\\"(\w+)", text)

    assert set(used) == collection.VARIABLES.keys()
