#!/usr/bin/env python3
"""Looks for what must not stand in the repository: unfinished business, forced unwraps, codes of errors in free spelling, paths of a machine."""

import re
import subprocess
import sys

RULES = [
    (r"\b(TODO|FIXME|XXX)\b", "unfinished business", r"."),
    (r"\btry!|\bas!\s|\bfatalError\(", "a trap", r"^Sources/.*\.swift$"),
    (r'"(M_[A-Z]|ORG\.MATRIX\.MSC)', "a code of an error, which is spelled in ErrorCode.swift", r"^Sources/(?!MatrixPrimitives/ErrorCode).*\.swift$"),
    (r"(?<![\w./])/(root|home/\w+|Users/\w+)/", "a path of a machine", r"."),
]
EXEMPT = {"Deploy/lint/words.py"}


def main():
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
    complaints = 0
    for path in filter(None, files):
        try:
            lines = open(path, encoding="utf-8").read().split("\n")
        except (OSError, UnicodeDecodeError):
            continue
        for pattern, what, where in RULES:
            if path in EXEMPT or not re.search(where, path):
                continue
            for number, line in enumerate(lines, 1):
                if re.search(pattern, line):
                    print(f"{path}:{number}: {what}: {line.strip()[:100]}", file=sys.stderr)
                    complaints += 1
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
