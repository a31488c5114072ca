#!/usr/bin/env python3
"""Checks what no compiler checks: tests/tidy/rules.py over every file, and documents against code.

  tidy.py               prints "file:line: [rule] what is wrong", exits 1 when there is any
  tidy.py --self-test   checks the rules themselves
"""

import pathlib
import re
import sys

import faults
import rules
import self_test

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = {"build", ".git", "__pycache__"}


def files():
    """Every text file of the project, as a path from the root."""
    for path in sorted(ROOT.rglob("*")):
        relative = path.relative_to(ROOT)
        if SKIPPED.isdisjoint(relative.parts) and relative.parts[:2] != ("tests", "data"):
            if path.is_file() and path.name.endswith(rules.TEXT):
                yield relative.as_posix(), path.read_text(encoding="utf-8")


def broken_links(path, text):
    """Links to files, and mentions of documents, that lead nowhere."""
    targets = [(path.rpartition("/")[0], match) for match in
               re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)] if path.endswith(".md") else []
    targets += [("", match) for match in re.findall(r"\bdocs/[a-z-]+\.md\b", text)]
    for folder, target in targets:
        if not (ROOT / folder / target).exists():
            yield f"{path}: there is no {target}"


def config_keys(source):
    """The keys that a config.cc knows."""
    return set(re.findall(r'\{\s*"([a-z_]+)",\s*[a-z]\w*[\w<>:]*[({]?', source))


def undocumented():
    """Configuration keys and metrics that a document has to name, and does not."""
    def read(name):
        path = ROOT / name
        return path.read_text() if path.exists() else ""

    operations = read("docs/operations.md")
    wanted = []
    for room in ("verifier", "agent"):
        keys = config_keys(read(f"{room}/config.cc") + read(f"{room}/identity/identity_settings.cc"))
        wanted += [(key, "docs/operations.md", operations, rf"`(?:\w+\.)*{key}`") for key in keys]
        example = f"deploy/{room}.yaml.example"
        wanted += [(key, example, read(example), rf"(?m)^[ #-]*{key}:") for key in keys]
    metrics = re.findall(r'"(assay_[a-z_]+)"', read("verifier/http/metrics.cc"))
    wanted += [(name, "docs/operations.md", operations, rf"`{name}\b") for name in metrics]
    for name, document, text, pattern in wanted:
        if not re.search(pattern, text):
            yield f"{document}: does not explain {name}"


def problems():
    for path, text in files():
        for line, rule, why in rules.check_file(path, text):
            yield f"{path}:{line}: [{rule}] {why}"
        if not path.startswith("tests/tidy/"):
            yield from broken_links(path, text)
    yield from undocumented()
    if faults.main() != 0:
        yield "docs/faults.md: out of date"


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test.run()
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    found = list(dict.fromkeys(problems()))
    print("\n".join(found) if found else "tidy")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
