"""What each provider has got of a message, and what it may differ by.

One entry of PROVIDERS per module: its settings, how its API spells what the
sandbox shows, and what it cannot carry. A difference has a name here, or it is
a defect.
"""
import base64
import json
import re

import intended
import reencoded
from intended import File, Mail
from test_providers import PROVIDERS as SETTINGS

ALTERING = ["signed", "encrypted", "dkim", "calendar", "alternative", "inline",
            "nested", "report"]


# --- what is altered: (words for the table, what becomes of the message) ---

def law(words):
    return lambda change: (words, change)


@law("of several fields with one name the first arrives")
def one_of_a_name(mail):
    first = {}
    for name, value in mail.fields:
        first.setdefault(name.lower(), (name, value))
    mail.fields = list(first.values())


@law("fields whose value is not plain ASCII do not arrive")
def ascii_fields(mail):
    mail.fields = [f for f in mail.fields if f[1].isascii() and "=?" not in f[1]]


@law("pictures arrive as files, the HTML shows gaps")
def no_pictures(mail):
    for file in mail.files:
        file.content_id, file.is_inline = "", False


@law(None)  # the Content-ID says it
def no_dispositions(mail):
    for file in mail.files:
        file.is_inline = False


@law("charset and method of an attached text are not told")
def no_parameters(mail):
    for file in mail.files:
        file.type = file.type.partition(";")[0]


@law(None)  # said of the provider as a whole
def no_types(mail):
    for file in mail.files:
        file.type = ""


@law(None)  # what an API wants that takes no empty text
def space_as_text(mail):
    mail.text = mail.text or ("" if mail.html else " ")


@law(None)
def space_as_subject(mail):
    mail.subject = mail.subject or " "


@law("who is alone in Cc or Bcc arrives in To")
def someone_in_to(mail):
    if mail.to:
        return
    if mail.cc:
        mail.to, mail.cc = mail.cc[:1], mail.cc[1:]
    elif len(mail.bcc) == 1:
        mail.to, mail.bcc = mail.bcc, []


@law("a picture in the HTML is named by its Content-ID")
def pictures_named_by_id(mail):
    for file in mail.files:
        if file.content_id:
            file.name, file.content_id = file.content_id, ""


@law("From arrives without its name, unless `sender_name` is set")
def no_sender_name(mail):
    mail.sender = [("", address) for _, address in mail.sender]


def fields_without(pattern, words):
    @law(words)
    def change(mail):
        mail.fields = [f for f in mail.fields if not re.fullmatch(pattern, f[0], re.I)]
    return change


THREADING = "In-Reply-To|References"


@law(None)  # each id by itself
def bare_ids(mail):
    mail.fields = [(name, " ".join(re.findall("<[^<>]*>", value)))
                   if re.fullmatch(THREADING, name, re.I) else (name, value)
                   for name, value in mail.fields]


def names_without(characters):
    def without(name):
        kept = ""
        for piece in filter(None, re.split(f"[{characters}]+", name)):
            is_apart = not kept or kept.endswith(" ") or piece.startswith(" ")
            kept += piece if is_apart else f" {piece}"
        return kept if kept.strip() else ""

    @law(f"names arrive without `{characters}`")
    def change(mail):
        for who in ("sender", "reply_to", "to", "cc"):
            setattr(mail, who, [(without(name), address)
                                for name, address in getattr(mail, who)])
    return change


# --- what is refused: (words, whether this message is) ---

def one_author(who, may_be_none=False):
    return f"{who} takes exactly one address in From", \
        lambda mail: len(mail.sender) > 1 or not (mail.sender or may_be_none)


def one_reply_to(who):
    return f"{who} takes one address in Reply-To", lambda mail: len(mail.reply_to) > 1


def long_subject(who, characters):
    return f"{who} takes a Subject of at most {characters} characters", \
        lambda mail: len(mail.subject) > characters


def named(endings, who, is_allowed):
    return f"{who} takes no such attachment", lambda mail: any(
        (f.name.rpartition(".")[2].lower() in endings.split()) != is_allowed
        for f in mail.files)


def typed(types, who):
    return f"{who} takes no such attachment", lambda mail: any(
        f.type.partition(";")[0] not in types.split() for f in mail.files)


def repeats_an_id(mail):
    ids = [f.content_id.lower() for f in mail.files if f.is_inline]
    return len(set(ids)) < len(ids)


LONG_LINES = ("a line is longer than 998 octets",
              lambda mail: mail.longest_line > 998)


