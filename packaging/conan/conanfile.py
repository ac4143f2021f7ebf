"""A recipe for this tree: conan create packaging/conan"""

import pathlib
import re

from conan import ConanFile
from conan.tools.cmake import CMake, cmake_layout
from conan.tools.files import copy

TREE = pathlib.Path(__file__).resolve().parents[2]


class Replica(ConanFile):
    name = "replica"
    license = "Apache-2.0"
    description = "Keeps SQLite databases identical on several machines, as Swift's replicators do"
    package_type = "header-library"
    settings = "os", "compiler", "build_type", "arch"
    generators = "CMakeDeps", "CMakeToolchain"
    no_copy_source = True

    def set_version(self):
        header = (TREE / "include/replica/version.hpp").read_text(encoding="utf-8")
        self.version = ".".join(re.findall(r"version_\w+ = (\d+);", header))

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "packaging/gdb/*"):
            copy(self, pattern, TREE, self.export_sources_folder)

    def requirements(self):
        self.requires("boost/[>=1.81 <2]", transitive_headers=True)
        self.requires("openssl/[>=3 <4]")
        self.requires("sqlite3/[>=3.40]")
        self.requires("zlib/[>=1.2 <2]")

    def layout(self):
        cmake_layout(self)

    def package_id(self):
        self.info.clear()

    def package(self):
        cmake = CMake(self)
        cmake.configure(variables={"REPLICA_TESTS": "OFF", "REPLICA_EXAMPLES": "OFF",
                                   "REPLICA_BENCH": "OFF", "REPLICA_INSTALL": "ON"})
        cmake.install()

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_find_mode", "none")  # our own package file is installed
        self.cpp_info.builddirs = ["share/cmake/replica"]
