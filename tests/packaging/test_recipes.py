#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Keeps the recipes in packaging/ true: versions, dependencies, and the files that an install has."""

import ast
import configparser
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONAN = ROOT / "packaging/conan/conanfile.py"
PORT = ROOT / "packaging/vcpkg/ports/highlevel"


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def version() -> str:
    return re.search(r'version_string = "([0-9.]+)"', text("include/highlevel/version.hpp"))[1]


def conan_class() -> dict:
    """The constants of the recipe, without Conan."""
    tree = ast.parse(CONAN.read_text(encoding="utf-8"))
    recipe = next(n for n in tree.body if isinstance(n, ast.ClassDef))
    return {
        n.targets[0].id: ast.literal_eval(n.value) for n in recipe.body if isinstance(n, ast.Assign)
    }


def conan_requirements() -> dict:
    return dict(re.findall(r'requires\("(\w+)/\[>=([0-9.]+)', CONAN.read_text(encoding="utf-8")))


def files_below(folder: pathlib.Path) -> set:
    return {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}


class Versions(unittest.TestCase):
    def test_changelog(self):
        newest = re.search(r"^## (\S+)", text("CHANGELOG.md"), re.M)[1]
        self.assertEqual(newest, version())

    def test_meson(self):
        told = subprocess.run(
            [sys.executable, ROOT / "tools/version.py"], capture_output=True, text=True, check=True
        )
        self.assertEqual(told.stdout.strip(), version())
        self.assertNotRegex(text("meson.build"), r"(?m)^  version: '")

    def test_cmake_has_no_number_of_its_own(self):
        self.assertIn("VERSION ${highlevel_version}", text("CMakeLists.txt"))

    def test_vcpkg(self):
        self.assertEqual(json.loads((PORT / "vcpkg.json").read_text())["version-semver"], version())

    def test_conan(self):
        self.assertEqual(conan_class()["version"], version())

    def test_wrap(self):
        wrap = configparser.ConfigParser()
        wrap.read(ROOT / "packaging/meson/highlevel.wrap")
        self.assertEqual(wrap["wrap-git"]["revision"], "v" + version())
        names = {n.strip() for n in wrap["provide"]["dependency_names"].split(",")}
        self.assertEqual(
            names, set(re.findall(r"override_dependency\('([\w-]+)'", text("meson.build")))
        )

    def test_pages_that_name_the_package(self):
        for page in ("packaging/README.md", "docs/getting-started.md"):
            for found in re.findall(r"libhighlevel-dev_([0-9.]+)_", text(page)):
                self.assertEqual(found, version(), page)


class Dependencies(unittest.TestCase):
    """CMake says what is needed; the others say the same."""

    def setUp(self):
        cmake = text("cmake/highlevel-dependencies.cmake")
        self.boost = re.search(r"find_package\(Boost ([0-9.]+)", cmake)[1]
        self.openssl = re.search(r"find_package\(OpenSSL ([0-9.]+)", cmake)[1]
        self.sqlite = re.search(r"find_package\(SQLite3 ([0-9.]+)", cmake)[1]

    def test_meson(self):
        meson = text("meson.build")
        self.assertIn(f"dependency('boost', version: '>={self.boost}'", meson)
        self.assertIn(f"dependency('openssl', version: '>={self.openssl}'", meson)
        self.assertIn(f"dependency('sqlite3', version: '>={self.sqlite}'", meson)
        self.assertIn(f"'openssl >= {self.openssl}'", meson)
        self.assertIn(f"'sqlite3 >= {self.sqlite}'", meson)

    def test_pkg_config(self):
        self.assertIn(f"openssl >= {self.openssl}", text("cmake/highlevel.pc.in"))
        self.assertIn(f"sqlite3 >= {self.sqlite}", text("cmake/highlevel-sqlite.pc.in"))

    def test_debian(self):
        package = text("cmake/highlevel-package.cmake")
        for name in ("libboost-dev", "libboost-json-dev"):
            self.assertIn(f"{name} (>= {self.boost})", package)
        self.assertIn(f"libssl-dev (>= {self.openssl})", package)
        self.assertIn(f"libsqlite3-dev (>= {self.sqlite})", package)

    def test_vcpkg(self):
        port = json.loads((PORT / "vcpkg.json").read_text())
        least = {d["name"]: d.get("version>=", "") for d in port["dependencies"]}
        for name in ("boost-asio", "boost-beast", "boost-json"):
            self.assertEqual(least[name], self.boost + ".0")
        self.assertEqual(least["openssl"], self.openssl)
        self.assertEqual(
            port["features"]["sqlite"]["dependencies"][0]["version>="], self.sqlite + ".0"
        )

    def test_conan(self):
        least = conan_requirements()
        self.assertEqual(least["boost"], self.boost + ".0")
        self.assertEqual(least["openssl"], self.openssl)
        self.assertEqual(least["sqlite3"], self.sqlite + ".0")

    def test_readme(self):
        readme = text("README.md")
        self.assertIn(f"Boost {self.boost} or newer", readme)
        self.assertIn(f"OpenSSL {self.openssl} or newer", readme)


