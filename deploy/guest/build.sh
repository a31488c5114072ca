#!/bin/bash
# Builds the virtual machine that the demonstration and the VM test attest: a stock Debian kernel,
# an initramfs, a root disk holding the agent, and a CA for the software TPM's endorsement keys.
#
#   build.sh OUT_DIR --agent FILE --config FILE --ca FILE [--file SOURCE:DESTINATION]...
#
#   --agent    assay-agent as built on this machine; goes to /usr/bin/assay-agent
#   --config   goes to /etc/assay/agent.yaml
#   --ca       the verifier's CA certificate; goes to /etc/assay/ca.pem
#   --file     one more file for the guest. Programs, like the agent, bring their shared libraries.
#
# Result, for vm.py and `assay golden build --rootfs OUT_DIR/rootfs`:
#
#   OUT_DIR/vmlinuz, initramfs.cpio      what the firmware boots; the kernel is signed for Secure Boot
#   OUT_DIR/rootfs/, root.ext4           the root file system: a tree and the disk made from it
#   OUT_DIR/kernel-keys/SHA256.der       certificates that the kernel has built in or takes from the
#                                        firmware's db; IMA logs them as keys
#   OUT_DIR/tpm-ca/roots/                the verifier's vendor_roots: who certifies the software TPMs
#
# Needs the packages of packages.sh and apt's package lists (apt-get update), but not root: nothing
# is installed or mounted on this machine. A second run does only what its inputs make necessary.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly this=$here/build.sh
readonly policy=$here/../ima/exec.policy
readonly steps=6

# The guest's user space; everything else the guest runs is busybox or the agent.
readonly guest_packages=(
  base-files bash busybox-static coreutils libacl1 libattr1 libc6 libgmp10 libpcre2-8-0 libselinux1
  libssl3 libtinfo6
)
# In the initramfs: what the root disk needs, and SHA-384, without which IMA fills the sha384 bank
# with padded SHA-1 (it asks modprobe for it before the disk is there).
readonly boot_modules=(virtio_pci virtio_blk ext4 crc32c_generic sha512_generic)
# In the root file system: loaded after the policy, hence measured.
readonly root_modules=(virtio_net overlay)
# Debian's firmware has a variable store that trusts this key pair of everybody's: a test key.
readonly secure_boot_key=/usr/share/ovmf/PkKek-1-snakeoil.key
readonly secure_boot_certificate=/usr/share/ovmf/PkKek-1-snakeoil.pem
# Opened with dlopen by the TSS, so ldd does not see it.
readonly tpm_library=libtss2-tcti-device.so.0

usage() {
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
}

fail() {
  echo "build.sh: $*" >&2
  exit 1
}

progress() { echo "[guest $1/$steps] $2"; }

# changed STEP INPUT... : whether the step has to run. Inputs are files, or words taken as they are.
# The step calls `done_with STEP` when it has finished.
changed() {
  local step=$1 input
  shift
  for input in "$@"; do
    if [[ -f $input ]]; then sha256sum < "$input"; else echo "$input"; fi
  done | sha256sum > "$out/.steps/$step.new"
  ! cmp -s "$out/.steps/$step.new" "$out/.steps/$step"
}

done_with() { mv "$out/.steps/$1.new" "$out/.steps/$1"; }

# unpack TREE DEB [TAR_ARGUMENT]... : not by dpkg-deb -x, to keep links such as /bin -> usr/bin and
# to leave out documentation.
unpack() {
  local tree=$1
  shift
  dpkg-deb --fsys-tarfile "$1" | tar -x -C "$tree" --keep-directory-symlink --no-same-owner \
    --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' \
    --exclude='./usr/share/info/*' --exclude='./usr/share/lintian/*' "${@:2}"
}

kernel_package() {
  apt-cache show --no-all-versions linux-image-amd64 |
    sed -n 's/^Depends: \(linux-image-[0-9][^ ,]*\).*/\1/p'
}

download_packages() {
  if ! changed packages "${guest_packages[@]}"; then
    progress 1 "Debian packages: have them"
    return
  fi
  local kernel
  kernel=$(kernel_package)
  [[ -n $kernel ]] || fail "apt knows no linux-image-amd64; apt-get update?"
  progress 1 "Debian packages: downloading $kernel and ${#guest_packages[@]} small ones"
  rm -rf "$out/debs" && mkdir "$out/debs"
  (
    cd "$out/debs"
    apt-get -q -o APT::Sandbox::User=root download "$kernel" "${guest_packages[@]}"
  ) > "$out/apt.log" 2>&1 || fail "apt-get download failed, see $out/apt.log"
  done_with packages
}

