"""Makes the Postman collection, and its environment, from the OpenAPI document on standard input.

The document says what each request and its answer look like; `STORY` says in which order they are
sent, so that each finds what it needs and the last ones remove what the first ones made.
"""

import json
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

type Content = dict[str, Any]

FOLDER = Path(__file__).resolve().parent.parent / "postman"
COLLECTION = FOLDER / "social-api.postman_collection.json"
ENVIRONMENT = FOLDER / "social-api.postman_environment.json"
FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

VARIABLES = {
    "base_url": "http://localhost:8000",
    "email": "",
    "username": "",
    "password": "",
    "new_password": "",
    "access_token": "",
    "refresh_token": "",
    "user_id": "",
    "session_id": "",
    "post_id": "",
    # `true` lets the stream of events be opened, which does not end by itself.
    "watch": "false",
}
# What the members of a body are filled with, whatever the document's examples have there.
MEMBERS = {
    "email": "{{email}}",
    "username": "{{username}}",
    "password": "{{password}}",
    "current_password": "{{password}}",
    "new_password": "{{new_password}}",
    "refresh_token": "{{refresh_token}}",
    "post_id": "{{post_id}}",
}
# OAuth2's form calls the email so.
FORM_MEMBERS = MEMBERS | {"username": "{{email}}"}
# What a path's id is one of.
IDS = {"users": "{{user_id}}", "sessions": "{{session_id}}", "posts": "{{post_id}}"}

GUID = 'pm.variables.replaceIn("{{$guid}}")'
NEW_EMAIL = f'pm.environment.set("email", {GUID} + "@example.com");'
NEW_NAME = f'pm.environment.set("username", {GUID}.slice(0, 30));'
# Not one more of the same kind: a password may not be like the email.
WORD = 'pm.variables.replaceIn("{{$randomPassword}}")'
NEW_USER = f'{NEW_EMAIL}\n{NEW_NAME}\npm.environment.set("password", {WORD});'
KEEP_USER = 'pm.environment.set("user_id", answer.id);'
KEEP_TOKENS = """\
pm.environment.set("access_token", answer.access_token);
pm.environment.set("refresh_token", answer.refresh_token);"""
KEEP_SESSION = 'pm.environment.set("session_id", answer.results[0].id);'
KEEP_POST = 'pm.environment.set("post_id", answer.id);'
UNLESS_WATCHING = 'if (pm.environment.get("watch") !== "true") pm.execution.skipRequest();'


class Step(NamedTuple):
    """A request of the story, and what its tests look at beside the status and the members."""

    operation: str
    name: str = ""
    # Which of the operation's examples is sent; the first, if none is named.
    example: str = ""
    body: Content = {}
    query: dict[str, str] = {}
    # One of the operation's errors, where that is what is to be seen.
    status: int = 0
    before: str = ""
    after: str = ""
    # A condition on `answer`, and in which words it is tested.
    expects: tuple[str, str] = ("", "")


STORY: dict[str, list[Step]] = {
    "The way in": [
        Step("get_root"),
        Step("check_live"),
        Step("check_ready"),
        Step("sign_up", before=NEW_USER, after=KEEP_USER),
        Step("log_in", after=KEEP_TOKENS),
        Step("refresh_tokens", after=KEEP_TOKENS),
    ],
    "Account": [
        Step("get_account"),
        Step("get_user", expects=('!("email" in answer)', "shows no email")),
        Step(
            "update_account",
            "Change your username",
            "Username",
            before=NEW_NAME,
            expects=('answer.username === pm.environment.get("username")', "has the new name"),
        ),
        Step(
            "update_account",
            "Change your email",
            "Email",
            before=NEW_EMAIL,
            expects=('answer.email === pm.environment.get("email")', "has the new email"),
        ),
        Step(
            "change_password",
            before=f'pm.environment.set("new_password", {WORD});',
            after='pm.environment.set("password", pm.environment.get("new_password"));',
        ),
        Step("log_in", "Log in again, as an OAuth2 client", "Form", after=KEEP_TOKENS),
    ],
    "Sessions": [
        Step("log_in", "Log in elsewhere"),
        Step(
            "list_sessions",
            after=KEEP_SESSION,
            expects=("answer.results[1].current", "knows which is this one"),
        ),
        Step("end_session"),
        Step("end_other_sessions"),
    ],
    "Posts": [
        Step("create_post", after=KEEP_POST),
        Step("create_post", "Write a post without a title", body={"title": " "}, status=400),
        Step(
            "list_posts",
            query={"search": "ENGINES", "owner": "{{user_id}}", "sort": "top", "limit": "5"},
            expects=("answer.results.length === 1", "finds the post"),
        ),
        Step("get_post"),
        Step("replace_post", expects=("!answer.published", "makes it a draft")),
        Step("update_post", expects=("answer.published", "publishes it")),
        Step("stream_posts", before=UNLESS_WATCHING),
    ],
    "Votes": [
        Step("vote", "Add a vote", "Add"),
        Step("vote", "Add it again", "Add", status=409),
        Step(
            "get_post",
            "See the vote",
            expects=("answer.voted && answer.votes === 1", "knows of the one vote"),
        ),
        Step("vote", "Remove the vote", "Remove"),
        Step("add_vote"),
        Step("remove_vote"),
    ],
    "The way out": [
        Step("export_account", expects=("answer.posts.length === 1", "holds the post")),
        Step("delete_post"),
        Step("get_post", "Look for the deleted post", status=404),
        Step("log_out"),
        Step("get_account", "Use a token that has ended", status=401),
        Step("log_in", "Log in once more", after=KEEP_TOKENS),
        Step("delete_account"),
    ],
}


