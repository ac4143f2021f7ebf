#!/usr/bin/env python3
"""The page of a running daemon, in a real browser if one is there, and the JSON behind it.

Usage: page.py [--pictures DIRECTORY] [UNITTEST ARGUMENTS]
       with REPLICA_BUILD_DIR in the environment
"""
import json
import pathlib
import sys
import time
import unittest

import browser
from pair import Pair, eventually

PICTURES = None


class Page(unittest.TestCase):
    def setUp(self):
        self.pair = self.enterContext(Pair())

    def status(self, node=0):
        return json.loads(self.pair.get(node, "/status.json"))

    def peer(self):
        return next((each for each in self.status()["peers"]
                     if each["peer"] == self.pair.peer(1)), None)

    def test_the_json_tells_of_devices_peers_and_failures(self):
        for name in ("one", "two"):
            self.pair.create(0, name)
        self.pair.start(0)
        self.assertTrue(eventually(lambda: (self.peer() or {}).get("databases_behind") == 2))
        self.assertFalse(self.peer()["up"])
        self.assertRegex(self.peer()["reason"], "^cannot connect: ")
        status = self.status()
        self.assertEqual(status["kind"], "container")
        self.assertEqual(status["pass"]["interval"], 0.5)
        (device,) = status["devices"]
        self.assertEqual((device["device"], device["usable"], device["brake"]), ("sda", True, ""))
        self.assertEqual(device["databases"], 2)
        failure = status["failures"][0]
        self.assertEqual((failure["word"], failure["subject"]),
                         ("peer_unreachable", self.pair.peer(1)))
        self.assertIn("server", failure["advice"])

        self.pair.start(1)
        self.assertTrue(eventually(lambda: self.peer()["databases_behind"] == 0))
        self.assertTrue(self.peer()["up"])
        self.assertEqual(self.peer()["reason"], "")
        self.assertGreater(self.peer()["bytes_sent"], 0)
        self.assertLess(abs(self.peer()["last_success"] - time.time()), 60)

    def test_a_ring_that_breaks_is_a_failure_until_it_is_good_again(self):
        self.pair.start(0)
        good = self.pair.ring.read_text()

        def told():
            metric = "\nreplica_ring_unreadable 1\n" in self.pair.get(0, "/metrics")
            failures = [each for each in self.status()["failures"] if each["word"] == "ring"]
            self.assertLessEqual(len(failures), 1)
            return failures[0] if metric and failures else None

        self.assertIsNone(told())
        self.pair.ring.write_text(good[:-9])
        failure = eventually(told)
        self.assertTrue(failure)
        self.assertEqual(failure["subject"], "this node")
        self.assertIn(str(self.pair.ring), failure["what"])
        self.assertIn("Write the ring file again", failure["advice"])
        self.pair.ring.write_text(good)
        self.assertTrue(eventually(lambda: not told()))

    def test_the_page_is_html_of_its_own(self):
        self.pair.start(0)
        text, kind = self.pair.get(0, "/", with_type=True)
        self.assertEqual(kind, "text/html; charset=utf-8")
        self.assertLess(len(text.encode()), 50_000)

    @unittest.skipUnless(browser.PROGRAM, "chromium is not installed")
    def test_in_a_browser_it_updates_itself_and_shows_a_peer_that_stops(self):
        self.pair.create(0, "one")
        self.pair.start(0)
        self.pair.start(1)
        self.assertTrue(eventually(lambda: (self.peer() or {}).get("turns")))
        with browser.Browser() as window:
            window.show(f"http://{self.pair.address(0)}/", width=360)

            def text():
                return window.value("document.body.innerText")

            def sees(text, where="peers"):
                return text in (window.value(f"document.getElementById('{where}').innerText") or "")

            self.assertTrue(eventually(lambda: sees("has all")), text())
            self.assertTrue(sees(self.pair.peer(1)))
            self.assertTrue(sees("sda", "devices"))
            self.picture(window, "well-360.png")
            updates = int(window.value("document.body.dataset.updates"))

            self.pair.stop(1)
            self.pair.put(0, "one", "first", "second")
            passes = self.status()["pass"]["passes"]
            self.assertTrue(eventually(lambda: sees("fails")), text())
            # The page looks every two seconds, and a pass is made in every half of one.
            self.assertLessEqual(self.status()["pass"]["passes"], passes + 2 + 2 * 4)
            self.assertGreater(int(window.value("document.body.dataset.updates")), updates)
            self.assertTrue(sees("peer_unreachable", "failures"))
            self.assertTrue(sees("See that the server of the peer is up", "failures"))
            self.picture(window, "peer-down-360.png")

            # Nothing is wider than the screen, and every number leads to the JSON.
            for width, dark in ((360, False), (360, True), (1100, True), (1100, False)):
                window.show(f"http://{self.pair.address(0)}/", width, dark)
                self.assertTrue(eventually(lambda: sees("fails")))
                self.assertLessEqual(window.value("document.documentElement.scrollWidth"), width)
                self.picture(window, f"{'dark' if dark else 'light'}-{width}.png")
                back = window.value("getComputedStyle(document.body).backgroundColor")
                self.assertEqual(back, "rgb(17, 21, 27)" if dark else "rgb(246, 247, 249)")
            links = window.value("[...document.querySelectorAll('a[href*=\"#\"]')]"
                                 ".map(a => a.getAttribute('href'))")
            self.assertGreater(len(links), 15)
            status = self.status()
            for link in links:
                found = status
                for step in link.removeprefix("/status.json#/").split("/"):
                    found = found[int(step) if isinstance(found, list) else step]
                self.assertIsInstance(found, (int, float, type(None)), link)

            self.pair.stop(0)
            self.assertTrue(eventually(lambda: sees("no answer", "fresh")))

    def picture(self, window, name):
        if PICTURES:
            window.picture(pathlib.Path(PICTURES) / name)


if __name__ == "__main__":
    if "--pictures" in sys.argv:
        at = sys.argv.index("--pictures")
        PICTURES = sys.argv[at + 1]
        del sys.argv[at:at + 2]
    unittest.main()
