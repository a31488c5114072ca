#!/usr/bin/env python3
"""The demonstration: a real kernel with IMA in a virtual machine, a real agent, a real verifier.

  demo.py --programs DIR --work DIR [--result FILE]

Boots the guest, which enrols itself with a join token; attests it until it is trusted, shows what
it booted, reboots it; then changes and runs a file in it, and shows the violation, the metric, the
webhook's body and the seconds from execution to alert. Exits 0 only if all of it was seen.
--result writes what was seen as JSON; tests/vm asserts on it. Python 3 standard library only;
started by deploy/demo.sh.
"""

import argparse
import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent
NODE = "demo"
TRUSTED_SECONDS = 120
ALERT_SECONDS = 60
TOOL = "/opt/report"
TOKEN_FILE = "/etc/assay/join-token"


class DemoError(Exception):
    """Something that had to happen did not; the text is for the user."""


def step(text):
    print(f"\n== {text}", flush=True)


def show(text):
    print("   " + str(text).rstrip().replace("\n", "\n   "), flush=True)


def eventually(what, seconds, look):
    """What `look` gives once it is not None; it is asked until the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.02)
    raise DemoError(f"{what}: not seen within {seconds} s")


class WebhookReceiver:
    """Takes Standard Webhooks on loopback and keeps those whose signature is right."""

    def __init__(self):
        self.key = secrets.token_bytes(32)
        self.arrived = []  # (seconds on our clock, parsed body, raw body)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(min(int(self.headers["content-length"]), 1 << 20))
                signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
                mac = base64.b64encode(hmac.new(receiver.key, signed, hashlib.sha256).digest()).decode()
                good = hmac.compare_digest(self.headers["webhook-signature"], "v1," + mac)
                self.send_response(204 if good else 401)
                self.end_headers()
                if good:
                    receiver.arrived.append((time.monotonic(), json.loads(body), body.decode()))

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/"

    @property
    def secret(self):
        return "whsec_" + base64.b64encode(self.key).decode()

    def first(self, kind, path):
        for arrived in list(self.arrived):
            fault = arrived[1].get("data", {}).get("fault", {})
            if arrived[1]["type"] == kind and fault.get("path") == path:
                return arrived
        return None


class Demo:
    def __init__(self, programs, work):
        self.programs = programs
        self.work = work
        self.ca = work / "ca"
        self.guest = work / "guest"
        self.webhook = WebhookReceiver()
        self.verifier = None
        self.grpc_port = 0  # any, and then the same again: the guest's pipe leads there
        self.http_port = None
        self.more_config = ""  # for the verifier, as YAML
        self.guest_started = False

    # --- programs

    def run(self, *command, **options):
        return subprocess.run([str(c) for c in command], check=True, text=True, **options)

    def assay(self, *words):
        done = subprocess.run(
            [str(self.programs / "assay"), *words], text=True, capture_output=True,
            env={**os.environ, "ASSAY_SERVER": f"127.0.0.1:{self.grpc_port}",
                 "ASSAY_CA": str(self.ca / "ca.pem"),
                 "ASSAY_TOKEN_FILE": str(self.ca / "operator.token")})
        if done.returncode != 0:
            raise DemoError(f"assay {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def assay_json(self, *words):
        return json.loads(self.assay(*words, "--json"))

    def vm(self, *words, **options):
        return self.run(sys.executable, DEPLOY / "guest" / "vm.py", *words, **options)

    def in_guest(self, command):
        try:
            return self.vm("exec", self.guest, command, capture_output=True).stdout
        except subprocess.CalledProcessError as error:
            raise DemoError(f"in the guest, {command!r}: {error.stdout}{error.stderr}".rstrip()) from error

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics", timeout=10) as answer:
            return answer.read().decode()

    # --- steps

    def make_guest(self):
        agent = self.work / "agent.yaml"
        agent.write_text("verifier: 10.0.2.100:7443\nca_file: /etc/assay/ca.pem\n"
                         f"node_name: {NODE}\njoin_token_file: {TOKEN_FILE}\n")
        self.run(DEPLOY / "guest" / "build.sh", self.guest, "--agent", self.programs / "assay-agent",
                 "--config", agent, "--ca", self.ca / "ca.pem")

    def write_policy(self):
        """What the guest has to have booted: Secure Boot, its initrd, Assay's IMA policy."""
        def digest(file):
            return "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()

        policy = {"classes": [{
            "name": "demo",
            "ima_policy": {"accept": [{"digest": digest(DEPLOY / "ima" / "exec.policy"), "name": "exec.policy"}]},
            "boot": {
                "secure_boot": {"enabled": True},
                "files": {"accept": [{"digest": digest(self.guest / "initramfs.cpio"), "name": "initramfs.cpio"}]}}}]}
        file = self.work / "policy.yaml"
        file.write_text(json.dumps(policy, indent=1))  # JSON is YAML
        return file

    def start_verifier(self, policy):
        for old in self.work.glob("assay.db*"):
            old.unlink()
        self.resume_verifier(policy)

    def resume_verifier(self, policy):
        """Starts it on the database that is there."""
        secret = self.work / "webhook.secret"
        secret.touch(mode=0o600)
        secret.write_text(self.webhook.secret + "\n")
        config = self.work / "verifier.yaml"
        config.write_text(
            f"grpc_listen: 127.0.0.1:{self.grpc_port}\nhttp_listen: 127.0.0.1:0\n"
            f"tls: {{certificate: {self.ca}/server.pem, key: {self.ca}/server.key}}\n"
            f"database: {self.work}/assay.db\noperator_token_file: {self.ca}/operator.token\n"
            f"policy_file: {policy}\nvendor_roots: {self.guest}/tpm-ca/roots\n"
            f"webhooks:\n- {{name: demo, url: '{self.webhook.url}', secret_file: {secret}}}\n{self.more_config}")
        log = self.work / "verifier.log"
        with log.open("w") as out:
            self.verifier = subprocess.Popen(
                [str(self.programs / "assay-verifier"), "--config", str(config)], stderr=out)

        def ports():
            if self.verifier.poll() is not None:
                raise DemoError(f"the verifier did not start: {log.read_text()}")
            return re.search(r"event=started .*grpc_port=(\d+) http_port=(\d+)", log.read_text())

        found = eventually("the verifier's ports", 20, ports)
        self.grpc_port, self.http_port = found[1], found[2]

    def start_guest(self, *options):
        self.guest_started = True
        self.vm("start", self.guest, "--port", self.grpc_port, *options)

    def hand_over_token(self):
        """To the agent, which reads the file at its start: the guest's init starts it again."""
        token = self.assay("join-token", "create", "demo", "--uses", "1", "--hours", "1").strip()
        self.in_guest(f"umask 077; echo {token} > {TOKEN_FILE}; kill $(cat /run/assay-agent.pid)")

    def push_golden(self):
        # The kernel's own certificate is measured as a key when the policy is loaded.
        for name, tree in (("host/demo", self.guest / "rootfs"), ("kernel-keys/demo", self.guest / "kernel-keys")):
            file = self.work / (name.replace("/", "-") + ".json")
            self.assay("golden", "build", "--rootfs", str(tree), "--name", name, "-o", str(file))
            self.assay("golden", "push", str(file))
        show(self.assay("golden", "list"))

    def await_trusted(self, former=None):
        """The node, once it is trusted in a boot with another reset count than `former`."""
        def trusted():
            node = next((n for n in self.assay_json("node", "list")["nodes"] if n["name"] == NODE), None)
            if node is not None and node["state"] == "compromised":
                raise DemoError("the clean guest has findings:\n" + self.assay("violation", "list"))
            return self.assay_json("node", "show", NODE) if good(node) else None

        def good(node):
            return node is not None and node["state"] == "trusted" and node["reset_count"] != former

        return eventually("a trusted node", TRUSTED_SECONDS, trusted)

    def attack(self):
        self.in_guest(f"cp /bin/ls {TOOL} && echo changed >> {TOOL}")
        started = time.monotonic()
        self.in_guest(f"{TOOL} / > /dev/null")
        arrived, body, raw = eventually(
            "the webhook", ALERT_SECONDS,
            lambda: self.webhook.first("assay.violation.detected", TOOL))
        return arrived - started, body, raw

    def stop_verifier(self):
        if self.verifier is not None and self.verifier.poll() is None:
            self.verifier.terminate()
            self.verifier.wait(timeout=20)

    def stop_guest(self):
        if self.guest_started:
            subprocess.run([sys.executable, str(DEPLOY / "guest" / "vm.py"), "stop", str(self.guest)],
                           check=False)
        self.guest_started = False

    def close(self):
        self.stop_guest()
        self.stop_verifier()