unpack_kernel() {
  if ! changed kernel "$this" "$here/kernel_keys.py" "$out"/debs/linux-image-*.deb; then
    progress 2 "kernel: have it"
    return
  fi
  progress 2 "kernel: unpacking"
  rm -rf "$out/kernel" && mkdir "$out/kernel"
  unpack "$out/kernel" "$out"/debs/linux-image-*.deb \
    --exclude='*/drivers/gpu' --exclude='*/drivers/media' \
    --exclude='*/net/wireless' --exclude='*/sound'
  depmod -b "$out/kernel" "$(kernel_version)"
  sign_kernel "$out/kernel/boot/vmlinuz-$(kernel_version)"
  rm -rf "$out/kernel-keys"
  python3 "$here/kernel_keys.py" "$out/vmlinuz" "$out/kernel-keys"
  add_firmware_key
  done_with kernel
}

sign_kernel() {
  openssl rsa -in "$secure_boot_key" -passin pass:snakeoil -out "$out/secure-boot.key" 2> "$out/sign.log"
  sbsign --key "$out/secure-boot.key" --cert "$secure_boot_certificate" --output "$out/vmlinuz" "$1" \
    > "$out/sign.log" 2>&1 || fail "sbsign failed, see $out/sign.log"
}

add_firmware_key() {
  local der=$out/kernel-keys/firmware.der
  openssl x509 -in "$secure_boot_certificate" -outform DER -out "$der"
  mv "$der" "$out/kernel-keys/$(sha256sum < "$der" | cut -d ' ' -f 1).der"
}

