"""Sign the golden requests of azure anew, with Python's hmac, and compare.

usage: verify_azure.py DIR

Every DIR/*.request is read; what Microsoft's tutorial on signing says of its
method, URL, date and body is signed with the key of the case, and digest and
Authorization must be the same.
"""
import base64
import datetime
import hashlib
import hmac
import json
import pathlib
import sys
import urllib.parse


def read_request(path):
    head, _, body = path.read_bytes().partition(b"\n\n")
    lines = head.decode().split("\n")
    method, url = lines[0].split(" ", 1)
    return method, urllib.parse.urlsplit(url), \
        dict(line.split(": ", 1) for line in lines[1:]), body


def b64(data):
    return base64.b64encode(data).decode()


def faults(path):
    case = json.loads(path.with_suffix(".json").read_text())
    method, url, headers, body = read_request(path)
    now = datetime.datetime.fromtimestamp(case["now"], datetime.timezone.utc)
    date = now.strftime("%a, %d %b %Y %H:%M:%S GMT")
    digest = b64(hashlib.sha256(body).digest())
    host = url.netloc.removesuffix(":443" if url.scheme == "https" else ":80")
    to_sign = f"{method}\n{url.path}?{url.query}\n{date};{host};{digest}"
    mac = hmac.digest(base64.b64decode(case["settings"]["access_key"], validate=True),
                      to_sign.encode(), "sha256")
    expected = {
        "x-ms-date": date, "x-ms-content-sha256": digest,
        "Authorization": "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&"
                         f"Signature={b64(mac)}"}
    return [f"{path.name}: {name} is {headers.get(name)}, not {value}"
            for name, value in expected.items() if headers.get(name) != value]


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.request"))
    wrong = [fault for path in paths for fault in faults(path)]
    print("\n".join(wrong + [f"{len(paths)} requests, {len(wrong)} failures"]))
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
