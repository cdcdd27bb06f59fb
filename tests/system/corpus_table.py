"""What providers carry, told by what became of the corpus: a table for people.

It stands between two comments in providers/README.md. A row is a kind of
message, the first word of its name; providers that do the same share a column.
"""
import pathlib
import re

README = pathlib.Path(__file__).resolve().parents[2] / "providers" / "README.md"
BEGIN = "<!-- table of the corpus: POSTERN_TEST_UPDATE=1 test_corpus.py writes it -->\n"
END = "<!-- end of the table -->\n"
KINDS = {
    "text": "text or HTML alone", "alternative": "text and HTML",
    "several": "several texts", "charset": "charsets, one each", "subject": "subjects (RFC 2047)",
    "address": "names and addresses", "recipients": "To, Cc, Bcc, groups, lists",
    "file": "attachments", "name": "their names, in all languages",
    "inline": "pictures in the HTML", "nested": "forwarded messages, digests",
    "signed": "signed: S/MIME, PGP", "encrypted": "encrypted: S/MIME, PGP",
    "dkim": "DKIM signatures of one's own", "calendar": "invitations",
    "amp": "AMP and other forms", "report": "bounces, receipts, other reports",
    "header": "header fields", "eai": "mailboxes not in ASCII",
    "broken": "broken MIME",
}


class Notes:
    """Numbered in the order they are first needed."""

    def __init__(self):
        self.texts = []

    def number(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def tidy(why):
    """A reply without what is about one message, or names the provider."""
    why = re.sub(r", which no provider .*| to this recipient.*", "", why)
    why = re.sub(r"(no such attachment): .*", r"\1", why)
    why = re.sub(r"(takes only one field named) .*", r"\1 ...", why)
    why = re.sub(r" answered \d+: (\w+: )?", " answered ", why)
    return re.sub(r"(5\.6\.0) (Amazon )?\w+ (takes|answered)", r"\1 ... \3", why)


def notes_of(outcome):
    """The sentences that an outcome needs, none when all is as it was meant."""
    what, *words = outcome
    if what == "arrives":
        return [word[0].upper() + word[1:] + "." for word in words]
    text = f"`{tidy(words[0])}`."
    if len(words) > 1:
        text += " With `allow_altering` " + (
            "it arrives as text and files." if words[1] == "arrives" else
            f"still `{tidy(words[2])}`.")
    return [text]


def cell(outcomes, notes):
    arrived, every = sum(o[0] == "arrives" for o in outcomes), len(outcomes)
    word = "yes" if arrived == every else f"{arrived} of {every}" if arrived else "no"
    numbers = sorted({notes.number(text) for o in outcomes for text in notes_of(o)})
    return " ".join([word] + [f"[{n}]" for n in numbers])


def render(outcomes):
    """outcomes: of each provider, by the name of the letter."""
    notes, columns = Notes(), {}
    rows = {kind: sorted(n for n in next(iter(outcomes.values())) if n.split("-")[0] == kind)
            for kind in KINDS}
    cells = {name: {} for name in outcomes}
    for kind, letters in rows.items():
        for name in sorted(outcomes):
            cells[name][kind] = cell([outcomes[name][n] for n in letters], notes)
    for name in sorted(outcomes):
        columns.setdefault(tuple(cells[name].values()), []).append(f"`{name}`")
    lines = ["| | " + " | ".join(", ".join(names) for names in columns.values()) + " |",
             "|---" * (len(columns) + 1) + "|"]
    for i, kind in enumerate(KINDS):
        lines.append(f"| {KINDS[kind]} ({len(rows[kind])}) | " +
                     " | ".join(column[i] for column in columns) + " |")
    return "\n".join(lines) + "\n\n" + "".join(
        f"{i}. {text}\n" for i, text in enumerate(notes.texts, 1))


def check(outcomes, is_update):
    """What is wrong with the table in the README, or nothing."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    new = render(outcomes)
    if is_update:
        README.write_text(before + BEGIN + new + END + after, encoding="utf-8")
        return ""
    return "" if old == new else \
        f"the table in providers/README.md is another, POSTERN_TEST_UPDATE=1 writes:\n{new}"