class Files(unittest.TestCase):
    """Recipes that copy by pattern get what CMake installs, no more and no less."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        base = pathlib.Path(cls.folder.name)
        options = ["TESTS", "EXAMPLES", "BENCHMARKS"]
        subprocess.run(
            ["cmake", "-S", ROOT, "-B", base / "build"]
            + [f"-DHIGHLEVEL_BUILD_{o}=OFF" for o in options],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        subprocess.run(
            ["cmake", "--install", base / "build", "--prefix", base / "installed"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        cls.build = base / "build"
        cls.installed = files_below(base / "installed")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_header_is_installed(self):
        headers = {
            f"include/highlevel/{f}"
            for f in files_below(ROOT / "include/highlevel")
            if f.endswith((".hpp", ".ipp"))
        }
        self.assertEqual({f for f in self.installed if f.startswith("include/")}, headers)

    def test_nothing_else_lies_among_the_headers(self):
        odd = {f for f in files_below(ROOT / "include") if not f.endswith((".hpp", ".ipp"))}
        self.assertEqual(odd, set())

    def test_what_is_not_a_header(self):
        self.assertEqual(
            {f for f in self.installed if not f.startswith("include/")},
            {
                "share/cmake/highlevel/boost_json.cpp",
                "share/cmake/highlevel/highlevel-config-version.cmake",
                "share/cmake/highlevel/highlevel-config.cmake",
                "share/cmake/highlevel/highlevel-dependencies.cmake",
                "share/cmake/highlevel/highlevel-targets.cmake",
                "share/licenses/highlevel/LICENSE",
                "share/pkgconfig/highlevel-sqlite.pc",
                "share/pkgconfig/highlevel.pc",
            },
        )

    def test_conan_copies_the_same_headers(self):
        # `copy` matches names as fnmatch does, where * also goes through folders.
        import fnmatch

        recipe = CONAN.read_text(encoding="utf-8")
        self.assertEqual(recipe.count('for pattern in ("*.hpp", "*.ipp"):'), 2)
        patterns = [f"include/highlevel/{p}" for p in ("*.hpp", "*.ipp")]
        copied = {
            f"include/{f}"
            for f in files_below(ROOT / "include")
            if any(fnmatch.fnmatch(f"include/{f}", p) for p in patterns)
        }
        self.assertEqual(copied, {f for f in self.installed if f.startswith("include/")})

    def test_the_port_moves_the_folder_that_is_there(self):
        port = (PORT / "portfile.cmake").read_text(encoding="utf-8")
        folder = re.search(r"CONFIG_PATH (\S+)\)", port)[1]
        self.assertIn(f"{folder}/highlevel-config.cmake", self.installed)
        for option in re.findall(r"-D(HIGHLEVEL_\w+)=", port):
            self.assertIn(f"option({option} ", text("CMakeLists.txt"))

    @unittest.skipUnless(shutil.which("dpkg-deb"), "no dpkg-deb")
    def test_the_debian_package_has_the_same_files(self):
        subprocess.run(
            ["cpack", "-G", "DEB"], cwd=self.build, check=True, stdout=subprocess.DEVNULL
        )
        (package,) = self.build.glob("*.deb")
        self.assertEqual(package.name, f"libhighlevel-dev_{version()}_all.deb")
        listing = subprocess.run(
            ["dpkg-deb", "-c", package], capture_output=True, text=True, check=True
        ).stdout
        packed = {
            line.split()[5].removeprefix("./usr/")
            for line in listing.splitlines()
            if not line.endswith("/")
        }
        doc = "share/doc/libhighlevel-dev/"
        self.assertIn(doc + "copyright", packed)
        self.assertEqual({f for f in packed if not f.startswith(doc)}, self.installed)


class Syntax(unittest.TestCase):
    def test_python(self):
        for path in (ROOT / "packaging").rglob("*.py"):
            ast.parse(path.read_text(encoding="utf-8"), str(path))

    def test_json(self):
        for path in (ROOT / "packaging").rglob("*.json"):
            json.loads(path.read_text(encoding="utf-8"))

    def test_portfile_is_cmake(self):
        # With stand-ins for what vcpkg defines, so that CMake reads all of it.
        names = set(re.findall(r"^(vcpkg_\w+)", (PORT / "portfile.cmake").read_text(), re.M))
        script = "".join(f"function({n})\nendfunction()\n" for n in sorted(names))
        script += f'set(CURRENT_PACKAGES_DIR "/nonexistent")\ninclude("{PORT}/portfile.cmake")\n'
        script += f'if(NOT EXISTS "${{SOURCE_PATH}}/meson.build")\nmessage(FATAL_ERROR "where?")\nendif()\n'
        with tempfile.NamedTemporaryFile("w", suffix=".cmake") as file:
            file.write(script)
            file.flush()
            subprocess.run(["cmake", "-P", file.name], check=True)


if __name__ == "__main__":
    unittest.main()