def perform(demo):
    step("a development CA, a certificate, an operator's token")
    demo.run("sh", DEPLOY / "dev-ca.sh", demo.ca, "10.0.2.100")
    step("the guest: stock Debian kernel, IMA, UEFI with Secure Boot, software TPM")
    demo.make_guest()
    step("the verifier, on this machine, with a boot policy and the TPM maker's root")
    demo.start_verifier(demo.write_policy())
    show(f"gRPC 127.0.0.1:{demo.grpc_port}, HTTP 127.0.0.1:{demo.http_port}")
    step("golden sets: every file of the guest's root file system, and its kernel's keys")
    demo.push_golden()
    step("booting the guest")
    demo.start_guest("--new-tpm")
    show("kernel " + demo.in_guest("uname -r"))
    step("a join token for it: it enrols itself, and is judged")
    demo.hand_over_token()
    first = demo.await_trusted()
    show(demo.assay("node", "show", NODE))
    step("what it booted")
    show(demo.assay("node", "boot", NODE))
    boot = demo.assay_json("node", "boot", NODE)

    step("rebooting it: the TPM's reset count says so, and all is judged again")
    demo.vm("reboot", demo.guest)
    clean = demo.await_trusted(first["reset_count"])
    show(demo.assay("node", "list"))
    show(demo.assay("violation", "list"))

    step(f"in the guest: a changed copy of ls is run as {TOOL}")
    seconds, body, raw = demo.attack()
    step("what the verifier saw")
    show(demo.assay("violation", "list"))
    show(demo.assay("node", "list"))
    step("what Prometheus sees")
    seen = [line for line in demo.metrics().splitlines()
            if re.match(r'assay_(node_state\{.*state="compromised"\}|violations_(total|active)\{kind="ima.unknown_digest")', line)]
    show("\n".join(seen))
    step("what the webhook received, signed")
    show(raw)
    step(f"from execution to alert: {seconds:.2f} s")
    return {"first": first, "boot": boot, "clean": clean, "node": demo.assay_json("node", "show", NODE),
            "violations": demo.assay_json("violation", "list"), "metrics": demo.metrics(), "webhook": body,
            "all_webhooks": [w[1] for w in demo.webhook.arrived], "seconds": seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--result", type=pathlib.Path)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    demo = Demo(options.programs.resolve(), options.work.resolve())
    try:
        seen = perform(demo)
    except (DemoError, subprocess.CalledProcessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        print(f"demo: logs are in {demo.work} (verifier.log, guest/vm/*/console.log)", file=sys.stderr)
        return 1
    finally:
        demo.close()
    if options.result:
        options.result.write_text(json.dumps(seen))
    print("\nThe change was detected.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
