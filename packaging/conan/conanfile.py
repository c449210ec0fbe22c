# SPDX-License-Identifier: BSL-1.0
"""Conan 2 recipe: packs the headers of the checkout it lies in.

usage: conan create packaging/conan
"""

import os

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy
from conan.tools.layout import basic_layout

required_conan_version = ">=2.0"


class HighlevelConan(ConanFile):
    name = "highlevel"
    version = "0.1.0"
    description = "C++20 coroutine client for the HighLevel API, header-only"
    license = "BSL-1.0"
    topics = ("highlevel", "gohighlevel", "rest", "asio", "coroutines", "header-only")
    package_type = "header-library"
    settings = "os", "compiler", "build_type", "arch"
    options = {"with_zlib": [True, False], "with_sqlite": [True, False]}
    default_options = {"with_zlib": True, "with_sqlite": False}
    no_copy_source = True

    def export_sources(self):
        checkout = os.path.join(self.recipe_folder, "..", "..")
        copy(self, "LICENSE", checkout, self.export_sources_folder)
        for pattern in ("*.hpp", "*.ipp"):
            copy(self, f"include/highlevel/{pattern}", checkout, self.export_sources_folder)

    def layout(self):
        basic_layout(self, src_folder=".")

    def requirements(self):
        # Compiled: Boost.JSON, and what it needs.
        self.requires("boost/[>=1.81.0]", transitive_headers=True, transitive_libs=True)
        self.requires("openssl/[>=1.1.1]", transitive_headers=True, transitive_libs=True)
        if self.options.with_zlib:
            self.requires("zlib/[>=1.2.11 <2]", transitive_headers=True, transitive_libs=True)
        if self.options.with_sqlite:
            self.requires("sqlite3/[>=3.35.0]", transitive_headers=True, transitive_libs=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        # The package holds headers; only what its users link depends on options.
        self.info.settings.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        for pattern in ("*.hpp", "*.ipp"):
            copy(
                self,
                f"include/highlevel/{pattern}",
                self.source_folder,
                self.package_folder,
            )

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "highlevel")
        self.cpp_info.set_property("cmake_target_name", "highlevel::highlevel")
        self.cpp_info.set_property("pkg_config_name", "highlevel")
        main = self.cpp_info.components["highlevel"]
        main.set_property("cmake_target_name", "highlevel::highlevel")
        main.set_property("pkg_config_name", "highlevel")
        main.bindirs = []
        main.libdirs = []
        main.requires = ["boost::headers", "boost::json", "openssl::ssl", "openssl::crypto"]
        if self.options.with_zlib:
            main.requires.append("zlib::zlib")
            main.defines.append("HIGHLEVEL_WITH_ZLIB")
        if self.settings.os in ("Linux", "FreeBSD"):
            main.system_libs.append("pthread")
        if self.options.with_sqlite:
            sqlite = self.cpp_info.components["sqlite"]
            sqlite.set_property("cmake_target_name", "highlevel::sqlite")
            sqlite.set_property("pkg_config_name", "highlevel-sqlite")
            sqlite.bindirs = []
            sqlite.libdirs = []
            sqlite.requires = ["highlevel", "sqlite3::sqlite"]
