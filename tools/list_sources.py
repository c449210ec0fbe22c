# SPDX-License-Identifier: BSL-1.0
"""Lists the .cpp files below a folder, one per line, relative to it; Meson cannot list files itself.

usage: list_sources.py FOLDER
"""
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
for path in sorted(folder.rglob("*.cpp")):
    print(path.relative_to(folder).as_posix())
