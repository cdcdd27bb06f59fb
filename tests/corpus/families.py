"""Messages that differ in a word: charsets, names of files, sizes.

Made when a test runs. messages() gives (name, bytes), as the .eml files have
them.
"""
import base64
import urllib.parse

CHARSETS = {
    "us-ascii": "plain", "utf-8": "Grüße – ñ 山 🦊", "iso-8859-1": "Grüße aus Köln",
    "iso-8859-2": "Žluťoučký kůň", "iso-8859-3": "Ĉu vi ŝatas", "iso-8859-4": "Šķērsām",
    "iso-8859-5": "Привет", "iso-8859-7": "Καλημέρα", "iso-8859-8": "שלום",
    "iso-8859-9": "İyi günler", "iso-8859-13": "Ačiū", "iso-8859-15": "10 € für Œuvres",
    "windows-1250": "Příliš žluťoučký", "windows-1251": "Здравствуйте",
    "windows-1252": "„Grüße“ – 10 €", "windows-1253": "Γειά σου", "windows-1254": "Şöyle",
    "windows-1255": "שלום", "windows-1256": "مرحبا", "windows-1257": "Labrīt",
    "windows-1258": "Đây là", "koi8-r": "Добрый день", "koi8-u": "Привіт", "ibm866": "Привет",
    "gb2312": "你好", "gbk": "你好嗎", "gb18030": "你好 €", "big5": "您好",
    "euc-jp": "こんにちは", "shift_jis": "こんにちは", "iso-2022-jp": "こんにちは",
    "euc-kr": "안녕하세요", "iso-2022-kr": "안녕", "tis-620": "สวัสดี",
    "utf-16be": "Grüße 山", "utf-7": "Grüße",
}
NAMES = {
    "german": "Rechnung März.pdf", "french": "Reçu n° 1 – été.pdf", "czech": "Účtenka č. 1.pdf",
    "polish": "Zażółć gęślą.pdf", "turkish": "İş güncesi.pdf", "russian": "Счёт за март.pdf",
    "ukrainian": "Рахунок ґ.pdf", "greek": "Τιμολόγιο.pdf", "hebrew": "חשבונית.pdf",
    "arabic": "فاتورة.pdf", "persian": "فاکتور گچ.pdf", "hindi": "बीजक.pdf",
    "thai": "ใบแจ้งหนี้.pdf", "chinese": "发票 三月.pdf", "japanese": "請求書 3月.pdf",
    "korean": "청구서.pdf", "vietnamese": "Hóa đơn.pdf", "georgian": "ინვოისი.pdf",
    "emoji": "party 🎉👩‍👧.pdf",
}
HEAD = "From: Shop <orders@shop.example>\r\nTo: Ann <ann@dest.example>\r\n"
PDF = "\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n"


def word(text, charset):
    data = base64.b64encode(text.encode(charset)).decode()
    return f"=?{charset}?B?{data}?="


def in_charset(charset, text):
    """The charset in subject, name and text; the text as it is and encoded."""
    encoded = text.encode(charset)
    head = (f"{HEAD}Subject: {word(text, charset)}\r\nCc: {word(text, charset)} "
            "<cleo@dest.example>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=b1\r\n\r\n")
    part = f"--b1\r\nContent-Type: text/plain; charset={charset}\r\n"
    raw = (encoded if b"\0" not in encoded else b"") + b"\r\n"
    if charset.startswith("utf-16"):
        part, raw = "--b1\r\nContent-Type: text/plain\r\n", b"a charset for base64 only\r\n"
    return (head + part).encode() + b"Content-Transfer-Encoding: 8bit\r\n\r\n" + raw + \
        (f"--b1\r\nContent-Type: text/plain; charset=\"{charset.upper()}\"\r\n"
         f"Content-Transfer-Encoding: base64\r\n\r\n").encode() + \
        base64.b64encode(encoded) + b"\r\n--b1--\r\n"


def continued(name):
    """RFC 2231: pieces of one parameter, cut anywhere."""
    text = "utf-8''" + urllib.parse.quote(name)
    pieces = [text[i:i + 30] for i in range(0, len(text), 30)]
    return ";\r\n".join(f" filename*{i}*={piece}" for i, piece in enumerate(pieces))


