"""Which leaves of a message may be encoded for a provider, and as what they count.

Decided here again, from src/mail/README.md and with Python's email package, so
that src/mail/recode has something to be held against: a message is cut at its
boundaries into bytes that must stay, and leaves.
"""
import dataclasses
import re

import intended

IDENTITY = "identity"
# Names of charsets stand there by mistake.
PLAIN = re.compile(r"|[78]bit|binary|utf-?8|(us-)?ascii|iso-8859-.*|windows-125.*")


@dataclasses.dataclass
class Piece:
    """Bytes that stay; of a leaf that may change its header and its body."""
    stays: bytes
    body: bytes | None = None

    def parts(self):
        return self.stays if self.body is None else self.stays + self.body


def encodings(part):
    """Of each Content-Transfer-Encoding."""
    words = [re.match(r"[^\s;(]*", intended.unfold(value).lower())[0]
             for value in intended.fields(part, "Content-Transfer-Encoding")]
    return {IDENTITY if PLAIN.fullmatch(word) else word for word in words} or {IDENTITY}


def is_clear(header, part):
    """Every reader sees the same encoding of the same bytes."""
    lines = re.split(rb"\r\n(?![ \t])", header.removesuffix(b"\r\n"))
    return all(re.match(rb"[!-9;-~]+[ \t]*:", line) for line in lines if line) and \
        len(intended.fields(part, "Content-Type")) < 2 and \
        len(found := encodings(part)) == 1 and \
        not found - {"base64", "quoted-printable", IDENTITY}


def is_canonical(body, encoding):
    """Every decoder makes the same of it."""
    if encoding == "base64":
        letters = re.sub(rb"[ \t\r\n]", b"", body)
        return len(letters) % 4 == 0 and re.fullmatch(rb"[A-Za-z0-9+/]*={0,2}", letters)
    return encoding == IDENTITY or \
        not re.search(rb"=(?![0-9A-Fa-f]{2}|\r\n)|[ \t](\r\n|\Z)", body)


def cut(raw, is_message=True, default="text/plain"):
    """The pieces of a message or a part, in their order."""
    if raw.startswith(b"\r\n"):
        header, body = b"", raw[2:]
    else:
        header, end, body = raw.partition(b"\r\n\r\n")
        header += end[:2]
        if not end:
            return [Piece(raw)]
    part = intended.message_of(header)
    part.set_default_type(default)
    kind, before = intended.media_type(part), header + b"\r\n"
    if kind == "multipart/signed" or \
            is_message and (intended.fields(part, "DKIM-Signature") or
                            intended.fields(part, "ARC-Message-Signature")):
        return [Piece(raw)]
    if kind.startswith("multipart/"):
        return [Piece(before)] + cut_parts(body, kind, part)
    if kind in ("message/rfc822", "message/global", "message/news") and \
            encodings(part) == {IDENTITY}:
        return [Piece(before)] + cut(body)
    if kind.startswith("message/") or not is_clear(header, part) or \
            not is_canonical(body, *encodings(part)):
        return [Piece(raw)]
    return [Piece(before, body)]


def cut_parts(body, kind, part):
    name = intended.parameters(part, "Content-Type").get("boundary", "")
    line = rb"(?:\A|\r\n)--" + re.escape(name.encode("utf-8", "replace")) + \
        rb"(--)?[ \t]*(?:\r\n|\Z)"
    out, at = [], None
    for found in re.finditer(line, body) if name else ():
        if at is None:
            out.append(Piece(body[:found.end()]))
        else:
            is_key = kind == "multipart/encrypted" and len(out) == 1
            # Directly after another boundary there is no part.
            inner = body[at:found.start()] if found.start() >= at else b""
            out += [Piece(inner)] if is_key else cut(
                inner, False, "message/rfc822" if kind == "multipart/digest"
                else "text/plain")
            out.append(Piece(body[max(at, found.start()):found.end()]))
        at = found.end()
        if found[1]:
            break
    return out + [Piece(body[at or 0:])]


# --- what is not taken as it is ---

def has_8bit(body):
    return not body.isascii()


def has_long_lines(body):
    return max(map(len, body.split(b"\r\n"))) > 998


EIGHT_BIT, LONG_LINES, BOTH = (has_8bit,), (has_long_lines,), (has_8bit, has_long_lines)


def remainder(raw):
    """What no encoding can change: all but the leaves."""
    return b"\r\n".join(piece.stays for piece in cut(raw))


def decoded(piece):
    return intended.payload(intended.message_of(piece.stays + piece.body))


def without_encoding(header):
    """And without MIME-Version, which is added where there is none."""
    return re.sub(rb"(?mi)^(?:Content-Transfer-Encoding|MIME-Version):.*\r\n(?:[ \t].*\r\n)*",
                  b"", header)


def difference(meant, got, needs):
    """None, or two texts that should be alike."""
    before, after = cut(meant), cut(got)
    if len(before) != len(after):
        return meant, got
    for a, b in zip(before, after):
        if a.body is None or not any(has(a.body) for has in needs):
            if a.parts() != b.parts():
                return a.parts(), b.parts()
            continue
        if without_encoding(a.stays) != without_encoding(b.stays):
            return a.stays, b.stays
        lines = b.body.split(b"\r\n")
        if not b.body.isascii() or max(map(len, lines)) > 76:
            return b"lines of 76 ASCII characters", b.body
        if decoded(a) != decoded(b):
            return decoded(a), decoded(b)
    return None
