#!/usr/bin/env python3
"""An archive of the tree, and the wrap file by which a Meson project takes it.

Usage: wrap.py DIRECTORY [URL]     makes replica-<version>.tar.gz and replica.wrap there

URL is the directory from which the archive will be fetched. Without it, the archive belongs into
the project's subprojects/packagefiles. The same tree gives the same bytes.
"""

import gzip
import hashlib
import io
import pathlib
import re
import sys
import tarfile

ROOT = pathlib.Path(__file__).parents[1]
PARTS = ["CMakeLists.txt", "LICENSE", "README.md", "meson.build", "meson_options.txt", "cmake",
         "include", "packaging/gdb"]


def files():
    for part in PARTS:
        path = ROOT / part
        yield from [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())


def archive(folder):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in files():
            entry = tarfile.TarInfo(f"{folder}/{path.relative_to(ROOT).as_posix()}")
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(entry, content)
    return gzip.compress(raw.getvalue(), mtime=0)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    header = (ROOT / "include/replica/version.hpp").read_text(encoding="utf-8")
    folder = "replica-" + ".".join(re.findall(r"version_\w+ = (\d+);", header))
    output = pathlib.Path(sys.argv[1])
    output.mkdir(parents=True, exist_ok=True)
    content = archive(folder)
    name = folder + ".tar.gz"
    (output / name).write_bytes(content)
    url = f"source_url = {sys.argv[2].rstrip('/')}/{name}\n" if len(sys.argv) > 2 else ""
    (output / "replica.wrap").write_text(
        f"[wrap-file]\ndirectory = {folder}\n{url}source_filename = {name}\n"
        f"source_hash = {hashlib.sha256(content).hexdigest()}\n\n"
        "[provide]\nreplica = replica_dep\n", encoding="utf-8")


if __name__ == "__main__":
    main()
