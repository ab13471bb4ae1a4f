#!/usr/bin/env python3
"""Looks whether the programs that are built link nothing of the targets that REACH.tsv forbids them, by their symbols.

usage: symbols.py BINARIES REACH.tsv

What the package's graph says (reach.py) is compared here with what the linker has done. Programs that are not built are left out.
"""

import re
import subprocess
import sys
from pathlib import Path


def main():
    binaries, complaints = Path(sys.argv[1]), []
    for line in open(sys.argv[2]):
        if line.startswith("#") or not line.strip():
            continue
        name, forbidden = line.rstrip("\n").split("\t")
        program = binaries / name
        if not program.is_file():
            continue
        symbols = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
        for target in forbidden.split():
            # A mangled name begins with the length and the name of its module; system libraries have no module of their own.
            found = re.search(rf" \$s{len(target)}{target}\w+", symbols)
            if found:
                complaints.append(f"{program} has code of {target}: {found.group(0).strip()}")
    print("\n".join(complaints), end="\n" if complaints else "", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
