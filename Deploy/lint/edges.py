#!/usr/bin/env python3
"""Compares the package's real edges between targets with the list of allowed ones.

usage: edges.py PACKAGE.json EDGES.tsv

EDGES.tsv has a line `layer, target, targets it may import` for each target; a target may be imported only by targets
of a higher layer (or of the same one where the line says so with a `!` before the name, and a reason behind it).
A dependency that no file of the target imports is refused as well.
"""

import json
import re
import sys
from pathlib import Path


def read(path):
    layers, allowed, same = {}, {}, set()
    for number, line in enumerate(open(path), 1):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) < 2:
            sys.exit(f"{path}:{number}: expected layer, target, imports")
        layer, target = int(fields[0]), fields[1]
        layers[target] = layer
        names = fields[2].split() if len(fields) > 2 else []
        allowed[target] = {name.lstrip("!") for name in names}
        same |= {(target, name[1:]) for name in names if name.startswith("!")}
    return layers, allowed, same


IMPORT = re.compile(
    r"\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?import\s+"
    r"(?:(?:struct|class|enum|func|protocol|typealias|var|let)\s+)?(\w+)"
)


def imported(folder):
    """The modules that the files of a target import."""
    found = set()
    for path in folder.rglob("*.swift"):
        for line in path.read_text(encoding="utf-8").split("\n"):
            match = IMPORT.match(line)
            if match:
                found.add(match.group(1))
    return found


def unused(target):
    """What a target declares as a dependency and no file of it imports."""
    if target["type"] == "system":
        return []
    folder = Path(target.get("path") or f"{'Tests' if target['type'] == 'test' else 'Sources'}/{target['name']}")
    modules = imported(folder)
    names = [next(iter(value.values()))[0] for value in target["dependencies"]]
    return [name for name in names if name not in modules]


def main():
    package = json.load(open(sys.argv[1]))
    layers, allowed, same = read(sys.argv[2])
    complaints = []
    targets = {target["name"] for target in package["targets"]}
    for target in package["targets"]:
        name = target["name"]
        complaints += [f"{name} declares {other}, which no file of it imports" for other in unused(target)]
        if target["type"] == "test":
            continue
        if name not in layers:
            complaints.append(f"{name} is in no line of {sys.argv[2]}")
            continue
        edges = {value["byName"][0] for value in target["dependencies"] if "byName" in value} & targets
        for other in sorted(edges - allowed[name]):
            complaints.append(f"{name} imports {other}, which {sys.argv[2]} does not allow")
        for other in sorted(allowed[name] - edges):
            complaints.append(f"{sys.argv[2]} allows {name} to import {other}, which it does not")
        for other in sorted(edges):
            if layers.get(other, 99) >= layers[name] and (name, other) not in same:
                complaints.append(f"{name} (layer {layers[name]}) imports {other} of layer {layers.get(other)}")
    complaints += [f"{name} of {sys.argv[2]} is no target" for name in layers if name not in targets]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
