#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Keeps the code in the Markdown pages equal to the compiled examples.

A code block that follows `<!-- path: region -->` must be the lines of that file between
`// region: begin ...` markers, that is between `// REGION: begin[ name]` and `// REGION: end[ name]`.
With --write the blocks are replaced; without, a difference is an error.
"""

import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- (?P<path>\S+): (?P<region>.+?) -->\n```cpp\n)(?P<code>.*?)(```)", re.S)


def region(path: str, name: str) -> str:
    page, _, part = name.partition(" ")
    suffix = f" {part}" if part else ""
    begin, end = f"// {page}: begin{suffix}", f"// {page}: end{suffix}"
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    stripped = [line.strip() for line in lines]
    if begin not in stripped or end not in stripped:
        sys.exit(f"{path}: no region '{name}' ({begin} ... {end})")
    inside = lines[stripped.index(begin) + 1 : stripped.index(end)]
    return textwrap.dedent("\n".join(inside)).strip("\n") + "\n"


def main() -> int:
    write = sys.argv[1:] == ["--write"]
    stale = 0
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        fresh = BLOCK.sub(
            lambda m: m.group(1) + region(m["path"], m["region"]) + m.group(5), text
        )
        if fresh == text:
            continue
        if write:
            page.write_text(fresh, encoding="utf-8")
        else:
            print(f"{page.relative_to(ROOT)}: a code block differs from its example; "
                  "tools/check_docs.py --write")
            stale += 1
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
