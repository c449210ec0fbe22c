#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Keeps the code in the Markdown pages equal to the compiled examples, and their links alive.

A code block that follows `<!-- path: region -->` must be the lines of that file between
`// REGION: begin[ name]` and `// REGION: end[ name]`, without the markers of regions inside it. C++
without such a line is an error: nobody would notice when it stops compiling. Links to files must
lead somewhere.

usage: check_docs.py [--write] [--root FOLDER]
  --write  puts the current code into the pages instead of complaining
"""

import argparse
import pathlib
import re
import sys
import textwrap

BLOCK = re.compile(r"(<!-- (?P<path>\S+): (?P<region>.+?) -->\n```cpp\n)(?P<code>.*?)(```)", re.S)
FENCE = re.compile(r"(?P<before>[^\n]*)\n```(?P<language>\w*)\n(?P<code>.*?)\n?```", re.S)
MARKER = re.compile(r"\s*// [\w-]+: (begin|end)( \w+)*$")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
# A block that is not called C++ and is it all the same.
LOOKS_LIKE_CPP = re.compile(r"\bco_await\b|#include|\bhighlevel::\w|\bauto ")

class Problem(Exception):
    pass


def region(root: pathlib.Path, path: str, name: str) -> str:
    page, _, part = name.partition(" ")
    suffix = f" {part}" if part else ""
    begin, end = f"// {page}: begin{suffix}", f"// {page}: end{suffix}"
    if not (root / path).is_file():
        raise Problem(f"there is no {path}")
    lines = (root / path).read_text(encoding="utf-8").splitlines()
    stripped = [line.strip() for line in lines]
    if begin not in stripped or end not in stripped:
        raise Problem(f"{path} has no region '{name}' ({begin} ... {end})")
    inside = lines[stripped.index(begin) + 1 : stripped.index(end)]
    inside = [line for line in inside if not MARKER.match(line)]
    return textwrap.dedent("\n".join(inside)).strip("\n") + "\n"


def pages(root: pathlib.Path) -> list:
    return [
        *sorted(root.glob("*.md")),
        *sorted((root / "docs").glob("*.md")),
        *sorted((root / "packaging").glob("*.md")),
    ]


def problems_of(root: pathlib.Path, page: pathlib.Path, write: bool) -> list:
    name = page.relative_to(root).as_posix()
    text = page.read_text(encoding="utf-8")
    found = []

    def replace(match: re.Match) -> str:
        try:
            return match[1] + region(root, match["path"], match["region"]) + match[5]
        except Problem as problem:
            found.append(f"{name}: {problem}")
            return match[0]

    fresh = BLOCK.sub(replace, text)
    if fresh != text and write:
        page.write_text(fresh, encoding="utf-8")
    elif fresh != text:
        found.append(f"{name}: a code block differs from its example; tools/check_docs.py --write")

    for match in FENCE.finditer(text):
        marked = match["before"].startswith("<!-- ") and match["language"] == "cpp"
        first = match["code"].split("\n")[0]
        if marked:
            continue
        if match["language"] == "cpp" or (
            match["language"] == "" and LOOKS_LIKE_CPP.search(match["code"])
        ):
            found.append(f"{name}: C++ that no example compiles: {first}")

    for match in LINK.finditer(FENCE.sub("", text)):
        if not (page.parent / match[1]).exists():
            found.append(f"{name}: a link to {match[1]}, which is not there")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument(
        "--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent
    )
    args = parser.parse_args()
    found = [p for page in pages(args.root) for p in problems_of(args.root, page, args.write)]
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
