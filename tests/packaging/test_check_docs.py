#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests tools/check_docs.py on pages made for it."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools/check_docs.py"

EXAMPLE = """int main() {
    // docs: begin outer
    int a = 1;
    // docs-too: begin inner
    int b = 2;
    // docs-too: end inner
    // docs: end outer
}
"""


class CheckDocs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        (self.root / "docs").mkdir()
        (self.root / "examples").mkdir()
        (self.root / "examples/one.cpp").write_text(EXAMPLE)

    def tearDown(self):
        self.folder.cleanup()

    def check(self, page: str, *options: str) -> str:
        """What is complained of."""
        path = self.root / "docs/page.md"
        path.write_text(page)
        run = subprocess.run(
            [sys.executable, "-B", TOOL, "--root", self.root, *options],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.assertEqual(run.stderr, "")
        self.assertEqual(run.returncode, 1 if run.stdout else 0)
        return run.stdout

    def test_a_block_that_is_its_region_passes(self):
        page = "<!-- examples/one.cpp: docs-too inner -->\n```cpp\nint b = 2;\n```\n"
        self.assertEqual(self.check(page), "")

    def test_markers_inside_a_region_are_not_shown(self):
        page = "<!-- examples/one.cpp: docs outer -->\n```cpp\nint a = 1;\nint b = 2;\n```\n"
        self.assertEqual(self.check(page), "")

    def test_a_block_that_differs_is_refused_and_can_be_written(self):
        page = "<!-- examples/one.cpp: docs-too inner -->\n```cpp\nint b = 3;\n```\n"
        self.assertIn("differs", self.check(page))
        self.assertEqual(self.check(page, "--write"), "")
        self.assertIn("int b = 2;", (self.root / "docs/page.md").read_text())

    def test_a_region_that_is_missing_is_refused(self):
        page = "<!-- examples/one.cpp: docs none -->\n```cpp\nint b;\n```\n"
        self.assertIn("no region 'docs none'", self.check(page))

    def test_a_file_that_is_missing_is_refused(self):
        page = "<!-- examples/two.cpp: docs-too inner -->\n```cpp\nint b;\n```\n"
        self.assertIn("there is no examples/two.cpp", self.check(page))

    def test_unmarked_cpp_is_refused(self):
        self.assertIn("no example compiles: int b;", self.check("Text\n```cpp\nint b;\n```\n"))

    def test_cpp_that_does_not_say_so_is_refused(self):
        self.assertIn("co_await x", self.check("Text\n\n```\nco_await x;\n```\n"))

    def test_other_languages_and_output_pass(self):
        page = "a\n\n```sh\nls\n```\n\n```typescript\nawait x;\n```\n\n```\n12 requests\n```\n"
        self.assertEqual(self.check(page), "")

    def test_links_must_lead_somewhere(self):
        self.assertIn("../nowhere.md", self.check("[a](../nowhere.md)"))
        self.assertEqual(self.check("Code:\n```text\n[&](std::exception_ptr)\n```\n"), "")
        self.assertEqual(self.check("[a](../examples/one.cpp) [b](https://e.org/x) [c](#c)"), "")


if __name__ == "__main__":
    unittest.main()
