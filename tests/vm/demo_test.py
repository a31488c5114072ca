#!/usr/bin/env python3
"""The demonstration on a real kernel, asserted: what a clean guest shows, and what an attack does.

  demo_test.py PROGRAMS WORK

Started by ctest (label vm). Python 3 standard library only.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import unittest

PROGRAMS, WORK = pathlib.Path(sys.argv.pop(1)), pathlib.Path(sys.argv.pop(1))
DEMO = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "demo" / "demo.py"


def series(text, name, **labels):
    """The value of one series of a metrics text, or None."""
    want = {f'{key}="{value}"' for key, value in labels.items()}
    for line in text.splitlines():
        head, _, value = line.rpartition(" ")
        if head.partition("{")[0] == name and want <= set(head.partition("{")[2].rstrip("}").split(",")):
            return float(value)
    return None


class DemoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        WORK.mkdir(parents=True, exist_ok=True)
        result = WORK / "result.json"
        result.unlink(missing_ok=True)
        subprocess.run([sys.executable, str(DEMO), "--programs", str(PROGRAMS), "--work", str(WORK),
                        "--result", str(result)], check=True)
        cls.seen = json.loads(result.read_text())

    def test_a_clean_guest_has_no_finding_at_all(self):
        clean = self.seen["clean"]
        self.assertEqual(clean["state"], "trusted")
        self.assertEqual(clean["open_violations"], 0)
        self.assertEqual(clean["faults"], [])
        self.assertGreater(clean["proven_entries"], 20)

    def test_it_enrolled_itself_by_its_certificate_and_a_token(self):
        first = self.seen["first"]
        self.assertEqual(first["admitted_by"], "join token demo")
        self.assertRegex(first["ek_id"], "^sha256:[0-9a-f]{64}$")
        self.assertEqual(first["class"], "demo")

    def test_its_boot_was_replayed(self):
        boot = self.seen["boot"]
        self.assertIs(boot["boot_log"], True)
        self.assertIs(boot["secure_boot"], True)
        self.assertEqual([v["name"] for v in boot["variables"]], ["PK", "KEK", "db", "dbx"])
        initrd = hashlib.sha256((WORK / "guest" / "initramfs.cpio").read_bytes()).hexdigest()
        self.assertIn("sha256:" + initrd, boot["files"][0]["digests"])

    def test_the_reboot_was_seen_and_judged_from_the_start(self):
        first, clean = self.seen["first"], self.seen["clean"]
        self.assertEqual(clean["reset_count"], first["reset_count"] + 1)
        self.assertEqual(clean["ek_id"], first["ek_id"])
        self.assertEqual(clean["ak_fingerprint"], first["ak_fingerprint"])
        states = [w["data"]["to"] for w in self.seen["all_webhooks"] if w["type"] == "assay.node.state_changed"]
        self.assertIn("trusted", states)
        self.assertNotIn("compromised", states[:-1])

    def test_the_changed_file_is_the_one_violation(self):
        violations = self.seen["violations"]["violations"]
        self.assertEqual([(v["fault"]["id"], v["fault"]["path"]) for v in violations],
                         [("ima.unknown_digest", "/opt/report")])
        self.assertEqual(self.seen["node"]["state"], "compromised")

    def test_the_metrics_show_it(self):
        text = self.seen["metrics"]
        self.assertEqual(series(text, "assay_node_state", node="demo", state="compromised"), 1)
        self.assertEqual(series(text, "assay_node_state", node="demo", state="trusted"), 0)
        self.assertEqual(series(text, "assay_violations_total", kind="ima.unknown_digest"), 1)
        self.assertEqual(series(text, "assay_violations_active", kind="ima.unknown_digest"), 1)

    def test_the_signed_webhook_names_node_file_and_fault(self):
        fault = self.seen["webhook"]["data"]["fault"]
        self.assertEqual(self.seen["webhook"]["data"]["node"], "demo")
        self.assertEqual(fault["path"], "/opt/report")
        self.assertEqual(fault["id"], "ima.unknown_digest")
        violation = self.seen["violations"]["violations"][0]["fault"]
        self.assertEqual(fault["digest"], violation["digest"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
