#!/usr/bin/env python3
"""A policy learned from a machine that boots with UEFI holds it to that boot.

  boot_test.py PROGRAMS WORK

The guest is judged by what `assay boot-policy learn` drafts from it; then it is booted without
Secure Boot and with another initrd, and then as it should again. Started by ctest (label vm); WORK
may be demo_test.py's. Python 3 standard library only.
"""

import pathlib
import sys
import unittest

PROGRAMS, WORK = pathlib.Path(sys.argv.pop(1)).resolve(), pathlib.Path(sys.argv.pop(1)).resolve()
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy" / "demo"))

import demo as demonstration  # noqa: E402  found by the line above
from demo import NODE  # noqa: E402

JUDGED_SECONDS = 120


class BootTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        WORK.mkdir(parents=True, exist_ok=True)
        cls.demo = demo = demonstration.Demo(PROGRAMS, WORK)
        cls.addClassCleanup(demo.close)
        demo.run("sh", demonstration.DEPLOY / "dev-ca.sh", demo.ca, "10.0.2.100")
        demo.make_guest()
        demo.start_verifier(demo.write_policy())
        demo.push_golden()
        demo.start_guest("--new-tpm")
        demo.hand_over_token()
        cls.first = demo.await_trusted()

    def violations(self):
        return self.demo.assay_json("violation", "list")["violations"]

    def await_other(self, field, former):
        """The node, once it is judged anew and `field` is another than in `former`."""
        def judged():
            node = self.demo.assay_json("node", "show", NODE)
            fresh = node[field] != former[field] and node["state"] in ("trusted", "compromised")
            return node if fresh else None

        return demonstration.eventually("a verdict", JUDGED_SECONDS, judged)

    def test_a_learned_policy_holds_the_guest_to_its_boot(self):
        demo = self.demo
        learned = WORK / "learned.yaml"
        learned.write_text(demo.assay("boot-policy", "learn", NODE))
        demo.assay("policy", "check", str(learned))
        demo.stop_verifier()
        demo.resume_verifier(learned)
        clean = self.await_other("last_verified_at", self.first)
        self.assertEqual((clean["state"], clean["faults"]), ("trusted", []))

        demo.stop_guest()
        other = WORK / "other.cpio"  # boots as well: the kernel skips zeros after an archive
        other.write_bytes((demo.guest / "initramfs.cpio").read_bytes() + bytes(4096))
        demo.start_guest("--no-secure-boot", "--initrd", str(other))
        changed = self.await_other("reset_count", clean)
        self.assertEqual(changed["state"], "compromised")
        self.assertEqual(changed["ek_id"], self.first["ek_id"])
        found = self.violations()
        self.assertEqual({v["fault"]["id"] for v in found},
                         {"boot.secure_boot", "boot.file_not_accepted", "boot.variable_not_accepted",
                          "boot.pcr_not_accepted"})
        self.assertIs(demo.assay_json("node", "boot", NODE)["secure_boot"], False)

        demo.stop_guest()
        demo.start_guest()
        again = self.await_other("reset_count", changed)
        self.assertEqual((again["state"], again["faults"]), ("trusted", []), demo.assay("violation", "list"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
