#!/usr/bin/env python3
"""Looks whether every library has a landing page that is true: the types that it names exist, and what it may import is what it may import.

usage: pages.py PACKAGE.json EDGES.tsv
"""

import json
import re
import sys
from pathlib import Path

from edges import read

DECLARATION = r"\b(?:class|struct|enum|actor|protocol|typealias) {}\b"


def complaints(name, system, allowed):
    page = Path("Sources") / name / "Documentation.docc" / f"{name}.md"
    if not page.exists():
        yield f"{page} is missing"
        return
    text = page.read_text(encoding="utf-8")
    code = "\n".join(path.read_text(encoding="utf-8") for path in page.parents[1].rglob("*.swift"))
    if not text.startswith(f"# ``{name}``\n"):
        yield f"{page}: the title is not the target's name"
    for link in re.findall(r"``(\w+)[/\w()_:]*``", text):
        if link != name and not re.search(DECLARATION.format(link), code):
            yield f"{page}: there is no {link}"
    told = re.search(r"^Targets: (.*?)\.", text, re.MULTILINE | re.DOTALL)
    imports = set(re.findall(r"`(\w+)`", told.group(1))) if told else set()
    if imports != allowed - system:
        yield f"{page}: may import {', '.join(sorted(allowed - system)) or 'no target'}"


def main():
    package = json.load(open(sys.argv[1]))
    _, allowed, _ = read(sys.argv[2])
    # Shims of system libraries are told by the libraries' own names.
    system = {target["name"] for target in package["targets"] if re.match("C[A-Z]", target["name"])}
    found = []
    for target in package["targets"]:
        if target["type"] == "regular" and not target.get("path") and target["name"] not in system:
            found += complaints(target["name"], system, allowed.get(target["name"], set()))
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
