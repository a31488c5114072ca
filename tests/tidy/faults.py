#!/usr/bin/env python3
"""docs/faults.md, written from the table in core/fault.h.

  faults.py --write   writes it
  faults.py           exits 1 when it is not what --write would write
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

CLASSES = [
    ("kTampering", "Tampering",
     "An authentic quote contradicts what came with it, or what was proven before. The node is "
     "compromised; `assay evidence verify` exits 2."),
    ("kViolation", "Violations",
     "Authentic evidence of something that must not be. The node is compromised; "
     "`assay evidence verify` exits 1."),
    ("kInvalid", "Invalid evidence",
     "The evidence is not authentic or cannot be read: it proves nothing. The node's state does "
     "not change; when nothing better comes within the deadline it becomes stale. "
     "`assay evidence verify` exits 2."),
    ("kNoEvidence", "No evidence",
     "Nothing came that could be judged. The node's state does not change, until the deadline "
     "makes it stale."),
    ("kOperation", "Operation",
     "Our own side: configuration, files, database, network, TPM. Says nothing about any node."),
]


def read_faults(header):
    """(id, class, severity, meaning) in the table's order."""
    row = re.compile(r'X\(\s*k\w+,\s*"([^"]+)",\s*(k\w+),\s*k(\w+),\s*((?:"[^"]*"\s*)+)\)')
    table = header.replace("\\\n", "\n")
    found = [(id, kind, severity.lower(), "".join(re.findall(r'"([^"]*)"', meaning)))
             for id, kind, severity, meaning in row.findall(table)]
    if len(found) != len(re.findall(r"\bX\(k\w+", table)):
        raise SystemExit("core/fault.h: a row of ASSAY_FAULTS that faults.py cannot read")
    return found


def format_faults(faults):
    out = ["# Faults", "",
           "<!-- Written by tests/tidy/faults.py --write from core/fault.h; do not edit. -->", "",
           "Everything that can be wrong has an id. Ids are stable: alert rules, dashboards and "
           "scripts may rely on them, and none is renamed or used for something else. They stand "
           "in `assay … --json`, in webhooks, in logs and in the labels `kind` and `reason` of "
           "metrics."]
    for kind, title, meaning in CLASSES:
        out += ["", f"## {title}", "", meaning, "", "| id | severity | meaning |", "|---|---|---|"]
        out += [f"| `{id}` | {severity} | {text} |"
                for id, of, severity, text in faults if of == kind]
    return "\n".join(out) + "\n"


def expected():
    return format_faults(read_faults((ROOT / "core" / "fault.h").read_text()))


def main():
    document = ROOT / "docs" / "faults.md"
    if sys.argv[1:] == ["--write"]:
        document.write_text(expected())
        return 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    if document.exists() and document.read_text() == expected():
        return 0
    print("docs/faults.md is not what core/fault.h says; run tests/tidy/faults.py --write")
    return 1


if __name__ == "__main__":
    sys.exit(main())
