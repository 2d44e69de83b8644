"""The course's references: each said once, in ``references.bib``.

    python book/references.py      add what the lectures cite and the file lacks

A lecture's list stays as it is written; in the book each of its lines links to the bibliography. A
new entry is read off its line: look at it afterwards, and give it a DOI if it has one.
"""

import re
import sys
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools")]

import course  # noqa: E402

BIB = Path(__file__).with_name("references.bib")
NOWHERE = "No DOI or arXiv number."


def plain(text: str) -> str:
    """Return ``text`` such that two ways to write a title become equal."""
    text = unicodedata.normalize("NFKD", text).casefold()
    return " ".join(re.findall(r"[a-z0-9+φ]+", text))


def entries() -> dict[str, dict[str, str]]:
    """Return the fields of each entry by its key."""
    found = {}
    for key, body in re.findall(r"^@misc\{(\w+),\n(.*?)^\}", BIB.read_text("utf-8"), re.M | re.S):
        if key in found:
            raise ValueError(f"{key} stands twice in {BIB.name}")
        fields = re.findall(r"^  (\w+) = \{(.*)\},$", body, re.M)
        found[key] = {name: value.strip("{}") for name, value in fields}
    return found


def key_of(line: str, known: dict[str, str]) -> str | None:
    """Return the key of the entry whose title stands in a line; ``known`` maps titles to keys."""
    text = f" {plain(line)} "
    found = [title for title in known if f" {title} " in text]
    return known[max(found, key=len)] if found else None


def titles() -> dict[str, str]:
    """Return the keys by plain title, and by arXiv number, under which a work may be renamed."""
    every = entries().items()
    numbers = {plain("arXiv:" + one["eprint"]): key for key, one in every if "eprint" in one}
    return {plain(one["title"]): key for key, one in every} | numbers


def lines_of(text: str) -> list[str]:
    """Return the references of a text cell, one string each; what names no work is left out."""
    if "## References" not in text:
        return []
    lines = re.split(r"^- ", text.split("## References")[1], flags=re.M)[1:]
    return [line for line in lines if re.search(r"\b(1[89]|20)\d\d\b", line)]


def linked(text: str, known: dict[str, str]) -> str:
    """Return a text cell whose references link to the bibliography."""
    for line in lines_of(text):
        if key := key_of(line, known):
            text = text.replace(line, line.rstrip() + f" {{cite}}`{key}`\n")
    return text


def missing() -> list[str]:
    """Return the lectures' references that have no entry."""
    known = titles()
    return [
        line
        for path in course.lectures()
        for cell in course.read(path).cells
        if cell.cell_type == "markdown"
        for line in lines_of(cell.source)
        if key_of(line, known) is None
    ]


def entry(line: str, taken) -> tuple[str, str]:
    """Return the key and the text of the entry that a reference's line tells."""
    line = " ".join(line.split())
    by_dates = re.match(r"(.+?)[ ,]*\((\d{4})\)\.? \*?(.+?)(?:\*?\. |\*?\.$)(.*)$", line)
    by_stars = re.match(r"(.+?), \*(.+?)\*,? ?(.*?)((?:19|20)\d\d)", line)
    if by_stars:
        authors, title, where, year = by_stars.groups()
    elif by_dates:
        authors, year, title, where = by_dates.groups()
    else:
        raise SystemExit(f"no authors, title and year in: {line}")
    where = re.sub(r"\[.*|[*]", "", where).strip(" .,:;")
    people = re.split(r", and |, | and ", authors.replace(" et al.", ", others"))
    name = plain(people[0]).split()[-1] + year
    key = next(k for k in (name, *(name + c for c in "bcdefgh")) if k not in taken)
    fields = {"author": " and ".join(people), "title": f"{{{title}}}", "year": year}
    fields |= {"howpublished": where} if where else {}
    number = re.search(r"arXiv:([\w./-]+\d)", line)
    fields |= {"eprint": number[1]} if number else {"note": NOWHERE}
    body = "".join(f"  {field} = {{{value}}},\n" for field, value in fields.items())
    return key, f"@misc{{{key},\n{body}}}\n"


def main() -> None:
    while lines := missing():
        key, text = entry(lines[0], entries())
        BIB.write_text(f"{BIB.read_text('utf-8').rstrip()}\n\n{text}", "utf-8")
        print(text)
        if key_of(lines[0], titles()) is None:
            raise SystemExit(f"{key}: its title does not stand in its line; mend {BIB.name}")


if __name__ == "__main__":
    main()
