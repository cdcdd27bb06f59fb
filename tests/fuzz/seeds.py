#!/usr/bin/env python3
"""What the dialogs' clients send, and the corpus, for the targets that read it.

usage: seeds.py DIRECTORY    writes DIRECTORY/session/*, DIRECTORY/command/*,
                             DIRECTORY/mime/*, DIRECTORY/header/*
"""
import pathlib
import re
import sys

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "corpus"
DIALOGS = pathlib.Path(__file__).resolve().parent.parent / "dialog"
ESCAPES = {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"t": b"\t", b"\\": b"\\"}
MAX = 16 * 1024  # longer ones only make a run slow
# What the first byte of an input of session.c chooses.
LOGIN, OPEN = 0x20, 0x10
XCLIENT = 0x31  # the second: believed, with LOGIN, and messages are queued
TRANSPORTS = {"plain": 0, "starttls": 1, "tls": 2}


def unescape(text):
    def one(match):
        if match[1]:
            return bytes([int(match[1], 16)])
        if match[2]:
            return int(match[2]) * match[3]
        return ESCAPES[match[4]]
    return re.sub(rb"\\(?:x([0-9a-f]{2})|\{(\d+):([^}]*)\}|([rn0t\\]))", one, text)


def sent(script):
    """(settings, bytes) of a dialog; a TLS line separates nothing here."""
    settings, out = {}, b""
    for line in script.read_bytes().split(b"\n"):
        line = re.sub(rb"^\[[a-z ]*\] ", b"", line)
        if line.startswith(b"#! "):
            key, _, value = line[3:].decode().partition(" ")
            settings[key] = value
        elif line.startswith(b"C:"):
            out += line[3:] + b"\r\n"
        elif line.startswith(b"R: "):
            out += unescape(line[3:])
    return settings, out


def add_corpus(target):
    """Each message for both: the header alone is what one of them takes."""
    for name in ("mime", "header"):
        (target / name).mkdir(parents=True, exist_ok=True)
    for path in sorted(CORPUS.glob("*.eml")):
        data = re.sub(rb"\r?\n", b"\r\n", path.read_bytes())
        (target / "mime" / path.stem).write_bytes(data)
        head, end, _ = data.partition(b"\r\n\r\n")
        # Its first byte chooses settings.
        (target / "header" / path.stem).write_bytes(b"\0" + head + end)


def main(target):
    add_corpus(target)
    for name in ("session", "command"):
        (target / name).mkdir(parents=True, exist_ok=True)
    for script in sorted(DIALOGS.glob("*.smtp")):
        settings, data = sent(script)
        if not data or len(data) > MAX:
            continue
        first = settings.get("first")
        if first == "ehlo":
            data = b"EHLO client.test\r\n" + data
        flags = LOGIN if first == "auth" else OPEN if "open" in settings else 0
        (target / "command" / script.stem).write_bytes(b"\x07" + data)
        answers = XCLIENT if "xclient" in settings else 0
        for name, transport in TRANSPORTS.items():
            head = bytes([flags | transport, answers, 9])
            (target / "session" / f"{script.stem}-{name}").write_bytes(head + data)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