NOT_UTF8 = ("the message holds bytes that are not UTF-8", lambda mail: not mail.is_utf8)


def pgp(mail):
    kinds = [value for name, value in mail.header if name == "content-type"]
    return any("application/pgp-" in value for value in kinds)


def twice(words, names):
    """Of a field that may stand once."""
    return words, lambda mail: any(
        sum(name.lower() == n for n, _ in mail.header) > 1 for name in names.split())


class Provider:
    """settings: of the module; limit: recipients per call.

    tells_sender: the envelope's, which an API seldom takes.
    """

    tells_sender = False

    def __init__(self, settings, carries=(), laws=(), refuses=(), limit=1000):
        self.settings, self.limit = settings, limit
        self.carries, self.laws, self.refuses = set(carries), laws, refuses

    def refusal(self, letter, is_altering):
        """Words that the client's reply must have, or None."""
        missing = letter.traits - self.carries
        if missing and not is_altering:
            return next(TRAITS[t] for t in TRAITS if t in missing)
        return next((words for words, is_so in self.refuses
                     if is_so(letter.mail)), None)


TRAITS = {"signed": "is signed", "encrypted": "is encrypted",
          "date": "over Date or Message-ID", "dkim": "has a DKIM signature",
          "calendar": "holds a calendar invitation",
          "alternative": "has a form other than text and HTML",
          "inline": "shows images in its text", "nested": "holds another message",
          "report": "is a report for programs"}


class Whole(Provider):
    """Takes the message itself.

    steers: how names of fields begin that stay as they steer it; None: all do.
    own: fields it adds or takes for itself.
    needs: why leaves are encoded for it (reencoded.py).
    """

    def __init__(self, settings, lacks=(), carries_utf8=False, steers="none", own=(),
                 needs=reencoded.LONG_LINES, **more):
        super().__init__(settings, set(TRAITS) - set(lacks), **more)
        self.needs = needs
        self.carries_utf8, self.steers, self.own = carries_utf8, steers, own

    def is_passed_on(self, name):
        is_foreign = self.steers is not None and intended.STEERING.match(name) and \
            not intended.KEPT.match(name) and not name.startswith(self.steers)
        return not is_foreign and name not in self.own

    def without_own(self, raw):
        header, end, body = raw.partition(b"\r\n\r\n")
        kept = [field for field in re.split(rb"\r\n(?![ \t])", header)
                if self.is_passed_on(field.partition(b":")[0].decode("latin-1"))]
        return b"\r\n".join(kept) + end + body


class BySmtp(Whole):
    tells_sender = True


class Addressed(Whole):
    """Without an envelope: To, Cc and Bcc say who gets it, so they are written anew."""

    fields = ("to", "cc", "bcc")

    def is_passed_on(self, name):
        return super().is_passed_on(name) and \
            name.lower().removeprefix("resent-") not in self.fields


class Fields(Provider):
    """Takes the message as fields of JSON; keywords are names of members.

    own: header fields the module adds, and what it says in them.
    """

    carries_utf8 = False
    own = {}

    def __init__(self, settings, carries=("inline", "nested"), laws=(), refuses=(),
                 limit=1000, **members):
        super().__init__(settings, carries, laws, refuses, limit)
        self.members = dict(
            subject="subject", sender="from", reply_to="reply_to", to="to", cc="cc",
            bcc="bcc", text="text", html="html", files="attachments", fields="headers",
            address="email", name="name", data="content", file_name="filename",
            type="type", content_id="content_id", disposition="disposition",
            field_name="name", field_value="value")
        self.members.update(members)

    def get(self, of, what, default=None):
        return of.get(self.members[what], default)

    def mailboxes(self, value):
        """Of an object, a list, or a line as in a header."""
        if isinstance(value, str):
            return intended.split_addresses([value])
        if isinstance(value, dict):
            return [(intended.words(self.get(value, "name", "")), self.get(value, "address"))]
        return [pair for item in value or [] for pair in self.mailboxes(item)]

    def file(self, item):
        how = self.get(item, "disposition", "attachment")
        assert how in ("attachment", "inline"), how
        return File(name=self.get(item, "file_name"), type=self.get(item, "type", ""),
                    data=base64.b64decode(self.get(item, "data"), validate=True),
                    content_id=self.get(item, "content_id", "").removeprefix("cid:"),
                    is_inline=how == "inline")

    def header_fields(self, value):
        """All but what the module has added itself."""
        if isinstance(value, dict):
            found = list(value.items())
        else:
            found = [(self.get(item, "field_name"), self.get(item, "field_value"))
                     for item in value or []]
        return [(name, text) for name, text in found
                if not re.fullmatch(self.own.get(name, "(?!)"), text)]

    def read(self, raw):
        """The mails that one request is."""
        got = json.loads(raw)
        mail = Mail(subject=self.get(got, "subject", ""), text=self.get(got, "text", ""),
                    html=self.get(got, "html", ""),
                    files=[self.file(f) for f in self.get(got, "files", [])])
        for who in ("sender", "reply_to", "to", "cc", "bcc"):
            setattr(mail, who, self.mailboxes(self.get(got, who)))
        mail.fields = self.header_fields(self.get(got, "fields"))
        return [mail]

    def complete(self, meant, got):
        """meant with what only the server can have added."""


