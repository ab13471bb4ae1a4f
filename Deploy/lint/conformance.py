#!/usr/bin/env python3
"""Looks whether the rows of Docs/conformance.md are true as far as that can be seen: the tests exist, the states are known, the numbers fit.

usage: conformance.py
"""

import ast
import re
import sys
from collections import Counter
from pathlib import Path

PAGE = Path("Docs/conformance.md")
STATES = re.compile(
    r"works|untested|missing|left out: (media|push|application services|federation|administration|single sign-on)")
TEST = re.compile(r"`([\w+]+\.(?:py|swift))`(?: ([^,`]+))?")


def declared(path, name):
    """Whether a test of that name is in a file: a function of Python that the script runs, a test or suite of Swift."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return name in run(ast.parse(text))
    return re.search(rf"func `{re.escape(name)}`|(struct|class|func) {re.escape(name)}\b", text)


def run(script):
    """The names of what a script defines and comes to use, from its statements on."""
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    known = {part.name: part for part in ast.walk(script) if isinstance(part, definitions)}
    found, new = set(), [part for part in script.body if not isinstance(part, definitions)]
    while new:
        used = {getattr(part, "id", getattr(part, "attr", None)) for top in new for part in ast.walk(top)}
        names = (used & set(known)) - found
        found |= names
        new = [known[name] for name in names]
    return found


def complaints(rows, files):
    for number, row in rows:
        cells = [cell.strip() for cell in row.strip().strip("|").split(" | ")]
        if len(cells) != 4:
            yield f"{PAGE}:{number}: a row has behaviour, source, test and state"
            continue
        tests, state = TEST.findall(cells[2]), cells[3]
        if not STATES.fullmatch(state):
            yield f"{PAGE}:{number}: {state!r} is no state"
        if state == "works" and not tests:
            yield f"{PAGE}:{number}: what works has a test"
        for file, name in tests:
            found = files.get(file)
            if found is None:
                yield f"{PAGE}:{number}: there is no {file} below Tests"
            elif name.strip() and not declared(found, name.strip()):
                yield f"{PAGE}:{number}: {file} runs no test {name.strip()!r}"


def sums(text, rows):
    """The numbers of the page's head, which must be those of the rows."""
    counts = Counter(row.rsplit("|", 2)[1].strip().split(":")[0] for _, row in rows)
    wanted = ", ".join(f"{counts[state]} {word}" for state, word in (
        ("works", "work"), ("untested", "untested"), ("missing", "missing"), ("left out", "left out")))
    return f"{wanted}, of {len(rows)}." if f"{wanted}, of {len(rows)}." not in text else None


def main():
    text = PAGE.read_text(encoding="utf-8")
    rows = [(number, line) for number, line in enumerate(text.splitlines(), 1)
            if line.startswith("| ") and not line.startswith("| Behaviour")]
    files = {path.name: path for path in Path("Tests").rglob("*") if path.suffix in (".py", ".swift")}
    found = list(complaints(rows, files))
    wrong = sums(text, rows)
    if wrong:
        found.append(f"{PAGE}: the sum is: {wrong}")
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
