# SPDX-License-Identifier: BSL-1.0
"""Prints the library's version, for builds that cannot read it out of the header themselves."""
import pathlib
import re

header = pathlib.Path(__file__).parent.parent / "include" / "highlevel" / "version.hpp"
print(re.search(r'version_string = "([0-9.]+)"', header.read_text(encoding="utf-8"))[1])
