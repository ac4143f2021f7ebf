#!/usr/bin/env python3
"""The site of doc/build.sh: the one of this tree is whole, and one with a mistake of each kind is
not. Usage: site.py [UNITTEST ARGUMENTS]"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOT_RUN = 77


def build(root, out):
    done = subprocess.run([root / "doc" / "build.sh", "--out", out], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=250)
    return done.returncode, done.stdout + done.stderr


class Site(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.out = self.scratch / "site"

    def test_of_this_tree_is_whole(self):
        status, text = build(ROOT, self.out)
        self.assertEqual((status, text), (0, f"The site begins at {self.out}/index.html\n"))
        page = (self.out / "reference" / "classreplica_1_1Replicator.html").read_text()
        self.assertIn("One pass over this machine's devices", page)
        self.assertIn('"../index.html"', (self.out / "reference" / "menudata.js").read_text())
        # A member whose laws are those of a concept leads there.
        page = (self.out / "reference" / "classreplica_1_1SimDisk.html").read_text()
        self.assertIn('conceptreplica_1_1Disk.html', page)
        # All values of enumerations are on one page, to which the first one leads.
        self.assertIn('href="enumerators.html"',
                      (self.out / "reference" / "index.html").read_text())
        page = (self.out / "reference" / "enumerators.html").read_text()
        for name, said in (("lose_reply", "then the connection breaks"),
                           ("incoming", "rows have come from others"),
                           ("quarantine", "move it aside")):
            self.assertRegex(page, f"<code>{name}</code>.*{said}")
        # A document leads to the reference of what it names, but not within code.
        page = (self.out / "doc" / "policies.html").read_text()
        for target, name in (("classreplica_1_1SimDisk", "SimDisk"), ("clock_8hpp", "clock.hpp"),
                             ("container_2kind_8hpp", "container/kind.hpp"),
                             ("json__ring_8hpp", "JsonRing")):
            link = f'<a href="../reference/{target}.html"><code>{name}</code></a>'
            self.assertTrue(link in page, link)
        self.assertFalse("](../reference" in page)

        # A directory with something else is not replaced.
        other = self.scratch / "other"
        other.mkdir()
        (other / "file").write_text("kept")
        self.assertEqual(build(ROOT, other)[0], 2)
        self.assertEqual((other / "file").read_text(), "kept")

    def test_each_mistake_is_named(self):
        root = self.scratch / "tree"
        for name in ("doc", "include"):
            shutil.copytree(ROOT / name, root / name)
        shutil.copy(ROOT / "README.md", root)
        # Six headers are enough, and save half of the time.
        list_of = root / "doc" / "site" / "Doxyfile"
        list_of.write_text(re.sub(
            r"    include/replica/(?!(?:clock|ring|stats|disk/posix|sim/disk|words/info)[.]hpp)"
            r"\S+ *\\?\n", "", list_of.read_text()))

        def change(name, old, new):
            text = (root / name).read_text()
            self.assertIn(old, text)
            (root / name).write_text(text.replace(old, new, 1))

        change("doc/scale.md", "# Scale\n", "# Scale\n\n[a](gone.md) [b](records.md#gone)\n"
               "![c](https://example.org/c.png) <img src=\"//example.org/d.png\">\n"
               "<i style=\"background: url('http://example.org/e.png')\"></i>\n")
        change("include/replica/clock.hpp", "class SystemClock {\npublic:\n",
               "class SystemClock {\npublic:\n    void bare() const {}\n")
        change("include/replica/stats.hpp", "///< Rows sent.", "///< Rows in \\nowhere.")
        change("include/replica/disk/posix.hpp", "class PosixDisk {\npublic:\n",
               "class PosixDisk {\npublic:\n    void bare() const {}\n")
        change("include/replica/words/info.hpp",
               "outgoing, ///< Up to where others have ours.", "outgoing,")
        change("include/replica/ring.hpp", "copy. Thread safety: any thread.", "copy.")
        change("include/replica/sim/disk.hpp", "Belongs to one task.", "")
        status, text = build(root, self.out)
        self.assertEqual(status, 1, text)
        before = (root / "include/replica/clock.hpp").read_text().partition("void bare")[0]
        line = before.count("\n") + 1
        for wanted in (
                f"include/replica/clock.hpp:{line}: warning: Member bare() const",
                ": Direction::outgoing has no comment",
                ": RingVersion does not say which threads may use it",
                ": SimLock does not say which threads may use it",
                "Found unknown command '\\nowhere'",
                "class replica::PosixDisk is not documented",
                "doc/scale.html: gone.md: leads nowhere",
                "doc/scale.html: records.html#gone: there is no such place on the page",
                "doc/scale.html: https://example.org/c.png: is loaded from another host",
                "doc/scale.html: //example.org/d.png: is loaded from another host",
                "doc/scale.html: http://example.org/e.png: is loaded from another host"):
            self.assertIn(wanted, text)
        self.assertNotIn("Member now()", text)
        self.assertEqual(text.count("which threads"), 2, text)


if __name__ == "__main__":
    if not all(map(shutil.which, ("doxygen", "mkdocs"))):
        print("not run: doxygen or mkdocs is not installed")
        sys.exit(NOT_RUN)
    unittest.main()
