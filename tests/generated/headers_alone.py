#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Each generated family header is complete in itself: it compiles as the only include of a file.

usage: headers_alone.py COMPILER [OPTION...]

Only the syntax is checked, which is what a missing include or an odd name breaks, and costs a
fraction of a build; the whole of each version is compiled elsewhere.
"""

import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"


def check(header: pathlib.Path) -> str:
    """What the compiler says of the header; empty when it is content."""
    name = header.relative_to(INCLUDE).as_posix()
    # A second time, for its include guard.
    text = f"#include <{name}>\n#include <{name}>\n"
    command = [*sys.argv[1:], f"-I{INCLUDE}", "-std=c++20", "-fsyntax-only", "-x", "c++", "-"]
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
    done = subprocess.run(command + warnings, input=text, capture_output=True, text=True)
    return f"{name}:\n{done.stderr}" if done.returncode else ""


def main() -> int:
    headers = [p for v in ("v2", "v3") for p in sorted((INCLUDE / "highlevel" / v).glob("*.hpp"))]
    headers = [p for p in headers if p.stem != "all"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [said for said in pool.map(check, headers) if said]
    print("\n".join(wrong))
    print(f"{len(headers) - len(wrong)} of {len(headers)} headers compile alone")
    return 1 if wrong or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
