#!/usr/bin/env python3
"""Writes the certificates built into a Debian kernel image to files, one DER each.

  kernel_keys.py VMLINUZ OUT_DIR

IMA logs each as an `ima-buf` entry named after its keyring (.builtin_trusted_keys) whose digest is
that of the DER. They belong to the kernel's build, so a golden set needs them beside the files.
"""

import hashlib
import lzma
import pathlib
import re
import sys

# SEQUENCE { SEQUENCE { [0] { INTEGER 2 } ...: an X.509 version 3 certificate of 256 bytes or more.
CERTIFICATE = re.compile(rb"\x30\x82(..)\x30\x82..\xa0\x03\x02\x01\x02", re.DOTALL)
XZ_MAGIC = b"\xfd7zXZ\0"


def certificates(kernel):
    for match in CERTIFICATE.finditer(kernel):
        length = 4 + int.from_bytes(match[1], "big")
        yield kernel[match.start() : match.start() + length]


def main(vmlinuz, out):
    image = pathlib.Path(vmlinuz).read_bytes()
    start = image.find(XZ_MAGIC)
    if start < 0:
        sys.exit(f"kernel_keys.py: {vmlinuz} holds no xz-compressed kernel")
    found = list(certificates(lzma.LZMADecompressor().decompress(image[start:])))
    if not found:
        sys.exit(f"kernel_keys.py: no certificate in {vmlinuz}")
    directory = pathlib.Path(out)
    directory.mkdir(parents=True, exist_ok=True)
    for der in found:
        (directory / f"{hashlib.sha256(der).hexdigest()}.der").write_bytes(der)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
