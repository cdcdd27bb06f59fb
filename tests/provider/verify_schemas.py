"""Hold the golden requests of a module to the schema its provider publishes.

usage: verify_schemas.py DIR SCHEMA

Every DIR/*.request with a body is read: JSON is validated, and may have no
member that the schema does not name; of a form the fields are. Exits with 77
(skipped) when python3-jsonschema is not installed.
"""

import email
import json
import pathlib
import sys

try:
    import jsonschema
except ImportError:
    sys.exit(77)

# v:NAME and h:NAME are the sender's own, which no schema can list.
FREE = ("v:", "h:")

# SendGrid's calls an object a string here; its own libraries send an object.
MISTAKE = ("$.custom_args", "type")


def read_request(path):
    head, body = path.read_bytes().split(b"\n\n", 1)
    lines = head.decode().split("\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    return headers.get("Content-Type", ""), body


def find(document, pointer):
    for word in pointer.removeprefix("#/").split("/"):
        document = document[word.replace("~1", "/").replace("~0", "~")]
    return document


def body_schema(document, content_type):
    """That of the one POST that takes this type."""
    for path in document["paths"].values():
        body = path.get("post", {}).get("requestBody", {})
        if "$ref" in body:
            body = find(document, body["$ref"])
        schema = body.get("content", {}).get(content_type, {}).get("schema")
        if schema and (len(document["paths"]) == 1 or is_send(document, path)):
            return schema
    raise LookupError(content_type)


def is_send(document, wanted):
    """Not the neighbours: a batch's id, or a message in parts."""
    ends = "/mail/send", "/emails", "/messages.mime", "/api/send"
    return any(path is wanted and name.endswith(ends)
               for name, path in document["paths"].items())


def walk(schema):
    """All objects in it."""
    if isinstance(schema, dict):
        yield schema
    for value in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(value, (dict, list)):
            yield from walk(value)


def forbid_unknown(document):
    """In place: an object that lists its members, or is made of several that do,
    has no others."""
    parts = [find(document, part["$ref"]) for schema in walk(document)
             for part in schema.get("allOf", []) if "$ref" in part]
    for schema in list(walk(document)):
        if "allOf" in schema:
            schema.setdefault("unevaluatedProperties", False)
        elif "properties" in schema and not any(schema is part for part in parts):
            schema.setdefault("additionalProperties", False)


def form_problems(body, content_type, schema):
    form = email.message_from_bytes(
        f"Content-Type: {content_type}\n\n".encode() + body)
    names = [part.get_param("name", header="Content-Disposition")
             for part in form.get_payload()]
    for name in names:
        if name not in schema["properties"] and not name.startswith(FREE):
            yield f"{name} is no field of it"
    for name in schema.get("required", []):
        if name not in names:
            yield f"{name} is missing"


def problems(path, document):
    content_type, body = read_request(path)
    kind = content_type.split(";")[0]
    schema = body_schema(document, kind)
    if kind == "multipart/form-data":
        if "$ref" in schema:
            schema = find(document, schema["$ref"])
        return list(form_problems(body, content_type, schema))
    validator = jsonschema.Draft202012Validator({**document, **schema})
    return [f"{error.json_path}: {error.message}"
            for error in validator.iter_errors(json.loads(body))
            if (error.json_path, error.validator) != MISTAKE]


def main(directory, schema):
    document = json.loads(pathlib.Path(schema).read_text())
    forbid_unknown(document)
    count = failed = 0
    for path in sorted(pathlib.Path(directory).glob("*.request")):
        # Nothing was built, or the account asked about, which has no body.
        case = json.loads(path.with_suffix(".json").read_text())
        if case.get("inquire") or not read_request(path)[1]:
            continue
        count += 1
        for problem in problems(path, document):
            failed += 1
            print(f"{path.name}: {problem}")
    print(f"{count} requests, {failed} problems")
    return 1 if failed or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
