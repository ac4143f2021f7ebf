#!/usr/bin/env python3
"""The metrics of running daemons, as Prometheus reads them, and what is made of them.

Usage: metrics.py [UNITTEST ARGUMENTS]    with REPLICA_BUILD_DIR in the environment
"""
import re
import json
import pathlib
import re
import shutil
import subprocess
import unittest

from pair import Pair, eventually

PACKAGING = pathlib.Path(__file__).resolve().parents[2] / "packaging"


def values(text):
    """By name and labels as they are written."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


class Metrics(unittest.TestCase):
    def setUp(self):
        self.pair = self.enterContext(Pair())

    def value(self, name, node=0):
        return values(self.pair.get(node, "/metrics")).get(name)

    def of_peer(self, name):
        return self.value(f'replica_peer_{name}{{peer="{self.pair.peer(1)}"}}')

    def expect(self, condition):
        self.assertTrue(eventually(condition), self.pair.get(0, "/metrics"))

    def lint(self, node):
        """What promtool finds fault with."""
        text = self.pair.get(node, "/metrics.txt")
        return subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                              text=True, check=False)

    def test_both_formats_are_announced_and_say_the_same(self):
        self.pair.start(0)
        self.expect(lambda: self.value("replica_passes_total") > 0)  # no device comes after it
        newer, newer_type = self.pair.get(0, "/metrics", with_type=True)
        older, older_type = self.pair.get(0, "/metrics.txt", with_type=True)
        self.assertEqual(newer_type, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.assertEqual(older_type, "text/plain; version=0.0.4; charset=utf-8")
        self.assertTrue(newer.endswith("\n# EOF\n"))
        self.assertEqual(set(values(newer)), set(values(older)))

    def test_a_peer_lags_from_when_it_stops_until_it_has_all(self):
        names = ["one", "two", "three"]
        for name in names:
            self.pair.create(0, name)
        self.pair.start(1)
        self.pair.start(0)
        # What is younger than two seconds is not remembered.
        self.expect(lambda: self.value("replica_databases_at_rest_total") >= 3)
        self.expect(lambda: self.of_peer("databases_behind") == 0)
        self.assertEqual(self.of_peer("up"), 1)
        self.assertEqual(self.value('replica_device_ledger_entries{device="sda"}'), 3)
        self.assertEqual(self.of_peer("failures_total"), 0)
        self.assertGreater(self.value("replica_turn_duration_seconds_count"), 2)
        sync = 'replica_request_duration_seconds_count{verb="sync"}'
        self.assertGreater(self.value(sync, node=1), 0)
        merge = 'replica_merge_duration_seconds_count{verb="merge_items"}'
        self.assertIsNone(self.value(merge, node=1))  # whole files came

        self.pair.stop(1)
        self.pair.put(0, "one", "first", "second")
        self.expect(lambda: self.of_peer("lag_rows") == 2)
        self.assertEqual(self.of_peer("databases_behind"), 1)
        self.assertEqual(self.of_peer("up"), 0)
        self.assertGreater(self.of_peer("failures_total"), 0)
        self.pair.put(0, "one", "third")
        self.expect(lambda: self.of_peer("lag_rows") == 3)
        self.expect(lambda: self.of_peer("lag_seconds") > 0.5)
        self.assertLess(self.of_peer("lag_seconds"), 600)

        self.pair.start(1)
        self.expect(lambda: self.of_peer("databases_behind") == 0)
        self.assertEqual(self.of_peer("lag_rows"), 0)
        self.assertEqual(self.of_peer("lag_seconds"), 0)
        self.assertEqual(self.of_peer("up"), 1)
        self.assertEqual(self.pair.names(1, "one"), {"row 0", "first", "second", "third"})

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_finds_no_fault(self):
        self.pair.create(0, "one")
        self.pair.start(0)
        self.pair.start(1)
        self.expect(lambda: self.of_peer("turns_total"))
        self.pair.stop(1)
        self.pair.put(0, "one", "first")
        self.expect(lambda: self.of_peer("databases_behind"))
        result = self.lint(0)
        self.assertEqual((result.stdout, result.stderr, result.returncode), ("", "", 0))

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_alerts_fire_when_they_should_and_not_before(self):
        rules = PACKAGING / "prometheus" / "replica.rules.yml"
        tests = rules.with_name("replica.rules.test.yml")
        for command in (["check", "rules", rules], ["test", "rules", tests]):
            result = subprocess.run(["promtool", *command], capture_output=True, text=True,
                                    check=False)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        alerts = set(re.findall(r"- alert: (\w+)", rules.read_text()))
        self.assertEqual(alerts, set(re.findall(r"alertname: (\w+)", tests.read_text())))

    def test_alerts_and_dashboard_ask_for_nothing_that_the_daemon_does_not_say(self):
        self.pair.start(0)
        said = set()
        for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", self.pair.get(0, "/metrics.txt"),
                                     re.MULTILINE):
            parts = ["_bucket", "_sum", "_count"] if kind == "histogram" else [""]
            said.update(name + part for part in parts)
        dashboard = json.loads((PACKAGING / "grafana" / "replica.json").read_text())
        asked = {
            "rules": (PACKAGING / "prometheus" / "replica.rules.yml").read_text(),
            "dashboard": " ".join(target["expr"] for panel in dashboard["panels"]
                                  for target in panel["targets"])
                         + dashboard["templating"]["list"][1]["definition"]}
        for name, text in asked.items():
            words = set(re.findall(r"\breplica_\w+", text))
            self.assertGreater(len(words), 10, name)
            self.assertLessEqual(words, said, name)

    def test_panels_have_numbers_of_their_own_and_do_not_overlap(self):
        dashboard = json.loads((PACKAGING / "grafana" / "replica.json").read_text())
        places = [panel["gridPos"] for panel in dashboard["panels"]]
        self.assertEqual(len({panel["id"] for panel in dashboard["panels"]}), len(places))
        cells = [(x, y) for place in places for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])]
        self.assertEqual(len(cells), len(set(cells)))
        self.assertLess(max(x for x, _ in cells), 24)

    def test_each_name_begins_alike(self):
        self.pair.start(0)
        for name in values(self.pair.get(0, "/metrics")):
            self.assertRegex(name, r"^replica_[a-z_]+(\{.*\})?$")

    def test_a_page_that_is_not_there_is_a_404(self):
        self.pair.start(0)
        self.assertIsNone(self.pair.get(0, "/metrics/x"))


if __name__ == "__main__":
    unittest.main()
