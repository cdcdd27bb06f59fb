"""Sign the golden SES requests with botocore's signer and compare.

usage: verify_botocore.py DIR

Every DIR/*.request is read; its method, URL, headers and body (the last ones,
where keys were fetched first) are signed with the example credentials, and the
Authorization header must be the same. Exits with 77 (skipped) when botocore is
not installed.
"""

import datetime
import json
import pathlib
import sys

try:
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
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
    paths = [path for path in sorted(pathlib.Path(sys.argv[1]).glob("*.request"))
             if "not prepared" not in path.read_text()]
    for path in paths:
        case = json.loads(path.with_suffix(".json").read_text())
        method, url, headers, body = read_request(path, case.get("inquire"))
        if case.get("rehearsal"):
            case["settings"]["secret_access_key"] = "X" * 16  # POSTERN_MASK
        theirs = sign(case["settings"], method, url, headers, body)
        if theirs != headers["Authorization"]:
            failures += 1
            print(f"{path.name}: botocore signs\n  {theirs}\nnot\n"
                  f"  {headers['Authorization']}")
    print(f"{len(paths)} requests, {failures} failures")
    return 1 if failures or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