def inline_and_not(inline, files):
    """One list of two; which it was in, each says itself."""
    return [{**f, "disposition": how} for how, some in
            (("inline", inline), ("attachment", files)) for f in some or []]


class Mailjet(Fields):
    """Messages in a list; what the HTML shows apart from the other files."""

    def read(self, raw):
        return [mail for m in json.loads(raw)["Messages"]
                for mail in super(Mailjet, self).read(json.dumps({
                    **m, "Files": inline_and_not(m.get("InlinedAttachments"),
                                                 m.get("Attachments"))}))]


class Brevo(Fields):
    """The key of the try, and what comes back with events, are fields."""

    own = {"idempotencyKey": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
           "X-Mailin-custom": r"postern_id:\w{26}"}


class MailerSend(Fields):
    """Threading has members of its own."""

    def read(self, raw):
        got, (mail,) = json.loads(raw), super().read(raw)
        if "in_reply_to" in got:
            mail.fields.append(("In-Reply-To", f"<{got['in_reply_to']}>"))
        if "references" in got:
            mail.fields.append(
                ("References", " ".join(f"<{i}>" for i in got["references"])))
        return [mail]


class WithId(Fields):
    """Message-ID is kept."""

    def complete(self, meant, got):
        id_form = r"<[^<>\s]+@[^<>\s]+>"
        told = dict(reversed(meant.header))
        if re.fullmatch(id_form, value := told.get("message-id", "").strip()) or \
                "dkim-signature" in told:
            meant.fields += [("Message-ID", value)] if value else []
        else:
            meant.fields += [f for f in got.fields if f[0] == "Message-ID" and
                             re.fullmatch(id_form, f[1])] or [("Message-ID", "missing")]


class Postmark(WithId):
    """It takes a field to say that."""

    own = {"X-PM-KeepID": "true"}


class Azure(WithId):
    """Recipients and texts each in an object."""

    def read(self, raw):
        got = json.loads(raw)
        return super().read(json.dumps(got | got["recipients"] | got["content"]))


class Smtp2go(Fields):
    """What the HTML shows apart from the other files; Reply-To is a field."""

    own = {"Reply-To": ".*"}

    def read(self, raw):
        got = json.loads(raw)
        got["files"] = inline_and_not(got.get("inlines"), got.get("attachments"))
        got["reply_to"] = [f["value"] for f in got.get("custom_headers", [])
                           if f["header"] == "Reply-To"]
        return super().read(json.dumps(got))


class Scaleway(Fields):
    """Reply-To is a field."""

    own = {"Reply-To": ".*"}

    def read(self, raw):
        got = json.loads(raw)
        got["reply_to"] = [f["value"] for f in got.get("additional_headers", [])
                           if f["key"] == "Reply-To"]
        return super().read(json.dumps(got))


class SendGrid(Fields):
    """Texts in a list, and each personalization is a mail of its own."""

    def read(self, raw):
        got = json.loads(raw)
        texts = {c["type"]: c["value"] for c in got["content"]}
        got.update(text=texts.get("text/plain", ""), html=texts.get("text/html", ""))
        return [mail for p in got["personalizations"]
                for mail in super(SendGrid, self).read(json.dumps({**got, **p}))]


ONCE = ("sender reply-to subject in-reply-to references mime-version content-type "
        "content-transfer-encoding content-disposition to cc")
