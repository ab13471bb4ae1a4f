#!/usr/bin/env python3
"""Looks whether targets reach what they must not link, over any number of edges.

usage: reach.py PACKAGE.json REACH.tsv

REACH.tsv has a line `target, names` for each target that must stay small; names are targets and products of other
packages. A name that nothing in the package depends on is an error, so that none outlives what it meant.
"""

import json
import sys


def edges_of(package):
    edges = {}
    for target in package["targets"]:
        edges[target["name"]] = sorted(
            value[0] for dependency in target["dependencies"] for kind, value in dependency.items()
            if kind in ("byName", "product", "target"))
    return edges


def paths_from(start, edges):
    """Returns for each name that is reached the shortest path to it."""
    paths, waiting = {start: [start]}, [start]
    for name in waiting:
        for other in edges.get(name, []):
            if other not in paths:
                paths[other] = paths[name] + [other]
                waiting.append(other)
    return paths


def main():
    edges = edges_of(json.load(open(sys.argv[1])))
    known = set(edges).union(*edges.values())
    complaints = []
    for number, line in enumerate(open(sys.argv[2]), 1):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        target, _, names = line.partition("\t")
        where = f"{sys.argv[2]}:{number}"
        if target not in edges:
            complaints.append(f"{where}: {target} is no target")
            continue
        paths = paths_from(target, edges)
        for name in names.split():
            if name not in known:
                complaints.append(f"{where}: nothing depends on {name}")
            elif name in paths:
                complaints.append(f"{where}: {target} reaches {name}: {' > '.join(paths[name])}")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
