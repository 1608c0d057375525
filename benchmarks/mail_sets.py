"""How public sets of mail are read: `python -m benchmarks.mail_sets FOLDER`.

FOLDER holds checkouts under any names: go-sisimai, flufl.bounce (its source distribution),
Mail-DeliveryStatus-BounceParser, flanker. The verdicts are those of each set's own tests. No mail
of them is in this repository: `docs/explanation/mail-sets.md` says where they are from, and has the
counts.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import click

from halo_engine.mail.reading.incoming_mail import MailKind, read_mail

PAGE: Final = Path("docs/explanation/mail-sets.md")
_MARK: Final = "<!-- counts -->"


class Verdict(NamedTuple):
    """A mail of a set, and the class that its set says it is of."""

    file: Path
    of: str


#: Sisimai's names for an unknown user who is refused after the text, and for a suspended mailbox;
#: other collections call both hard.
_DISPUTED: Final = frozenset({"filtered", "suspend"})
_COMPLAINTS: Final = frozenset({"abuse", "opt-out"})
_PREFIXES: Final = {"Lhost": "lhost-", "Rhost": "rhost-"}
_ENTRY: Final = re.compile(
    r'\{"(\d+)",\s*\d+,\s*"[^"]*",\s*"[^"]*",\s*"([^"]*)",\s*(true|false),\s*"([^"]*)"'
)


def sisimai(root: Path) -> Iterator[Verdict]:
    """Yield the verdicts of go-sisimai: a mail is hard if it is for each of its recipients."""
    for test in sorted((root / "fact").glob("*_test.go")):
        public = test.read_text().partition("secretlist")[0]
        named = re.search(r"func Test(Lhost|Rhost|RFC|ARF)", public)
        engine = re.search(r'EngineTest\(t, "([^"]+)"', public)
        if named is None or engine is None:
            continue
        entries = defaultdict(list)
        for label, reason, hard, feedback in _ENTRY.findall(public):
            entries[label].append((reason, hard == "true", feedback))
        stem = _PREFIXES.get(named[1], "") + engine[1].lower()
        for label, recipients in entries.items():
            file = root / "set-of-emails" / "maildir" / "bsd" / f"{stem}-{label}.eml"
            if file.exists():
                yield Verdict(file, f"sisimai: {_class(recipients)}")


def _class(recipients: Sequence[tuple[str, bool, str]]) -> str:
    reasons = {reason for reason, *_ in recipients}
    if reasons == {"feedback"}:
        types = {feedback for *_, feedback in recipients}
        return "complaint" if types <= _COMPLAINTS else "other feedback"
    if reasons <= {"vacation", "delivered"}:
        return next(iter(reasons))
    if all(hard for _, hard, _ in recipients):
        return "hard"
    return "disputed" if reasons & _DISPUTED else "not hard"


def flufl(root: Path) -> Iterator[Verdict]:
    """Yield the verdicts of flufl.bounce, which tells temporary from permanent failures."""
    tests = (root / "tests" / "test_detectors.py").read_text()
    rows = re.findall(r"\('\w+', '(\w+\.txt)',\s*(\[[^\]]*\]), (True|False)\)", tests)
    for name, addresses, goes_on in rows:
        if addresses != "[]":
            of = "flufl: temporary" if goes_on == "True" else "flufl: permanent, of any kind"
            yield Verdict(root / "tests" / "data" / name, of)


#: The beginnings of file names in a set, each with its verdict.
_RJBS: Final = {
    "spam": "spam refused",
    "junk": "spam refused",
    "quota": "mailbox full",
    "message-too-large": "too large",
    **dict.fromkeys(
        ("aol-vacation", "polish-autoreply", "bluebottle", "boxbe", "whitelist", "autoreply"),
        "no bounce",
    ),
}


def rjbs(root: Path) -> Iterator[Verdict]:
    """Yield the verdicts of Mail-DeliveryStatus-BounceParser."""
    folder = root / "t" / "corpus"
    tests = (root / "t" / "various-unknown.t").read_text()
    unknown = {
        name: "std_reason" not in said
        for name, said in re.findall(r'"([\w.-]+\.msg)" => \{(.*?)\n    \}', tests, re.DOTALL)
    }
    for file in sorted(folder.glob("*.msg")):
        if unknown.get(file.name):
            yield Verdict(file, "rjbs: unknown user")
        for prefix, of in _RJBS.items():
            if file.name.startswith(prefix):
                yield Verdict(file, f"rjbs: {of}")


def flanker(root: Path) -> Iterator[Verdict]:
    """Yield the complaints of flanker's fixtures."""
    folder = root / "tests" / "fixtures" / "messages" / "complaints"
    return (Verdict(file, "flanker: complaint") for file in sorted(folder.glob("*.eml")))


#: A set is known by this file or folder in it.
SETS: Final[Mapping[str, Callable[[Path], Iterator[Verdict]]]] = {
    "fact/01-rise_test.go": sisimai,
    "tests/test_detectors.py": flufl,
    "t/corpus": rjbs,
    "tests/fixtures/messages/complaints": flanker,
}
#: The columns of the table.
KINDS: Final = tuple(MailKind)


def verdicts(folder: Path) -> Iterator[Verdict]:
    """Yield the verdicts of every set in a folder."""
    for root in sorted(folder.iterdir()):
        for mark, read in SETS.items():
            if (root / mark).exists():
                yield from read(root)


def count(found: Iterator[Verdict]) -> dict[str, Counter[MailKind]]:
    """Return, for each class, how many of its mails are read as which kind."""
    counts: dict[str, Counter[MailKind]] = defaultdict(Counter)
    for verdict in found:
        counts[verdict.of][read_mail(verdict.file.read_bytes()).kind] += 1
    return dict(sorted(counts.items()))


def table(counts: Mapping[str, Counter[MailKind]]) -> str:
    """Return the counts as Markdown."""
    head = ["set: class", "mails", *KINDS]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for of, kinds in counts.items():
        lines.append([of, str(kinds.total()), *[str(kinds[kind] or "") for kind in KINDS]])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--write", is_flag=True, help=f"Write the counts into {PAGE}.")
@click.option("--list", "listed", metavar="CLASS:KIND", help="Name the mails of a class and kind.")
def main(folder: Path, write: bool, listed: str | None) -> None:
    """Read the sets of mail in FOLDER, and print how each class of them is read."""
    if listed is not None:
        of, _, kind = listed.rpartition(":")
        for verdict in verdicts(folder):
            read = read_mail(verdict.file.read_bytes())
            if (verdict.of, read.kind) == (of, kind):
                click.echo(f"{verdict.file} {read.reason or ''}")
        return
    counted = table(count(verdicts(folder)))
    click.echo(counted)
    if write:
        before, _, after = PAGE.read_text().partition(_MARK)
        rest = after.partition(_MARK)[2]
        PAGE.write_text(f"{before}{_MARK}\n\n{counted}\n\n{_MARK}{rest}")


if __name__ == "__main__":
    main()