def named(name):
    """One file under each way to write its name."""
    parts = [
        f"; name=\"{word(name, 'utf-8')}\"",
        f"\r\nContent-Disposition: attachment; filename*=UTF-8''{urllib.parse.quote(name)}",
        f"\r\nContent-Disposition: attachment;\r\n{continued(name)}",
        f"\r\nContent-Disposition: attachment; filename=\"{name}\"",
        f"\r\nContent-Disposition: attachment; filename=\"{word(name[:5], 'utf-8')}\r\n"
        f" {word(name[5:], 'utf-8')}\"",
    ]
    return (f"{HEAD}Subject: a name in five ways\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=b1\r\n\r\n"
            "--b1\r\nContent-Type: text/plain\r\n\r\ntext\r\n" +
            "".join(f"--b1\r\nContent-Type: application/pdf{p}{PDF}" for p in parts) +
            "--b1--\r\n").encode()


def mixed(*parts, subject="large"):
    return (f"{HEAD}Subject: {subject}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=b1\r\n\r\n" +
            "".join(f"--b1\r\n{p}\r\n" for p in parts) + "--b1--\r\n").encode()


def file_of(size, number=0):
    data = bytes((i * 7 + i // 251 + number) % 256 for i in range(size))
    return (f"Content-Type: application/zip; name={number}.zip\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n" +
            base64.encodebytes(data).decode().replace("\n", "\r\n"))


def large():
    crowd = ",\r\n ".join(f"Person {i} <p{i}@dest.example>" for i in range(60))
    yield "recipients-sixty", (
        f"From: Shop <orders@shop.example>\r\nTo: {crowd}\r\nSubject: sixty\r\n\r\n"
        "text\r\n").encode()
    blind = ", ".join(f"p{i}@dest.example" for i in range(12))
    yield "recipients-twelve-blind", (
        f"{HEAD}Bcc: {blind}\r\nSubject: one is shown\r\n\r\ntext\r\n").encode()
    yield "file-one-megabyte", mixed("Content-Type: text/plain\r\n\r\ntext",
                                     file_of(1024 * 1024))
    yield "file-fifty", mixed("Content-Type: text/plain\r\n\r\ntext",
                              *(file_of(100, i) for i in range(50)))
    yield "text-megabyte", (f"{HEAD}Subject: much to read\r\n\r\n" +
                            "all work and no play\r\n" * 50000).encode()
    yield "header-huge", (
        HEAD + "Subject: forty fields of a kilobyte\r\n" +
        "".join(f"X-Large-{i}: " + "\r\n ".join(["x" * 70] * 14) + "\r\n"
                for i in range(40)) + "\r\ntext\r\n").encode()
    references = "\r\n ".join(f"<{i}.{'r' * 40}@shop.example>" for i in range(200))
    yield "header-references", (
        f"{HEAD}Subject: a long thread\r\nReferences: {references}\r\n\r\ntext\r\n").encode()
    yield "text-line-too-long", (
        f"{HEAD}Subject: lines longer than mail allows\r\n\r\n"
        f"{'y' * 5000}\r\n{'word ' * 1000}\r\n").encode()
    yield "text-html-one-line", (
        f"{HEAD}Subject: HTML in one line\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/html\r\n\r\n<p>{'<b>x</b>' * 2000}</p>\r\n").encode()
    yield "text-8bit-every-byte", (
        f"{HEAD}Subject: bytes of no charset\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n").encode() + \
        bytes(b for b in range(1, 256) if b not in (10, 13)) + b"\r\n"
    yield "subject-raw-latin1", HEAD.encode() + \
        b"Subject: Gr\xfc\xdfe\r\nX-Note: Gr\xfc\xdfe\r\n\r\ntext\r\n"


def messages():
    for charset, text in CHARSETS.items():
        yield f"charset-{charset.replace('_', '-')}", in_charset(charset, text)
    for language, name in NAMES.items():
        yield f"name-{language}", named(name)
    yield from large()
