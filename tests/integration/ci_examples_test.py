#!/usr/bin/env python3
"""Runs the jobs of deploy/ci as a CI would, against a real verifier that asks for signatures.

  ci_examples_test.py ASSAY ASSAY_VERIFIER

docker is a program of the test's own that has an image ready; everything else is real.
"""

import hashlib
import io
import json
import os
import pathlib
import re
import shlex
import socket
import subprocess
import sys
import tarfile
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSAY, VERIFIER = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
EXPRESSION = re.compile(r"\$\{\{\s*([\w.]+)\s*\}\}")


def docker_archive(path, content):
    """What `docker save` writes of an image with the one file /app/web."""
    def add(archive, name, data):
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(data), 0o755
        archive.addfile(member, io.BytesIO(data))
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        add(archive, "app/web", content)
    diff_id = "sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()
    config = {"architecture": "amd64", "os": "linux",
              "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    manifest = [{"Config": "config.json", "RepoTags": ["shop/web:1"], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        add(archive, "manifest.json", json.dumps(manifest).encode())
        add(archive, "config.json", json.dumps(config).encode())
        add(archive, "layer.tar", layer.getvalue())


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Verifier:
    """A verifier that takes sets of shop/ signed by one key, and the secrets of a CI job for it."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        run = lambda *argv: subprocess.run(argv, cwd=folder, check=True, capture_output=True)
        run(ROOT / "deploy/dev-ca.sh", "ca", "localhost")
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-out", "signing.pem")
        run("openssl", "pkey", "-in", "signing.pem", "-pubout", "-out", "signing.pub")
        (folder / "verifier.yaml").write_text(
            f"grpc_listen: 127.0.0.1:{self.port}\nhttp_listen: 127.0.0.1:0\ndatabase: assay.db\n"
            "tls: {certificate: ca/server.pem, key: ca/server.key}\n"
            "operator_token_file: ca/operator.token\n"
            "golden: {signers: [{names: [shop/], keys: [signing.pub]}]}\n")
        self.process = subprocess.Popen([VERIFIER, "--config", folder / "verifier.yaml"],
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "event=started" in line:
                break
        else:
            raise AssertionError("the verifier does not start")
        token = self.assay("push-token", "create", "shop-ci", "--for", "shop/")["secret"]
        self.secrets = {"ASSAY_PUSH_TOKEN": token,
                        "ASSAY_SIGNING_KEY": (folder / "signing.pem").read_text().strip(),
                        "ASSAY_CA_PEM": (folder / "ca/ca.pem").read_text().strip()}

    def assay(self, *arguments):
        command = [ASSAY, *arguments, "--json", "--server", f"localhost:{self.port}",
                   "--ca", "ca/ca.pem", "--token-file", "ca/operator.token"]
        return json.loads(subprocess.run(command, cwd=self.folder, check=True,
                                         capture_output=True).stdout)

    def stop(self):
        self.process.terminate()
        self.process.stderr.close()
        return self.process.wait()


class Job:
    """A folder in which the steps of one job are run, one shell for each script."""

    def __init__(self, folder, content):
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "bin/assay").symlink_to(ASSAY)
        docker_archive(folder / "ready.tar", content)
        docker = folder / "bin/docker"
        docker.write_text(f'#!/bin/sh\necho "$*" >>{folder}/docker.log\n'
                          f'[ "$1 $2" != "save -o" ] || cp {folder}/ready.tar "$3"\n')
        docker.chmod(0o755)

    def run(self, script, environment):
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=self.folder, text=True,
                              env={"PATH": path, **environment}, capture_output=True, check=False)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def run_gitlab(job, verifier):
    document = yaml.safe_load((ROOT / "deploy/ci/gitlab-ci.yaml").read_text())
    steps = document["image"]
    ci = {"CI_COMMIT_SHA": "4f0c2d9", "CI_JOB_URL": "https://ci.example/7", "CI_JOB_ID": "7",
          **steps["variables"], **verifier.secrets, "IMAGE": "shop/web:4f0c2d9",
          "ASSAY_SERVER": f"localhost:{verifier.port}"}
    return job.run("\n".join(steps["script"]), ci) + job.run("\n".join(steps["after_script"]), ci)


def run_github(job, verifier):
    document = yaml.safe_load((ROOT / "deploy/ci/github-actions.yaml").read_text())
    steps = document["jobs"]["image"]
    known = {"github.repository": "shop/web", "github.sha": "4f0c2d9",
             **{f"secrets.{name}": value for name, value in verifier.secrets.items()}}
    expand = lambda values: {name: EXPRESSION.sub(lambda match: known[match[1]], value)
                             for name, value in values.items()}
    github = {"GITHUB_SHA": "4f0c2d9", "GITHUB_SERVER_URL": "https://github.example",
              "GITHUB_REPOSITORY": "shop/web", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "1",
              "GITHUB_JOB": "image", **expand(steps["env"]),
              "ASSAY_SERVER": f"localhost:{verifier.port}"}
    return "".join(job.run(step["run"], {**github, **expand(step.get("env", {}))})
                   for step in steps["steps"] if "run" in step)


class CiExamples(unittest.TestCase):
    def check(self, run):
        with tempfile.TemporaryDirectory() as there, tempfile.TemporaryDirectory() as here:
            verifier = Verifier(pathlib.Path(there))
            self.addCleanup(verifier.stop)
            job = Job(pathlib.Path(here), b"#!/bin/sh\necho web\n")
            said = run(job, verifier)
            for secret in verifier.secrets.values():
                self.assertNotIn(secret, said)
            [stands] = verifier.assay("golden", "list")["sets"]
            self.assertEqual((stands["name"], stands["state"], stands["pushed_by"]),
                             ("shop/web", "approved", "token:shop-ci"))
            self.assertEqual(len(stands["signed_by"]), 1)
            shown = verifier.assay("golden", "show", "shop/web")
            self.assertEqual([file["path"] for file in shown["files"]], ["/app/web"])
            self.assertEqual(shown["facts"]["revision"], "4f0c2d9")
            # The image is pushed last.
            log = (job.folder / "docker.log").read_text().splitlines()
            self.assertEqual([shlex.split(line)[0] for line in log], ["build", "save", "push"])
            left = [path.name for path in job.folder.rglob("*") if path.suffix == ".pem"]
            self.assertEqual(left, [])
            # The job once more, as after a lost connection: the same set, and nothing new.
            run(job, verifier)
            self.assertEqual(verifier.assay("golden", "list")["sets"], [stands])

    def test_gitlab(self):
        self.check(run_gitlab)

    def test_github(self):
        self.check(run_github)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
