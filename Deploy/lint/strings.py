#!/usr/bin/env python3
"""Refuses Swift's `String` where texts are compared, hashed, ordered, searched, folded or counted as characters: that is what `Text` is for.

usage: strings.py FOLDER_OF_OBJECTS

Looks at the symbols that the object file of each source needs (`nm`), so that uses by generic code and in what the compiler synthesises are
found, too. A dictionary of log metadata has `String` keys; it is told from others by the types that the object file names.
"""

import re
import subprocess
import sys
from pathlib import Path

# What may not be needed, as mangled: `SS` is String, `Ss` Substring, `SJ` Character, `Sy` StringProtocol.
FORBIDDEN = [
    ("compares", r"\$sSS2eeoi|\$sSS2neoi|\$ss\d+_stringCompare|\$sS[Ss]SQs(WP|Mc)|\$sSysE2eeoi|\$sSs2eeoi"),
    ("orders", r"\$sSS1loi|\$sS[Ss]SLs(WP|Mc)|\$sSysE1loi"),
    ("hashes", r"\$sSS4hash4into|\$sSS9hashValue|\$sS[Ss]SHs(WP|Mc)"),
    ("searches", r"\$sS[Ss]9has(Prefix|Suffix)|\$sSysE9has(Prefix|Suffix)|\$sSy\d+Foundation(Essentials)?E(8contains|10components|18trimming|9replacing)"),
    ("folds", r"\$sS[Ss](10lower|10upper)cased|\$sSysE(10lower|10upper)cased"),
    ("counts characters of", r"\$sS[Ss]5countSivg|\$sSJ|\$sS[Ss](Sl|ST|SK|Sm|Sy)s(WP|Mc)|\$sSs5index"),
    ("looks up the case of an enumeration by", r"\$ss21_findStringSwitchCase"),
]
# Whole modules that measure from outside, and files in which texts are not the protocol's, each with the reason.
MODULES = {"bench", "microbench"}
ALLOWED = {
    "ByteText/Text.swift": "wraps String",
    "AccountServices/Identity/ThirdPartyAddress.swift": "e-mail addresses are folded as Synapse stores them",
    "ServerConfig/Settings/IdentitySettings.swift": "regular expressions of the configuration",
    "Stores/History/SearchStore.swift": "highlighted words are in lower case, as Synapse's",
    "Templates/TemplateCase.swift": "letters are folded as Python's texts fold them",
    "MatrixPrimitives/SearchWords.swift": "words that are searched for are folded as Synapse stores them",
    "Stores/UserDirectory/UserDirectoryIndex.swift": "words of the user directory are folded as Synapse stores them",
    "WorkerRuntime/Logging/LogFile.swift": "names of log files",
    "WorkerRuntime/Logging/LogLineFormat.swift": "the pattern of log lines, and names of log metadata",
    "WorkerRuntime/Logging/LogTimestamp.swift": "digits",
    "WorkerRuntime/Metrics/MetricsText.swift": "names of kinds of metrics",
    "WorkerRuntime/Process/PIDFile.swift": "a process id",
    "WorkerRuntime/Process/ProcessMemory.swift": "lines of /proc",
    "WorkerRuntime/Process/ServiceNotifier.swift": "a path in the environment",
}
TOOLS = {"generate_config", "generate_signing_key", "generic_worker", "hash_password", "homeserver", "register_new_matrix_user"}
METADATA = re.compile(r"SDySS\w*?13MetadataValueO|^\$s7Logging")
KEYED = re.compile(r"S[Dh]ySS")


def symbols(path):
    """The symbols of an object file: (needed, all)."""
    needed, every = [], []
    for line in subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout.splitlines():
        fields = line.split()
        if len(fields) >= 2:
            every.append(fields[-1])
            if fields[-2] == "U":
                needed.append(fields[-1])
    return needed, every


def complaints(path):
    needed, every = symbols(path)
    # Only log metadata: every dictionary and set of strings that is named is one.
    keyed = [name for name in every if KEYED.search(name)]
    logs = bool(keyed) and all(METADATA.search(name) for name in keyed)
    for what, pattern in FORBIDDEN:
        found = next((name for name in needed if re.match(pattern, name)), None)
        if found and not (what == "hashes" and logs):
            yield what, found


def main():
    objects, sources = Path(sys.argv[1]), Path("Sources")
    failed = looked = 0
    for module in sorted(path.name for path in sources.iterdir() if path.is_dir()):
        files = sorted((sources / module).rglob("*.swift"))
        if module in MODULES | TOOLS or not files:
            continue
        for source in files:
            path = objects / f"{module}.build" / f"{source.name}.o"
            if not path.exists():
                print(f"{path} is missing; `make build` makes it", file=sys.stderr)
                return 1
            looked += 1
            name = str(source.relative_to(sources))
            for what, symbol in [] if name in ALLOWED else complaints(path):
                print(f"{source}: {what} String; use Text ({symbol})", file=sys.stderr)
                failed += 1
    for name in ALLOWED:
        if not (sources / name).exists():
            print(f"Deploy/lint/strings.py: there is no {name}", file=sys.stderr)
            failed += 1
    return 1 if failed or not looked else 0


if __name__ == "__main__":
    sys.exit(main())
