"""`/openapi.json`, completed: what FastAPI cannot see (bodies read by hand, answers built by hand) joins what it sees.

Every schema that a body brings along moves to `components/schemas`, so that every reference resolves.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from webui.api.described import SCHEMAS, ErrorAnswer, InvalidAnswer, PlainError, errors_text
from webui.api.route_notes import NOTES, Answer, Note, heading_of

LOCAL = "#/$defs/"
METHODS = ("get", "post", "put", "delete", "patch")
EVERYWHERE = (400, 401, 403, 405, 413, 422, 429, 500)


def install(app: FastAPI) -> None:
    """Let the application describe itself in full."""

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            plain = get_openapi(title=app.title, version=app.version, routes=app.routes)
            app.openapi_schema = completed(plain)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def completed(description: dict[str, Any]) -> dict[str, Any]:
    """A description whose routes all have a heading, a body, answers and errors, and whose references resolve."""
    schemas: dict[str, Any] = description.setdefault("components", {}).setdefault("schemas", {})
    for model in (ErrorAnswer, PlainError, InvalidAnswer):
        _add(schemas, model)
    for path, methods in description["paths"].items():
        for method in METHODS:
            if method in methods:
                _complete(methods[method], method, path, NOTES.get((method, path)), schemas)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return description


def _complete(route: dict[str, Any], method: str, path: str, note: Note | None, schemas: dict[str, Any]) -> None:
    route["tags"] = [note.tag if note is not None else heading_of(path)]
    if note is not None:
        right = next((status for status in route["responses"] if status.startswith("2")), "200")
        if path == "/api/jobs" and method == "post":
            right = "201"
            route["responses"].pop("200", None)
        route["responses"][right] = _answer(note.answer, schemas)
        if note.body is not None and "requestBody" not in route:
            content = {"application/json": {"schema": _add(schemas, note.body)}}
            route["requestBody"] = {"required": True, "content": content}
        if note.example is not None and "requestBody" in route:
            route["requestBody"]["content"]["application/json"]["example"] = note.example
    for content in route.get("requestBody", {}).get("content", {}).values():
        content["schema"] = _hoisted(content["schema"], schemas)
    further = note.errors if note is not None else (404, 409, 503)
    for status in sorted({*EVERYWHERE, *further}):
        route["responses"][str(status)] = _error(status)
    for status in note.alike if note is not None else ():
        content = route["responses"]["200"]["content"]
        route["responses"][str(status)] = {"description": errors_text(status), "content": content}


def _answer(answer: Answer, schemas: dict[str, Any]) -> dict[str, Any]:
    """A description of a right answer."""
    if isinstance(answer, str):
        is_text = answer.startswith("text/")
        schema: dict[str, Any] = {"type": "string"} if is_text else {"type": "string", "format": "binary"}
        media_types = [answer] if not answer.startswith("image/") else ["image/png", "image/jpeg", "image/webp"]
        if answer in ("application/json", "text/event-stream"):  # each event of a stream is an object of its own
            schema = {}
        return {"description": "Done.", "content": {one: {"schema": schema} for one in media_types}}
    many = isinstance(answer, list)
    one = _add(schemas, answer[0] if isinstance(answer, list) else answer)
    content = {"application/json": {"schema": {"type": "array", "items": one} if many else one}}
    return {"description": "Done.", "content": content}


def _error(status: int) -> dict[str, Any]:
    reference = {"$ref": SCHEMAS.format(model="InvalidAnswer" if status == 422 else "ErrorAnswer")}
    plain = {"$ref": SCHEMAS.format(model="PlainError")}
    schema = {"anyOf": [reference, plain]} if status in (404, 405, 409, 503) else reference
    described = {"description": errors_text(status), "content": {"application/json": {"schema": schema}}}
    if status == 503:
        described["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "string"}}}
    return described


def _add(schemas: dict[str, Any], model: type[BaseModel]) -> dict[str, str]:
    """A reference to the model's schema, which is there from now on."""
    schema = model.model_json_schema(ref_template=SCHEMAS, mode="serialization")
    for name, part in schema.pop("$defs", {}).items():
        schemas.setdefault(name, part)
    schemas.setdefault(model.__name__, schema)
    return {"$ref": SCHEMAS.format(model=model.__name__)}


def _hoisted(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema with its own definitions moved away; two of one name and another content get two names."""
    if "$defs" not in schema:
        return schema
    names: dict[str, str] = {}
    prefix = schema.get("title", "")
    for name, part in schema["$defs"].items():
        taken = name in schemas and schemas[name] != _renamed(part, {})
        names[name] = f"{prefix}{name}" if taken else name
    for name, part in schema["$defs"].items():
        schemas.setdefault(names[name], _renamed(part, names))
    found: dict[str, Any] = _renamed({key: value for key, value in schema.items() if key != "$defs"}, names)
    return found


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """With each reference to a definition of its own turned into one to the common place."""
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str) and reference.startswith(LOCAL):
            name = reference.removeprefix(LOCAL)
            return {**value, "$ref": SCHEMAS.format(model=names.get(name, name))}
        turned = {key: _renamed(inner, names) for key, inner in value.items()}
        if isinstance(mapping := turned.get("mapping"), dict):  # of a discriminator
            turned["mapping"] = {
                word: SCHEMAS.format(model=names.get(name, name))
                if isinstance(place, str) and (name := place.removeprefix(LOCAL)) != place
                else place
                for word, place in mapping.items()
            }
        return turned
    return [_renamed(inner, names) for inner in value] if isinstance(value, list) else value
