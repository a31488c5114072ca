#!/usr/bin/env bash
# Shows what Assay does, on a real kernel: builds everything, boots a guest with Secure Boot, IMA and
# a software TPM, lets it enrol itself, attests it, reboots it, changes and runs a file in it, and
# shows the alert. Exits 0 only if the change was really detected. On a fresh Debian 12 it installs what is missing (as root, or with sudo); a
# second run reuses the build. Everything it makes is under build/.
#
#   deploy/demo.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh
# shellcheck source=deploy/guest/packages.sh
source deploy/guest/packages.sh

echo "== packages"
install_missing "${build_packages[@]}" "${guest_host_packages[@]}" openssl

echo "== build"
cmake --preset release
cmake --build --preset release --target assay-verifier assay-agent assay

exec python3 deploy/demo/demo.py --programs build/release/bin --work build/demo "$@"
