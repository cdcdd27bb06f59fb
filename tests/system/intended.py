"""What a message says: text, files, names and addresses as its author meant.

Taken apart by Python's email package, so that the server's own parser has
something to be held against. What src/mail/README.md decides beyond the RFCs
(several texts, unknown charsets, safe file names) is decided here again, from
that text. Where the package itself is known to be wrong, a comment says so.
"""
import codecs
import copy
import dataclasses
import email
import email._parseaddr
import email.header
import email.message
import re

PASSING = re.compile(
    r"(X-.*|In-Reply-To|References|List-.*|Precedence|Auto-Submitted|Importance|"
    r"Priority|Organization|Thread-.*|Feedback-ID|Keywords|Comments|Sensitivity)$", re.I)
KEPT = re.compile(r"X-(Original-Message-ID|Mailbox-Line|Mailer)$", re.I)
STEERING = re.compile(
    r"X-(Postern|SES|SG|Mailgun|Mailin|Sib|PM|MSYS|Mailjet|MJ|MC|MT|MailerSend|Resend)-"
    rf"|X-SMTPAPI$|{KEPT.pattern}", re.I)


@dataclasses.dataclass
class File:
    name: str
    type: str
    data: bytes
    content_id: str = ""
    is_inline: bool = False
    charset: str = ""
    method: str = ""


@dataclasses.dataclass
class Mail:
    subject: str = ""
    sender: list = dataclasses.field(default_factory=list)
    reply_to: list = dataclasses.field(default_factory=list)
    to: list = dataclasses.field(default_factory=list)
    cc: list = dataclasses.field(default_factory=list)
    bcc: list = dataclasses.field(default_factory=list)
    text: str = ""
    html: str = ""
    files: list = dataclasses.field(default_factory=list)
    fields: list = dataclasses.field(default_factory=list)
    header: list = dataclasses.field(default_factory=list)  # all of it
    longest_line: int = 0  # of what is not encoded for any provider
    is_utf8: bool = True  # likewise

    def copy(self):
        return copy.deepcopy(self)


# --- characters ---

def decode(data, charset):
    """As UTF-8 would be, whatever the label says."""
    name = (charset or "").strip().lower()
    if name in ("", "us-ascii", "ascii", "unknown-8bit") or not known(name):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("windows-1252", "replace")
    else:
        text = data.decode(name, "replace")
    return text.replace("\0", "")


def known(charset):
    try:
        return codecs.lookup(charset) and True
    except LookupError:
        return False


def unfold(value):
    return re.sub(r"\r?\n(?=[ \t])", "", value).strip(" \t\r\n")


def header_text(raw):
    """A header value as a string: its bytes are UTF-8, or Windows-1252."""
    return decode(raw.encode("ascii", "surrogateescape"), "")


def field_text(raw):
    """As they are passed on: only UTF-8 counts."""
    return raw.encode("ascii", "surrogateescape").decode("utf-8", "replace")


def words(value):
    """The text of an unstructured field (RFC 2047)."""
    text = ""
    for chunk, charset in email.header.decode_header(value):
        if isinstance(chunk, str):
            text += chunk
        elif charset is None:
            text += chunk.decode("raw-unicode-escape")
        elif charset == "us-ascii":
            text += chunk.decode("ascii", "replace").replace("\ufffd", "?")
        else:
            text += decode(chunk, charset.split("*")[0])
    return re.sub(r"[\x00-\x1f\x7f]", " ", text)


# --- fields ---

def fields(part, name):
    return [header_text(value) for key, value in part.raw_items()
            if key.lower() == name.lower()]


def field(part, name):
    """Of several the last: nothing says which, and GMime has decided so."""
    found = fields(part, name)
    return unfold(found[-1]) if found else ""


def addresses(part, name):
    """(name, address) of each mailbox, those of groups in their place."""
    return split_addresses([unfold(v) for v in fields(part, name)])


def split_addresses(values):
    """getaddresses(), which gives nothing at all when a comment has a comma."""
    found = []
    for display, address in email._parseaddr.AddressList(", ".join(values)).addresslist:
        local, at, domain = address.rpartition("@")
        if re.match(r"\S+@\S+$", address) or '"' in address:
            if not domain.isascii():
                domain = domain.encode("idna").decode()
            found.append((words(display), local + at + domain))
    return found


