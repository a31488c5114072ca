#!/usr/bin/env python3
"""Pods of a stock kernel: their user ids, as the kernel logs them and the agent claims them.

  pods_test.py PROGRAMS WORK

A monitored namespace drafts what its pod runs in the guest, the pod of another namespace is held to
the golden sets. The Kubernetes API is played; kernel, TPM, agent and verifier are real. Started by
ctest (label vm); WORK may be demo_test.py's. Python 3 standard library only.
"""

import http.server
import json
import pathlib
import ssl
import sys
import threading
import unittest

PROGRAMS, WORK = pathlib.Path(sys.argv.pop(1)).resolve(), pathlib.Path(sys.argv.pop(1)).resolve()
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy" / "demo"))

import demo as demonstration  # noqa: E402  found by the line above
from demo import NODE  # noqa: E402

SEEN_SECONDS = 120
IDS_PER_POD = 65536
STAGING, PROD = "0fd1c1a3-52a8-4d7e-9c11-0b5f6f1f9e57", "1ad1c1a3-52a8-4d7e-9c11-0b5f6f1f9e58"
FIRST_ID = {STAGING: 2 * IDS_PER_POD, PROD: 3 * IDS_PER_POD}
KUBELET_PODS = "/var/lib/kubelet/pods"


def pod(uid, namespace):
    return {"metadata": {"uid": uid, "namespace": namespace, "name": "web"},
            "spec": {"nodeName": NODE, "hostUsers": False}}


class PodApi:
    """Lists two pods and lets a watch wait, over HTTPS on loopback."""

    def __init__(self, certificate, key):
        self.closing = closing = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.end_headers()
                if "watch=" in self.path:
                    self.wfile.flush()
                    closing.wait(600)
                    return
                items = [pod(STAGING, "staging"), pod(PROD, "prod")]
                self.wfile.write(json.dumps({"kind": "PodList", "apiVersion": "v1",
                                             "metadata": {"resourceVersion": "7"}, "items": items}).encode())

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


class PodsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        WORK.mkdir(parents=True, exist_ok=True)
        cls.demo = demo = demonstration.Demo(PROGRAMS, WORK)
        cls.addClassCleanup(demo.close)
        demo.run("sh", demonstration.DEPLOY / "dev-ca.sh", demo.ca, "10.0.2.100")
        demo.make_guest()
        api = PodApi(demo.ca / "server.pem", demo.ca / "server.key")
        cls.addClassCleanup(api.close)
        demo.more_config = (f"kubernetes: {{api: '{api.url}', ca_file: {demo.ca}/ca.pem, "
                            f"token_file: {demo.ca}/operator.token}}\n")
        demo.start_verifier(cls.relaxing(demo.write_policy()))
        demo.push_golden()
        demo.start_guest("--new-tpm")
        for uid, first in FIRST_ID.items():
            ids = [{"hostId": first, "containerId": 0, "length": IDS_PER_POD}]
            mapping = json.dumps({"uidMappings": ids, "gidMappings": ids}, separators=(",", ":"))
            demo.in_guest(f"mkdir -p {KUBELET_PODS}/{uid} && echo -n '{mapping}' > {KUBELET_PODS}/{uid}/userns")
        demo.in_guest(f"echo kubelet_pods: {KUBELET_PODS} >> /etc/assay/agent.yaml")
        demo.hand_over_token()
        demo.await_trusted()

    @staticmethod
    def relaxing(file):
        policy = json.loads(file.read_text())
        policy["namespaces"] = [{"names": ["staging"], "mode": "monitor", "attribution": "uid range"}]
        file.write_text(json.dumps(policy, indent=1))
        return file

    def run_as(self, uid, path, change):
        """Runs a program that is in no golden set, and belongs to a user of the pod."""
        owner = FIRST_ID[uid] + 1000
        self.demo.in_guest(f"cp /bin/ls {path} && echo {change} >> {path} && chown {owner}:{owner} {path} && "
                           f"{path} / > /dev/null")

    def generations(self):
        try:
            return self.demo.assay_json("golden", "history", "monitored/staging")["sets"]
        except demonstration.DemoError:
            return None  # there is none yet

    def state(self):
        return self.demo.assay_json("node", "show", NODE)["state"]

    def test_what_a_pod_runs_is_judged_by_its_namespace(self):
        demo = self.demo
        self.run_as(STAGING, "/opt/new", "staging")
        draft = demonstration.eventually("a draft", SEEN_SECONDS, self.generations)
        self.assertEqual([s["state"] for s in draft], ["draft"])
        files = demo.assay_json("golden", "show", "monitored/staging", "--generation", "1")["files"]
        self.assertEqual([f["path"] for f in files], ["/opt/new"])
        self.assertEqual(self.state(), "trusted")

        demo.assay("golden", "approve", "monitored/staging")
        self.run_as(PROD, "/opt/same", "staging")  # approved by now, and another pod's
        runs = demonstration.eventually("its use", SEEN_SECONDS, self.runs_of_prod)
        self.assertEqual([(r["attribution"], r["name"]) for r in runs], [("uid range", "prod/web")])
        self.assertEqual(self.state(), "trusted")

        self.run_as(PROD, "/opt/evil", "prod")
        demonstration.eventually("an alarm", SEEN_SECONDS,
                                 lambda: True if self.state() == "compromised" else None)
        faults = [v["fault"] for v in demo.assay_json("violation", "list")["violations"]]
        self.assertEqual([(f["id"], f["path"]) for f in faults], [("ima.unknown_digest", "/opt/evil")])
        self.assertEqual(faults[0]["detail"],
                         "attributed by uid range to uids 196608-262143 (prod/web, as its node says)")

    def runs_of_prod(self):
        return self.demo.assay_json("golden", "nodes", "monitored/staging")["pods"] or None


if __name__ == "__main__":
    unittest.main(verbosity=2)