SCALEWAY_TYPES = (
    "application/acad application/acad-template application/autocad_dwg "
    "application/autocad_dxf application/dwf application/dxf application/ics "
    "application/msword application/pdf application/pkcs10 application/pkcs7-mime "
    "application/pkcs7-signature application/vnd.dwt application/vnd.ms-excel "
    "application/vnd.oasis.opendocument.spreadsheet "
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet "
    "application/vnd.openxmlformats-officedocument.spreadsheetml.template "
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document "
    "application/x-dwf application/x-dwg application/x-dwt application/x-dxf "
    "application/x-pkcs12 application/x-pkcs7-certificates "
    "application/x-pkcs7-certreqresp application/x-pkcs7-crl application/x-pkcs7-mime "
    "application/x-pkcs7-signature application/xml application/zip audio/mpeg audio/wav "
    "image/gif image/jpeg image/jpg image/png image/svg+xml image/tiff image/vnd.dwg "
    "image/vnd.dxf image/webp model/vnd.dwf text/calendar text/csv text/html text/plain "
    "text/xml")
PROVIDERS = {
    "ses": Whole(
        "region: us-east-1, access_key_id: SANDBOXACCESSKEYID01, "
        "secret_access_key: sandbox-secret-access-key", lacks=["date"], limit=50, steers="X-SES-",
        needs=reencoded.BOTH,
        refuses=[twice("Amazon SES takes only one field named", ONCE), LONG_LINES]),
    "sendgrid": SendGrid(
        "api_key: SG.sandbox-key", reply_to="reply_to_list",
        laws=[no_parameters, one_of_a_name, names_without(',;"'), someone_in_to,
              space_as_text, space_as_subject],
        refuses=[one_author("SendGrid"),
                 ("SendGrid takes no empty attachment",
                  lambda mail: any(not f.data for f in mail.files))]),
    "mailgun": Whole("domain: shop.example, api_key: key-sandbox",
                     refuses=[twice("a header field stands twice", ONCE), LONG_LINES]),
    "mailjet": Mailjet(
        SETTINGS["mailjet"], limit=50, subject="Subject", sender="From",
        reply_to="ReplyTo", to="To", cc="Cc", bcc="Bcc", text="TextPart",
        html="HTMLPart", files="Files", fields="Headers", address="Email", name="Name",
        data="Base64Content", file_name="Filename", type="ContentType",
        content_id="ContentID",
        laws=[no_parameters, one_of_a_name, someone_in_to, space_as_text,
              space_as_subject, fields_without(
                  "List-Id|X-Feedback-Id|X-CSA-Complaints",
                  "List-Id, X-Feedback-Id and X-CSA-Complaints are the provider's own")],
        refuses=[one_author("Mailjet"), one_reply_to("Mailjet"),
                 long_subject("Mailjet", 255)]),
    "mailtrap": Fields(
        SETTINGS["mailtrap"],
        laws=[no_parameters, one_of_a_name, space_as_text, space_as_subject],
        refuses=[one_author("Mailtrap"), one_reply_to("Mailtrap")]),
    "gmail": Addressed(
        SETTINGS["gmail"], limit=500, lacks=["dkim", "date"],
        refuses=[twice("a header field stands twice", ONCE.replace(" to cc", "")),
                 LONG_LINES]),
    "mandrill": Whole(
        SETTINGS["mandrill"], lacks=["dkim", "date"], limit=10, needs=reencoded.BOTH,
        steers="X-MC-", own=["X-MC-PreserveRecipients", "X-MC-Metadata", "X-MC-BccAddress"],
        refuses=[NOT_UTF8, twice("a header field stands twice", ONCE), LONG_LINES]),
    "mailersend": MailerSend(
        SETTINGS["mailersend"], limit=50, content_id="id",
        laws=[no_types, names_without(",;"), someone_in_to, space_as_text,
              space_as_subject, bare_ids, fields_without(
                  f"(?!{THREADING}).*", "header fields but In-Reply-To and References "
                  "arrive only with `headers`")],
        refuses=[one_author("MailerSend"), one_reply_to("MailerSend"),
                 ("MailerSend would take {{ or {$", lambda mail: any(
                     sign in text for sign in ("{{", "{$")
                     for text in (mail.subject, mail.text, mail.html))),
                 named("txt csv log css ics xml jpg jpe jpeg gif png bmp psd tif tiff svg "
                       "indd ai eps doc docx rtf odt ott pdf pub pages mobi epub mp3 m4a "
                       "m4v wma ogg flac wav aif aifc aiff mp4 mov avi mkv mpeg mpg wmv "
                       "xls xlsx ods numbers odp ppt pptx pps key zip vcf eml p7c p7m p7s "
                       "pgp asc sig", "MailerSend", True)]),
    "msgraph": Addressed(
        SETTINGS["msgraph"], limit=500,
        lacks=["dkim", "date", "calendar", "alternative", "report"],
        refuses=[("when it is S/MIME, not PGP/MIME", pgp),
                 ("From must be one address", lambda mail: len(mail.sender) != 1),
                 twice("a header field stands twice", ONCE.replace(" to cc", "")),
                 LONG_LINES]),
    "postmark": Postmark(
        SETTINGS["postmark"], limit=50, subject="Subject", sender="From",
        reply_to="ReplyTo", to="To", cc="Cc", bcc="Bcc", text="TextBody",
        html="HtmlBody", files="Attachments", fields="Headers", data="Content",
        file_name="Name", type="ContentType", content_id="ContentID",
        field_name="Name", field_value="Value", laws=[no_dispositions, space_as_text],
        refuses=[one_author("Postmark"), named(
            "vbs exe bin bat chm com cpl crt hlp hta inf ins isp jse lnk mdb pcd pif reg "
            "scr sct shs vbe vba wsf wsh wsl msc msi msp mst", "Postmark", False)]),
    "brevo": Brevo(
        SETTINGS["brevo"], carries=[], limit=99, sender="sender", reply_to="replyTo",
        text="textContent", html="htmlContent", files="attachment", file_name="name",
        laws=[no_pictures, no_types, one_of_a_name, ascii_fields, someone_in_to,
              space_as_text, space_as_subject],
        refuses=[one_author("Brevo"), one_reply_to("Brevo"),
                 named("xlsx xls ods docx docm doc csv pdf txt gif jpg jpeg png tif tiff "
                       "rtf bmp cgm css shtml html htm zip xml ppt pptx tar ez ics mobi "
                       "msg pub eps odt mp3 m4a m4v wma ogg flac wav aif aifc aiff mp4 mov "
                       "avi mkv mpeg mpg wmv pkpass xlsm", "Brevo", True)]),
    "sendlayer": Fields(
        SETTINGS["sendlayer"], limit=10, subject="Subject", sender="From",
        reply_to="ReplyTo", to="To", cc="CC", bcc="BCC", text="PlainContent",
        html="HTMLContent", files="Attachments", fields="Headers", data="Content",
        file_name="Filename", type="Type", content_id="ContentId",
        disposition="Disposition",
        laws=[no_parameters, one_of_a_name, someone_in_to, space_as_text, space_as_subject],
        refuses=[one_author("SendLayer")]),
    "resend": Fields(
        SETTINGS["resend"], limit=50,
        laws=[no_types, no_dispositions, one_of_a_name, someone_in_to, space_as_text,
              space_as_subject],
        refuses=[one_author("Resend")]),
    "smtp2go": Smtp2go(
        SETTINGS["smtp2go"], limit=100, sender="sender", text="text_body",
        html="html_body", files="files", fields="custom_headers", data="fileblob",
        type="mimetype", field_name="header",
        laws=[no_parameters, pictures_named_by_id, someone_in_to, space_as_text,
              space_as_subject],
        refuses=[one_author("SMTP2GO")]),
    "scaleway": Scaleway(
        SETTINGS["scaleway"], carries=[], limit=10, file_name="name",
        fields="additional_headers", field_name="key",
        laws=[no_pictures, no_parameters, someone_in_to, space_as_text, space_as_subject],
        refuses=[one_author("Scaleway"),
                 ("Scaleway takes no more attachments than max_attachments",
                  lambda mail: len(mail.files) > 10),
                 typed(SCALEWAY_TYPES, "Scaleway")]),
    "azure": Azure(
        SETTINGS["azure"], carries=["inline"], limit=50, sender="senderAddress",
        reply_to="replyTo", text="plainText", address="address", name="displayName",
        data="contentInBase64", file_name="name", type="contentType",
        content_id="contentId",
        laws=[no_parameters, no_dispositions, no_sender_name, one_of_a_name,
              someone_in_to, space_as_text, space_as_subject],
        refuses=[one_author("Azure"), ("Azure takes a Content-ID once", repeats_an_id)]),
    "sparkpost": Whole(
        SETTINGS["sparkpost"], own=["X-MSYS-API"], needs=reencoded.BOTH,
        refuses=[one_author("SparkPost", may_be_none=True), NOT_UTF8,
                 twice("a header field stands twice", ONCE), LONG_LINES]),
    "raw": Whole("", carries_utf8=True, steers=None, needs=()),
    "smtp": BySmtp(SETTINGS["smtp"], carries_utf8=True, steers=None, limit=100),
}
