"""Renders the settings and the API as Markdown, from what describes them to machines."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

type Schema = dict[str, Any]

# The highest id; that there is an end to them tells a reader nothing.
ID_MAX = 2**63 - 1
WORDS = {"date-time": "time", "int64": "integer"}
RANGES = (("minimum", "maximum", ""), ("minLength", "maxLength", " characters"))


def settings(schema: Schema) -> str:
    """Return a table of the variables, given pydantic's JSON schema of them."""
    rows = (
        (
            f"`{name}`",
            f"{field['description']} Example: `{field['examples'][0]}`",
            kind(field),
            setting_default(field),
        )
        for name, field in schema["properties"].items()
    )
    return table(("variable", "", "value", "default"), rows)


def setting_default(field: Schema) -> str:
    """Return a variable's default, as one would set it."""
    if "default" not in field:
        return "must be set"
    value = field["default"]
    return value_of(("off", "on")[value] if isinstance(value, bool) else value)


def api(document: Schema) -> str:
    """Return all operations by tag, the shapes of what they take and give, and the errors."""
    parts = []
    for tag in document["tags"]:
        parts += [f"## {tag['name'].capitalize()}", tag["description"]]
        for call, content in operations(document):
            if tag["name"] in content["tags"]:
                parts += operation(call, content)
    parts.append("## Shapes")
    for name, schema in document["components"]["schemas"].items():
        parts += [f"### {name} {{ #{name} }}", *shape(schema)]
    parts += ["## Errors", errors(document)]
    return "\n\n".join(parts) + "\n"


def operations(document: Schema) -> Iterator[tuple[str, Schema]]:
    """Walk the operations: method and path of each, and what the document says of it."""
    for path, item in document["paths"].items():
        for method, content in item.items():
            yield f"{method.upper()} {path}", content


def operation(call: str, content: Schema) -> Iterator[str]:
    """Yield what there is to say of one operation."""
    yield f"### {content['summary']} {{ #{content['operationId']} }}"
    yield f"`{call}`" + ("" if content["security"] else " · open to everyone")
    yield content["description"]
    if parameters := content.get("parameters"):
        yield table(("parameter", "in", "value", "default", ""), map(parameter, parameters))
    for media_type, body in content.get("requestBody", {}).get("content", {}).items():
        yield f"**Body** {kind(body['schema'])} (`{media_type}`)"
        yield from example(body)
    for status, answer in content["responses"].items():
        if "$ref" not in answer:
            yield from success(status, answer)
    refused = (status for status, answer in content["responses"].items() if "$ref" in answer)
    yield f"[Errors](#errors): {', '.join(refused)}"


def parameter(content: Schema) -> tuple[str, ...]:
    """Return a parameter's row."""
    name = f"`{content['name']}`" + (", required" if content.get("required") else "")
    schema = content["schema"]
    default = value_of(schema["default"]) if "default" in schema else ""
    return name, content["in"], kind(schema), default, content.get("description", "")


def success(status: str, answer: Schema) -> Iterator[str]:
    """Yield what an operation answers with."""
    headers = "".join(f" · `{name}`" for name in answer.get("headers", {}))
    contents = answer.get("content", {})
    if not contents:
        yield f"**{status}** without a body{headers}"
    for media_type, content in contents.items():
        yield f"**{status}** {kind(content['schema'])} (`{media_type}`){headers}"
        yield from example(content)


def example(content: Schema) -> Iterator[str]:
    """Yield the first example of a body or an answer, if there is one."""
    for first in [*content.get("examples", {}).values()][:1]:
        value = first["value"]
        text = value if isinstance(value, str) else json.dumps(value, indent=2)
        yield f"```{'' if isinstance(value, str) else 'json'}\n{text.strip()}\n```"


def shape(schema: Schema) -> Iterator[str]:
    """Yield what a schema says of itself, and its members."""
    if description := schema.get("description"):
        yield description
    required = schema.get("required", ())
    rows = (
        (
            f"`{name}`",
            kind(field) + ("" if name in required else ", optional"),
            value_of(field["default"]) if "default" in field else "",
            field.get("description", ""),
        )
        for name, field in schema["properties"].items()
    )
    yield table(("member", "value", "default", ""), rows)


def errors(document: Schema) -> str:
    """Return a table of the errors that operations answer with."""
    names = {
        status: answer["$ref"].rpartition("/")[2]
        for _, content in operations(document)
        for status, answer in content["responses"].items()
        if "$ref" in answer
    }
    described = {
        status: document["components"]["responses"][name] for status, name in names.items()
    }
    rows = (
        (status, error["description"], ", ".join(f"`{name}`" for name in error.get("headers", {})))
        for status, error in sorted(described.items())
    )
    return table(("status", "", "headers"), rows)


def kind(schema: Schema) -> str:
    """Say in words what a value may be."""
    choices = schema.get("oneOf") or schema.get("anyOf")
    if isinstance(schema.get("type"), list):
        choices = [schema | {"type": each} for each in schema["type"]]
    if choices:
        return " or ".join(dict.fromkeys(map(kind, choices)))
    match schema:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            words = f"[{name}](#{name})"
        case {"const": value}:
            words = value_of(value)
        case {"enum": values}:
            words = ", ".join(map(value_of, values))
        case {"type": "array", "items": items}:
            words = f"list of {kind(items)}"
        case {"type": "null"}:
            words = "null"
        case _:
            name = str(schema.get("format", schema["type"]))
            words = ", ".join(filter(None, (WORDS.get(name, name), bounds(schema))))
    return words


def bounds(schema: Schema) -> str:
    """Say in words between what bounds a value is."""
    for low, high, unit in RANGES:
        least, most = schema.get(low), schema.get(high)
        if least is not None and most not in (None, ID_MAX):
            return f"{least} to {most}{unit}"
        if least is not None:
            return f"{least} or more{unit}"
        if most is not None:
            return f"up to {most}{unit}"
    return ""


def value_of(value: Any) -> str:
    """Write a value as one would type it."""
    if value in ("", []):
        return "none"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(text: str) -> str:
    """Write a text so that it ends neither its cell nor its row."""
    return text.replace("|", "\\|").replace("\n", " ")
