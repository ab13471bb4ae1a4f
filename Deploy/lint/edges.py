#!/usr/bin/env python3
"""Compares the package's real edges between targets with the list of allowed ones.

usage: edges.py PACKAGE.json EDGES.tsv

EDGES.tsv has a line `layer, target, targets it may import` for each target; a target may be imported only by targets
of a higher layer (or of the same one where the line says so with a `!` before the name, and a reason behind it).
"""

import json
import sys


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


def main():
    package = json.load(open(sys.argv[1]))
    layers, allowed, same = read(sys.argv[2])
    complaints = []
    targets = {target["name"] for target in package["targets"]}
    for target in package["targets"]:
        name = target["name"]
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
