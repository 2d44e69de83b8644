"""Write README's table of lectures: titles and goals from the notebooks, minutes from the plan.

python tools/table.py
"""

import re

from course import NOTEBOOKS, PLANNED, README, plan, read

TABLE = re.compile(r"(<!-- lectures -->\n).*?(<!-- /lectures -->)", re.S)


def table() -> str:
    """Return README's text with the table written anew."""
    rows = ["| | Lecture | You will be able to | Minutes |", "| --- | --- | --- | --- |"]
    for slug in plan.open_slugs():
        opening = read(NOTEBOOKS / f"{slug}.ipynb").cells[0].source
        title = opening.splitlines()[0].removeprefix("# ")
        goals = re.search(r"\*\*You will be able to\*\*.*?\n\s*[-*] (.+)", opening)
        rows.append(
            f"| {slug[:2]} | [{title}](notebooks/{slug}.ipynb) "
            f"| {goals[1].rstrip('.;,') if goals else ''} | {PLANNED[slug].minutes} |"
        )
    return TABLE.sub(lambda m: m[1] + "\n".join(rows) + "\n" + m[2], README.read_text())


if __name__ == "__main__":
    README.write_text(table())
