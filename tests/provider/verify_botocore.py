"""Have botocore make and sign the golden SES requests, and compare.

usage: verify_botocore.py DIR

Every DIR/*.request is read. What its body says is given to botocore's own model
of the service, which must find no fault and write the same method, path and
body; the request (the last one, where keys were fetched first) is signed with
the example credentials, and the Authorization header must be the same. Exits
with 77 (skipped) when botocore is not installed.
"""

import base64
import datetime
import json
import pathlib
import sys
import urllib.parse

try:
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import botocore.exceptions
    import botocore.serialize
    import botocore.session
except ImportError:
    sys.exit(77)


SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def read_request(path, is_inquiry):
    # What an inquiry came to stands behind its request.
    text = path.read_bytes().split(b"\n---\n")[-2 if is_inquiry else -1]
    head, body = text.split(b"\n\n", 1)
    lines = head.decode().split("\n")
    method, url = lines[0].split(" ", 1)
    headers = dict(line.split(": ", 1) for line in lines[1:])
    return method, url, headers, body


def params_of(shape, value):
    """A body of JSON as a caller of the library would write it."""
    if shape.type_name == "structure":
        return {name: params_of(shape.members[name], item)
                if name in shape.members else item for name, item in value.items()}
    if shape.type_name == "list":
        return [params_of(shape.member, item) for item in value]
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    return value


def operation_of(model, method, path):
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.http["method"] == method and path.endswith(operation.http["requestUri"]):
            return operation
    raise LookupError(f"{method} {path}")


def model_problem(model, method, url, body):
    """What the service's own model says against it, or None."""
    path = urllib.parse.urlsplit(url).path
    operation = operation_of(model, method, path)
    given = json.loads(body) if body else {}
    serializer = botocore.serialize.create_serializer(
        model.metadata["protocol"], include_validation=True)
    try:
        theirs = serializer.serialize_to_request(
            params_of(operation.input_shape, given), operation)
    except botocore.exceptions.ParamValidationError as error:
        return str(error)
    if not path.endswith(theirs["url_path"]):
        return f"goes to {theirs['url_path']}"
    written = json.loads(theirs["body"]) if theirs["body"] else {}
    return None if written == given else f"botocore writes {written}"


class FixedClock(datetime.datetime):
    """The time of the request under test, in place of the present."""

    moment = None

    @classmethod
    def utcnow(cls):
        return cls.moment

    @classmethod
    def now(cls, tz=None):
        return cls.moment.replace(tzinfo=tz)


def sign(settings, method, url, headers, body):
    """The Authorization header botocore makes."""
    FixedClock.moment = datetime.datetime.strptime(
        headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
    botocore.auth.datetime = type(
        "datetime", (), {"datetime": FixedClock})
    scope = headers["Authorization"].split("Credential=")[1].split(",")[0]
    key_id, _, region = scope.split("/")[:3]
    credentials = botocore.credentials.Credentials(
        settings.get("access_key_id", key_id),
        settings.get("secret_access_key", SECRET),
        headers.get("X-Amz-Security-Token"))
    request = botocore.awsrequest.AWSRequest(
        method=method, url=url, data=body,
        headers={k: v for k, v in headers.items() if k == "Content-Type"})
    signer = botocore.auth.SigV4Auth(credentials, "ses", settings.get("region", region))
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = FixedClock.utcnow
    signer.add_auth(request)
    return request.headers["Authorization"]


def main():
    failures = 0
    model = botocore.session.Session().get_service_model("sesv2")
    paths = [path for path in sorted(pathlib.Path(sys.argv[1]).glob("*.request"))
             if "not prepared" not in path.read_text()]
    for path in paths:
        case = json.loads(path.with_suffix(".json").read_text())
        method, url, headers, body = read_request(path, case.get("inquire"))
        if case.get("rehearsal"):
            case["settings"]["secret_access_key"] = "X" * 16  # POSTERN_MASK
        problem = model_problem(model, method, url, body)
        if problem:
            failures += 1
            print(f"{path.name}: {problem}")
        theirs = sign(case["settings"], method, url, headers, body)
        if theirs != headers["Authorization"]:
            failures += 1
            print(f"{path.name}: botocore signs\n  {theirs}\nnot\n"
                  f"  {headers['Authorization']}")
    print(f"{len(paths)} requests, {failures} failures")
    return 1 if failures or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