def parameters(part, name):
    """Of Content-Type or Content-Disposition; RFC 2231 put together."""
    value = field(part, name)
    if not value:
        return {}
    # The package reads parameters of a message only, and 8-bit ones only when
    # they are text already.
    box = email.message.Message()
    box["Content-Type"] = value.replace("\r\n", "")
    out = {}
    for key, found in box.get_params([], unquote=True)[1:]:
        if isinstance(found, tuple):
            charset, _, text = found
            found = decode(text.encode("latin-1", "replace"), charset or "utf-8")
        elif "=?" in found:
            found = words(found)
        out.setdefault(key.lower(), found)
    return out


def media_type(part):
    value = field(part, "Content-Type")
    if not value:
        return part.get_default_type()
    found = re.match(r"([^\s;/]+)/([^\s;(]+)", value)
    if found:
        return found[0].lower()
    # RFC 2045 5.2 recommends text; what is a file is one all the same.
    is_file = disposition(part) == "attachment" or "name=" in value
    return "application/octet-stream" if is_file else "text/plain"


def disposition(part):
    return field(part, "Content-Disposition").split(";")[0].strip().lower()


def file_name(part):
    name = parameters(part, "Content-Disposition").get("filename") or \
        parameters(part, "Content-Type").get("name")
    return name


def safe_name(name, kind):
    """A name, never a path; without what breaks a header or a shell."""
    name = re.split(r"[/\\]", name or "")[-1].strip()
    name = name.encode()[:255].decode("utf-8", "ignore")
    if name in ("", ".", ".."):
        other = "txt" if kind.startswith(("text/", "message/")) else "dat"
        return f"attachment.{EXTENSIONS.get(kind, other)}"
    return re.sub(r'[\x00-\x1f\x7f"]', "_", name)


EXTENSIONS = {
    "application/json": "json", "application/pdf": "pdf", "application/zip": "zip",
    "application/pgp-signature": "asc", "application/pkcs7-signature": "p7s",
    "image/gif": "gif", "image/jpeg": "jpg", "image/png": "png",
    "image/svg+xml": "svg", "message/delivery-status": "txt",
    "message/rfc822": "eml", "text/calendar": "ics", "text/csv": "csv",
    "text/html": "html", "text/plain": "txt", "text/vcard": "vcf",
    "text/xml": "xml", "video/mp4": "mp4", "audio/mpeg": "mp3",
}


# --- the tree ---

class Entity(email.message.Message):
    """A message within a message is a leaf: its bytes must stay as they are."""

    def get_content_type(self):
        kind = super().get_content_type()
        return "application/octet-stream" if kind.startswith("message/") else kind


def message_of(raw):
    return email.message_from_bytes(raw, _class=Entity)


def payload(part):
    """The decoded bytes of a leaf."""
    encoding = "Content-Transfer-Encoding"
    if encoding in part:
        # The package looks at the value as it stands, folds and all.
        part.replace_header(encoding, field(part, encoding))
    return part.get_payload(decode=True) or b""


ESCAPES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


class Reader:
    """Sorts the leaves of one message into text, HTML and files."""

    def __init__(self):
        self.files, self.texts, self.htmls = [], [], []
        self.related = []  # per file: may the HTML show it

    def leaf(self, part, related, forms, group):
        kind, how = media_type(part), disposition(part)
        if kind in ("text/plain", "text/html") and how != "attachment" and \
                self.is_shown(part, kind, related, forms, group):
            content = decode(payload(part), parameters(part, "Content-Type").get("charset"))
            (self.htmls if kind == "text/html" else self.texts).append(content)
            return [(kind == "text/html", content)]
        told = parameters(part, "Content-Type")
        self.files.append(File(
            name=safe_name(file_name(part), kind), type=kind, data=payload(part),
            content_id=field(part, "Content-ID").strip("<> \t"),
            charset=told.get("charset", "") if kind.startswith("text/") else "",
            method=told.get("method", "") if kind == "text/calendar" else ""))
        self.related.append(related or how == "inline")
        return []

    def is_shown(self, part, kind, related, forms, group):
        """A second text with a name, or beside its like, is a file."""
        seen = self.htmls if kind == "text/html" else self.texts
        is_form = group is not None and (kind, group) not in self.groups
        if file_name(part) and not is_form and (self.texts or self.htmls):
            return False
        if seen and related and field(part, "Content-ID"):
            return False
        if forms is not None:
            if kind in forms:
                return False
            forms.add(kind)
        self.groups.add((kind, group))
        return True

    groups = frozenset()

    def walk(self, part, related=False, forms=None, group=None):
        """[(is HTML, text)] as a reader of HTML sees them, top to bottom."""
        kind = media_type(part)
        if not kind.startswith("multipart/"):
            return self.leaf(part, related, forms, group)
        if not isinstance(part.get_payload(), list):
            # Without a boundary, or without what it names, it is text.
            self.texts.append(decode(payload(part), "") if not part.defects or
                              "--" + (part.get_boundary() or "\n") not in
                              part.get_payload() else "")
            return [(False, self.texts[-1])]
        is_choice = kind == "multipart/alternative"
        inner = set() if is_choice else None
        if is_choice and group is None:
            group = id(part)
        shown = [self.walk(child, related or kind == "multipart/related", inner, group)
                 for child in part.get_payload()]
        if is_choice:
            html_in = [any(is_html for is_html, _ in s) for s in shown]
            shown = [[(is_html, t) for is_html, t in s if is_html or
                      not any(html_in[:i] + html_in[i + 1:])]
                     for i, s in enumerate(shown)]
            return [Marked(s) for child in shown for s in child]
        return [s for child in shown for s in child]

    def read(self, message):
        self.groups = set()
        shown = self.walk(message)
        text, html = join(self.texts), ""
        if self.htmls:
            # Where no form is marked as one, what stands before the HTML is
            # taken for its other form.
            first = next(i for i, s in enumerate(shown) if s[0])
            if not isinstance(shown[first], Marked):
                shown = [s for i, s in enumerate(shown)
                         if s[0] or i > first or isinstance(s, Marked)]
            html = join(self.htmls) if all(s[0] for s in shown) else blend(shown)
        for file, related in zip(self.files, self.related):
            file.is_inline = bool(file.content_id and related and
                                  file.content_id in references(html))
        return text, html


