"""The letter every client sends, and whether it arrived as meant.

Two visible recipients, one in Cc, one blind; a subject and a text that are not
ASCII; an attachment with a name that is not ASCII and bytes that mail does not
like.
"""
import email
import email.policy
import urllib.request
from email.message import EmailMessage

SENDER = "orders@shop.example"
TO = ["ann@dest.example", "bob@dest.example"]
CC = ["cleo@dest.example"]
BCC = ["dora@dest.example"]
EVERYONE = TO + CC + BCC
SUBJECT = "Grüße aus Köln ✓"
TEXT = "Schöne Grüße,\n\n.\n..zwei Punkte\nAb hier: 10 €\n"
FILE_NAME = "Rechnung März.pdf"
FILE = b"%PDF-1.4\r\n\0\n.\r\n" + bytes(range(256)) * 40


def letter():
    """As a client that builds its own messages has it."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = f"Bestellungen Köln <{SENDER}>"
    message["To"] = ", ".join(TO)
    message["Cc"] = ", ".join(CC)
    message["Bcc"] = ", ".join(BCC)
    message["Subject"] = SUBJECT
    message.set_content(TEXT)
    message.add_attachment(FILE, maintype="application", subtype="pdf",
                           filename=FILE_NAME)
    return message


def write(path):
    """The same in a file; returns path."""
    path.write_bytes(letter().as_bytes())
    return path


def write_file(home):
    """The attachment alone."""
    path = home / FILE_NAME
    path.write_bytes(FILE)
    return path


def received(sandbox, entry):
    """What the provider has of it. For ses, which takes whole messages."""
    url = f"{sandbox.url}/_sandbox/messages/{entry['id']}/raw"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return email.message_from_bytes(answer.read(), policy=email.policy.default)


def check(test, sandbox):
    """Exactly one message came, and it is the letter, for everyone."""
    came = sandbox.messages()
    test.assertEqual(len(came), 1, came)
    test.assertEqual(sorted(came[0]["recipients"]), sorted(EVERYONE))
    message = received(sandbox, came[0])
    test.assertEqual(message["Subject"], SUBJECT)
    for field, expected in (("From", [SENDER]), ("To", TO), ("Cc", CC)):
        got = [a.addr_spec for a in message[field].addresses]
        test.assertEqual(got, expected)
    test.assertIsNone(message["Bcc"])
    text = message.get_body(("plain",)).get_content()
    test.assertEqual(text.replace("\r\n", "\n").rstrip("\n"), TEXT.rstrip("\n"))
    files = list(message.iter_attachments())
    test.assertEqual([f.get_filename() for f in files], [FILE_NAME])
    test.assertEqual(files[0].get_content(), FILE)
    return message
