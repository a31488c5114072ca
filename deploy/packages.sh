# shellcheck shell=bash disable=SC2034
# Sourced, not run: the Debian 12 packages that Assay is built, demonstrated and tested with, and
# install_missing, which installs those of its arguments that are not there.

build_packages=(
  g++ cmake ninja-build ccache pkg-config
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler
  libssl-dev libtss2-dev libsqlite3-dev libcpp-httplib-dev prometheus-cpp-dev
  nlohmann-json3-dev libcli11-dev libspdlog-dev libyaml-cpp-dev libexpected-dev libarchive-dev
  # Not named by our own code, but by the CMake files of gRPC and prometheus-cpp.
  libabsl-dev libc-ares-dev libre2-dev zlib1g-dev
  doctest-dev python3
)
test_packages=(
  swtpm swtpm-tools libtss2-tcti-swtpm0 openssl sqlite3 prometheus ima-evm-utils
  clang libclang-rt-14-dev umoci buildah skopeo zstd curl python3-yaml
)

install_missing() {
  local package missing=() become=()
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  [[ $(id -u) == 0 ]] || become=(sudo)
  # The guest is made of packages that apt fetches: its lists have to be there in any case.
  if ((${#missing[@]} > 0)) || ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
    "${become[@]}" apt-get update -q
  fi
  ((${#missing[@]} > 0)) || return 0
  echo "installing: ${missing[*]}"
  # A service that Debian would start (prometheus) is not wanted: only its program is.
  "${become[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}