class Marked(tuple):
    """Of a multipart/alternative."""


def join(texts):
    out = ""
    for text in texts:
        out += ("\r\n" if out and not out.endswith("\n") else "") + text
    return out


def blend(shown):
    out, was_html = "", False
    for is_html, text in shown:
        out += "\r\n" if was_html else ""
        out += text if is_html else '<div style="white-space: pre-wrap">' + \
            re.sub("[<>&]", lambda m: ESCAPES[m[0]], text) + "</div>\r\n"
        was_html = is_html
    return out


def references(html):
    found = re.findall(r"""cid:([^"'<> \t\r\n)]+)""", html, re.I)
    return {re.sub(r"%([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), f)
            for f in found}


def parse(raw):
    """A Mail; its recipients are those of the header."""
    message = message_of(raw)
    text, html = (reader := Reader()).read(message)
    mail = Mail(subject=words(field(message, "Subject")), text=text, html=html,
                files=reader.files,
                sender=addresses(message, "From"), to=addresses(message, "To"),
                cc=addresses(message, "Cc"), reply_to=addresses(message, "Reply-To"))
    mail.bcc = addresses(message, "Bcc")
    mail.header = [(n.lower(), v) for n, v in message.raw_items()]
    mail.fields = [(name, re.sub(r"\r?\n[ \t]+", " ", field_text(value)).strip())
                   for name, value in message.raw_items()
                   if PASSING.match(name) and not STEERING.match(name)]
    return mail


# --- what not every provider carries (allow_altering) ---

def traits(message):
    """The words of allow_altering; "date" is dkim over Date or Message-ID."""
    found = set()
    for signature in fields(message, "DKIM-Signature"):
        names = re.search(r"(?:^|;)\s*h\s*=([^;]*)", signature)
        names = re.sub(r"\s", "", names[1] if names else "").lower().split(":")
        found |= {"dkim"} | ({"date"} if {"date", "message-id"} & set(names) else set())
    collect(message, [], found)
    return found


def collect(part, within, found):
    kind, how = media_type(part), disposition(part)
    told = field(part, "Content-Type").lower()
    if kind == "multipart/signed":
        found.add("signed")
    elif kind == "multipart/encrypted":
        found.add("encrypted")
    elif kind == "multipart/report":
        found.add("report")
    elif kind in ("message/rfc822", "message/global"):
        found.add("nested")
    elif kind.startswith("message/"):
        found.add("report")
    elif kind == "text/calendar":
        found |= {"calendar"} if how != "attachment" or "method=" in told else set()
    elif kind.startswith("text/"):
        if within[-1:] == ["multipart/alternative"] and how != "attachment" and \
                kind not in ("text/plain", "text/html"):
            found.add("alternative")
    elif kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        if not within:
            found.add("signed" if re.search("signed-data|certs-only", told) else "encrypted")
    elif field(part, "Content-ID") and not kind.startswith("multipart/") and \
            ("multipart/related" in within or how == "inline"):
        found.add("inline")
    if kind.startswith("multipart/") and isinstance(part.get_payload(), list):
        for child in part.get_payload():
            collect(child, within + [kind], found)