def main() -> None:
    """Write both files."""
    document = json.load(sys.stdin)
    FOLDER.mkdir(exist_ok=True)
    COLLECTION.write_text(as_text(collection(document)))
    ENVIRONMENT.write_text(as_text(environment(document)))


def as_text(content: Content) -> str:
    """Return a file's text."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def environment(document: Content) -> Content:
    """Return the variables that the collection reads and writes."""
    return {
        "name": document["info"]["title"],
        "values": [
            {
                "key": name,
                "value": value,
                "type": "secret" if "password" in name or "token" in name else "default",
                "enabled": True,
            }
            for name, value in VARIABLES.items()
        ],
        "_postman_variable_scope": "environment",
    }


def collection(document: Content) -> Content:
    """Return the collection; raises ValueError where the story does not fit the document."""
    operations = {
        content["operationId"]: Operation(document, method, path)
        for path, item in document["paths"].items()
        for method, content in item.items()
    }
    told = {step.operation for steps in STORY.values() for step in steps}
    if told != operations.keys():
        raise ValueError(f"Not in the story, or not in the API: {told ^ operations.keys()}")
    return {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"]["description"],
            "version": document["info"]["version"],
            "schema": FORMAT,
        },
        "auth": {
            "type": "bearer",
            "bearer": [{"key": "token", "value": "{{access_token}}", "type": "string"}],
        },
        "item": [
            {"name": name, "item": [operations[step.operation].item(step) for step in steps]}
            for name, steps in STORY.items()
        ],
    }


class Operation:
    """What the document says of one method of one path, as Postman puts it."""

    def __init__(self, document: Content, method: str, path: str) -> None:
        self.document = document
        self.method = method.upper()
        self.path = path
        self.content = document["paths"][path][method]

    def item(self, step: Step) -> Content:
        """Return a request with its scripts, and the document's example of an answer."""
        request = self.request(step)
        scripts = {"prerequest": step.before, "test": "\n".join(self.tests(step))}
        return {
            "name": step.name or self.content["summary"],
            "event": [
                {"listen": event, "script": {"type": "text/javascript", "exec": text.split("\n")}}
                for event, text in scripts.items()
                if text
            ],
            "request": request | {"description": self.content["description"]},
            "response": [self.response(request, step.status or self.success)],
        }

    def request(self, step: Step) -> Content:
        """Return what is sent."""
        request: Content = {
            "method": self.method,
            "header": [],
            "url": self.url(step),
        }
        if not self.content["security"]:
            request["auth"] = {"type": "noauth"}
        if "requestBody" in self.content:
            media_type, value = self.example(step)
            request["header"] = [{"key": "Content-Type", "value": media_type}]
            request["body"] = body(media_type, value | step.body)
        return request

    def url(self, step: Step) -> Content:
        """Return the address; parameters that are not used are there to be ticked."""
        parts = self.path.replace("{id}", ":id").strip("/").split("/")
        query = [
            {
                "key": parameter["name"],
                "value": step.query.get(parameter["name"], example_of(parameter["schema"])),
                "description": parameter["description"],
                "disabled": parameter["name"] not in step.query,
            }
            for parameter in self.content.get("parameters", ())
            if parameter["in"] == "query"
        ]
        used = "&".join(f"{each['key']}={each['value']}" for each in query if not each["disabled"])
        url: Content = {
            "raw": f"{{{{base_url}}}}/{'/'.join(parts)}" + (f"?{used}" if used else ""),
            "host": ["{{base_url}}"],
            "path": parts,
        }
        if query:
            url["query"] = query
        if ":id" in parts:
            url["variable"] = [{"key": "id", "value": IDS[parts[0]]}]
        return url

    def example(self, step: Step) -> tuple[str, Content]:
        """Return the media type and the value of one of the document's examples."""
        for media_type, content in self.content["requestBody"]["content"].items():
            for name, example in content["examples"].items():
                if name == (step.example or name):
                    return media_type, example["value"]
        raise ValueError(f"{step.operation} has no example {step.example}")

    @property
    def success(self) -> int:
        """The one status that is not an error."""
        (status,) = (int(status) for status in self.content["responses"] if int(status) < 400)
        return status

    def answer(self, status: int) -> tuple[str, Content]:
        """Return an answer's media type, or nothing, and its schema and examples."""
        answer = self.resolve(self.content["responses"][str(status)])
        return next(iter(answer.get("content", {}).items()), ("", {}))

    def response(self, request: Content, status: int) -> Content:
        """Return the document's example of an answer."""
        media_type, content = self.answer(status)
        examples = [example["value"] for example in content.get("examples", {}).values()]
        response: Content = {
            "name": HTTPStatus(status).phrase,
            "originalRequest": request,
            "status": HTTPStatus(status).phrase,
            "code": status,
            "header": [{"key": "Content-Type", "value": media_type}] if media_type else [],
        }
        if examples:
            is_text = isinstance(examples[0], str)
            response["_postman_previewlanguage"] = "text" if is_text else "json"
            response["body"] = examples[0] if is_text else json.dumps(examples[0], indent=2)
        return response

    def tests(self, step: Step) -> Iterator[str]:
        """Write the tests of an answer, line by line."""
        status = step.status or self.success
        yield f'pm.test("answers {status}", () => pm.response.to.have.status({status}));'
        media_type, content = self.answer(status)
        if media_type.endswith("json"):
            yield "const answer = pm.response.json();"
            yield from self.member_tests(content["schema"])
        condition, words = step.expects
        if condition:
            yield f'pm.test("{words}", () => pm.expect({condition}).to.be.true);'
        if step.after:
            yield step.after

    def member_tests(self, schema: Content) -> Iterator[str]:
        """Test that an answer has the document's members and no other."""
        # Of an error that may have two forms, the first is that of a body that is not valid.
        schema = self.resolve(schema.get("anyOf", [schema])[0])
        members = schema["properties"]
        yield f"const members = {json.dumps(list(members))};"
        yield 'pm.test("has its members", () => pm.expect(answer).to.have.all.keys(members));'
        if "results" in members:
            items = self.resolve(members["results"]["items"])["properties"]
            yield f"const items = {json.dumps(list(items))};"
            yield 'pm.test("has those of each result", () => {'
            yield "  for (const each of answer.results) pm.expect(each).to.have.all.keys(items);"
            yield "});"

    def resolve(self, content: Content) -> Content:
        """Follow a reference to a component."""
        if "$ref" not in content:
            return content
        _, _, kind, name = content["$ref"].split("/")
        component: Content = self.document["components"][kind][name]
        return component


def example_of(schema: Content) -> str:
    """Return a parameter's default as a query has it."""
    return json.dumps(schema["default"]).strip('"') if "default" in schema else ""


def body(media_type: str, example: Content) -> Content:
    """Return a body that is filled in from the variables."""
    if media_type == FORM:
        return {
            "mode": "urlencoded",
            "urlencoded": [
                {"key": name, "value": FORM_MEMBERS.get(name, value), "type": "text"}
                for name, value in example.items()
            ],
        }
    filled = {name: MEMBERS.get(name, value) for name, value in example.items()}
    text = json.dumps(filled, indent=2)
    # An id is a number, which needs no quotes.
    return {
        "mode": "raw",
        "raw": text.replace('"{{post_id}}"', "{{post_id}}"),
        "options": {"raw": {"language": "json"}},
    }


if __name__ == "__main__":
    main()