kernel_version() { basename "$out"/kernel/lib/modules/*; }

# install_modules TREE MODULE... : with the modules they depend on and an index for modprobe.
install_modules() {
  local tree=$1 version module file
  shift
  version=$(kernel_version)
  for module in "$@"; do
    modprobe -C /dev/null -d "$out/kernel" -S "$version" --show-depends "$module"
  done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
    install -D -m 644 "$file" "$tree/lib/modules/$version/${file#*"/lib/modules/$version/"}"
  done
  cp "$out/kernel/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} \
    "$tree/lib/modules/$version/"
  depmod -b "$tree" "$version"
}

build_initramfs() {
  if ! changed initramfs "$this" "$here/initramfs-init" "$out/.steps/kernel" \
    "$out"/debs/busybox-static_*.deb; then
    progress 3 "initramfs: have it"
    return
  fi
  progress 3 "initramfs: ${boot_modules[*]}"
  local tree=$out/initramfs applet
  # Busybox has the path it has on the root disk: its last runs here are measured already.
  rm -rf "$tree" && mkdir -p "$tree"/{usr/bin,sbin,dev,proc,sys,root,etc/ima}
  ln -s usr/bin "$tree/bin"
  unpack "$tree" "$out"/debs/busybox-static_*.deb ./bin/busybox
  for applet in $("$tree/bin/busybox" --list); do
    [[ -e $tree/bin/$applet ]] || ln -s busybox "$tree/bin/$applet"
  done
  ln -s ../bin/busybox "$tree/sbin/modprobe" # the path the kernel calls
  install -m 755 "$here/initramfs-init" "$tree/init"
  install_modules "$tree" "${boot_modules[@]}"
  (cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) > "$out/initramfs.cpio"
  done_with initramfs
}

# install_program SOURCE DESTINATION : into the root tree, with the libraries it is linked to.
install_program() {
  local library
  install -D -m 755 "$1" "$out/rootfs$2"
  { ldd "$1" 2> /dev/null || true; } | grep -o '/[^ ]*' | while read -r library; do
    install_library "$library"
  done
}

# Under its real name and mode, the ones IMA logs; the name programs ask for is a link to it, as
# in Debian.
install_library() {
  local real
  real=$(realpath "$1")
  install -D -m "$(stat -c %a "$real")" "$real" "$out/rootfs$real"
  [[ $(basename "$1") == "$(basename "$real")" ]] ||
    ln -sf "$(basename "$real")" "$out/rootfs$(dirname "$real")/$(basename "$1")"
}

install_tpm_library() {
  local path
  path=$(PATH=$PATH:/usr/sbin:/sbin ldconfig -p | sed -n "s/.*$tpm_library .*=> //p" | head -n 1)
  [[ -n $path ]] || fail "$tpm_library is not installed"
  install_program "$path" "$path"
}

install_extra_file() {
  local source=${1%%:*} destination=${1#*:}
  if [[ -x $source ]]; then
    install_program "$source" "$destination"
  else
    install -D -m 644 "$source" "$out/rootfs$destination"
  fi
}

# Debian's merged /usr: measured paths are the real ones, /usr/bin/bash and not /bin/bash.
make_root_skeleton() {
  local directory
  mkdir -p "$1"/{dev,proc,sys,run,tmp,opt,root,mnt,etc/{ima,assay},var/lib/assay}
  for directory in bin sbin lib lib64; do
    mkdir -p "$1/usr/$directory" && ln -s "usr/$directory" "$1/$directory"
  done
}

# What the tree needs besides packages: busybox under the names nothing else has, sh, the root user.
finish_root_tree() {
  local tree=$1 applet
  for applet in $("$tree/usr/bin/busybox" --list); do
    [[ -e $tree/usr/bin/$applet || -e $tree/usr/sbin/$applet ]] ||
      ln -s busybox "$tree/usr/bin/$applet"
  done
  ln -s ../bin/busybox "$tree/usr/sbin/modprobe"
  ln -sf bash "$tree/usr/bin/sh"
  echo 'root:x:0:0:root:/root:/bin/bash' > "$tree/etc/passwd"
  echo 'root:x:0:' > "$tree/etc/group"
  echo '127.0.0.1 localhost' > "$tree/etc/hosts"
  chmod 1777 "$tree/tmp"
}

build_root_tree() {
  local sources=() file package
  for file in "${extra_files[@]}"; do sources+=("$file" "${file%%:*}"); done
  if ! changed rootfs "$this" "$out/.steps/packages" "$out/.steps/kernel" "$here/init" "$policy" \
    "$agent" "$config" "$ca" "${sources[@]}"; then
    progress 4 "root file system: have it"
    return
  fi
  progress 4 "root file system: ${#guest_packages[@]} packages, the agent and its libraries"
  rm -rf "$out/rootfs" && mkdir "$out/rootfs"
  make_root_skeleton "$out/rootfs"
  for package in "${guest_packages[@]}"; do unpack "$out/rootfs" "$out"/debs/"$package"_*.deb; done
  finish_root_tree "$out/rootfs"
  install_modules "$out/rootfs" "${root_modules[@]}"
  install_program "$agent" /usr/bin/assay-agent
  install_tpm_library
  install -m 755 "$here/init" "$out/rootfs/usr/sbin/init"
  install -m 644 "$policy" "$out/rootfs/etc/ima/ima-policy"
  install -m 644 "$config" "$out/rootfs/etc/assay/agent.yaml"
  install -m 644 "$ca" "$out/rootfs/etc/assay/ca.pem"
  for file in "${extra_files[@]}"; do install_extra_file "$file"; done
  done_with rootfs
}

build_root_disk() {
  if ! changed disk "$this" "$out/.steps/rootfs"; then
    progress 5 "root disk: have it"
    return
  fi
  local megabytes as_root=()
  megabytes=$(($(du -sm "$out/rootfs" | cut -f1) * 5 / 4 + 96))
  progress 5 "root disk: $megabytes MB of ext4"
  ((EUID == 0)) || as_root=(fakeroot)
  rm -f "$out/root.ext4"
  truncate -s "${megabytes}M" "$out/root.ext4"
  "${as_root[@]}" mke2fs -q -t ext4 -m 0 -L assay-guest -d "$out/rootfs" "$out/root.ext4"
  done_with disk
}

# The maker of the (software) TPMs: its CA signs the endorsement key of every guest of OUT_DIR.
make_tpm_ca() {
  local ca_dir=$out/tpm-ca
  if ! changed tpm-ca "$this" "$out"; then
    progress 6 "TPM maker's CA: have it"
    return
  fi
  progress 6 "TPM maker's CA: making its keys"
  rm -rf "$ca_dir" && mkdir "$ca_dir"
  printf '%s\n' "statedir = $ca_dir" "signingkey = $ca_dir/signkey.pem" \
    "issuercert = $ca_dir/issuercert.pem" "certserial = $ca_dir/certserial" > "$ca_dir/localca.conf"
  printf '%s\n' "--platform-manufacturer Assay" "--platform-version 1" "--platform-model guest" \
    > "$ca_dir/localca.options"
  printf '%s\n' "create_certs_tool = $(command -v swtpm_localca)" \
    "create_certs_tool_config = $ca_dir/localca.conf" \
    "create_certs_tool_options = $ca_dir/localca.options" > "$ca_dir/swtpm_setup.conf"
  # The CA comes into being with the first TPM it certifies; that one is thrown away.
  mkdir "$ca_dir/first"
  swtpm_setup --tpm2 --tpmstate "$ca_dir/first" --config "$ca_dir/swtpm_setup.conf" \
    --create-ek-cert --create-platform-cert --lock-nvram > "$ca_dir/log" 2>&1 ||
    fail "swtpm_setup failed, see $ca_dir/log"
  rm -r "$ca_dir/first"
  mkdir "$ca_dir/roots"
  cat "$ca_dir/issuercert.pem" "$ca_dir/swtpm-localca-rootca-cert.pem" > "$ca_dir/roots/swtpm.pem"
  done_with tpm-ca
}

parse_arguments() {
  if (($# == 0)) || [[ $1 == -* ]]; then usage; fi
  mkdir -p "$1/.steps"
  out=$(cd "$1" && pwd)
  shift
  agent='' config='' ca='' extra_files=()
  while (($# >= 2)); do
    case $1 in
      --agent) agent=$2 ;;
      --config) config=$2 ;;
      --ca) ca=$2 ;;
      --file) [[ $2 == ?*:/?* ]] || usage; extra_files+=("$2") ;;
      *) usage ;;
    esac
    shift 2
  done
  (($# == 0)) || usage
  local file
  for file in "$agent" "$config" "$ca" "${extra_files[@]%%:*}"; do
    [[ -f $file ]] || fail "no such file: '$file'"
  done
}

parse_arguments "$@"
download_packages
unpack_kernel
build_initramfs
build_root_tree
build_root_disk
make_tpm_ca
