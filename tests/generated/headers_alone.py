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
import tempfile
from concurrent.futures import ThreadPoolExecutor

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
COMMAND = [*sys.argv[1:], f"-I{INCLUDE}", "-std=c++20", *WARNINGS]

# Includes the most of what a family includes. Precompiled, it halves the time of the families that
# include it, for which it changes nothing.
COMMON = "#include <highlevel/operation.hpp>\n"


def check(header: pathlib.Path, options: list[str]) -> str:
    """What the compiler says of the header; empty when it is content."""
    name = header.relative_to(INCLUDE).as_posix()
    # A second time, for its include guard.
    text = f"#include <{name}>\n#include <{name}>\n"
    command = [*COMMAND, "-fsyntax-only", *options, "-x", "c++", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    return f"{name}:\n{done.stderr}" if done.returncode else ""


def main() -> int:
    headers = [p for v in ("v2", "v3") for p in sorted((INCLUDE / "highlevel" / v).glob("*.hpp"))]
    headers = [p for p in headers if p.stem != "all"]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        common = pathlib.Path(folder) / "common.hpp"
        common.write_text(COMMON)
        precompiled = f"{common}.gch"
        subprocess.run([*COMMAND, "-x", "c++-header", str(common), "-o", precompiled], check=True)

        def check_one(header: pathlib.Path) -> str:
            shares = COMMON in header.read_text()
            return check(header, ["-include", str(common)] if shares else [])

        wrong = [said for said in pool.map(check_one, headers) if said]
    print("\n".join(wrong))
    print(f"{len(headers) - len(wrong)} of {len(headers)} headers compile alone")
    return 1 if wrong or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
