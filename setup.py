"""Builds the compiled part: every protocol/_core/*.pyx becomes protocol._core.NAME.

Run by pip (pyproject.toml names setuptools as the build backend) and, by hand, as
`python setup.py build_ext --inplace`. Everything that is not about compiling belongs in
pyproject.toml. RELAYS_SANITIZE=address,alignment builds with those sanitizers, and with
RELAYS_COVERAGE=FILE.o it calls the functions of that object at every edge and comparison (tests do
both).
"""

import os
import sys
import sysconfig
import tempfile
from glob import glob
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SANITIZE = os.environ.get("RELAYS_SANITIZE", "")
# The same binaries must run on any machine of the architecture: never -march=native.
COMPILE = ["-O3", "-Wall", "-Wno-unused-function", "-Wno-unreachable-code"]
LINK = []
if SANITIZE:
    # Optimised less: a test waits for this build, and what it reports is easier to read.
    COMPILE += [f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all"]
    COMPILE += ["-fno-omit-frame-pointer", "-g1", "-O1"]
    LINK += [f"-fsanitize={SANITIZE}"]
if os.environ.get("RELAYS_COVERAGE"):
    COMPILE += ["-fsanitize-coverage=trace-pc,trace-cmp"]
    # The sanitizer itself is loaded before the program, together with the fuzzer.
    LINK = [os.environ["RELAYS_COVERAGE"]]

# Tried in this order, so that the first that fails to build is the thing that is missing.
PROBES = [
    (
        "int main(void) { return 0; }",
        [],
        "A C compiler is needed to build the relays and none works here: "
        "apt-get install gcc libc6-dev.",
    ),
    (
        "#include <Python.h>\nint main(void) { return 0; }",
        [],
        f"Python.h of {sys.executable} is needed to build the relays: apt-get install python3-dev.",
    ),
    (
        "#include <isa-l/crc.h>\nint main(void) { return crc32_gzip_refl(0, 0, 0) != 0; }",
        ["isal"],
        "The ISA-L library (isa-l/crc.h, libisal.so) is needed to build the relays: "
        "apt-get install libisal-dev.",
    ),
]


class BuildCore(build_ext):
    """build_ext that says what is missing in one sentence before it compiles anything."""

    def build_extensions(self):
        for code, libraries, sentence in PROBES:
            if not self.builds(code, libraries):
                raise SystemExit(sentence)
        self.parallel = self.parallel or os.cpu_count()
        super().build_extensions()

    def builds(self, code, libraries):
        """Whether this C program compiles and links; what the compiler says is not shown."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(code)
            with open(os.devnull, "w") as null:
                saved = os.dup(2)
                os.dup2(null.fileno(), 2)
                try:
                    include = [sysconfig.get_paths()["include"]]
                    objects = self.compiler.compile([str(source)], folder, include_dirs=include)
                    self.compiler.link_executable(objects, "probe", folder, libraries=libraries)
                except Exception:
                    return False
                finally:
                    os.dup2(saved, 2)
                    os.close(saved)
        return True


def extension(path):
    return Extension(
        f"protocol._core.{Path(path).stem}",
        [path],
        include_dirs=["protocol/_core"],
        libraries=["isal"],
        extra_compile_args=COMPILE,
        extra_link_args=LINK,
    )


setup(
    ext_modules=cythonize(
        [extension(path) for path in sorted(glob("protocol/_core/*.pyx"))],
        language_level=3,
        build_dir="build/cython",
        quiet=True,
    ),
    cmdclass={"build_ext": BuildCore},
)
