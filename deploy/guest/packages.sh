# shellcheck shell=bash disable=SC2034
# Sourced, not run. Debian 12 packages the guest needs on the host, beyond a base system:
#
#   source deploy/guest/packages.sh
#   apt-get install --no-install-recommends "${guest_host_packages[@]}"
guest_host_packages=(
  busybox-static        # on the host: the pipe from the guest's port to the verifier's (nc)
  cpio                  # initramfs
  e2fsprogs             # mke2fs -d
  fakeroot              # root-owned files in the image when build.sh is not run as root
  kmod                  # depmod, modprobe --show-depends
  libtss2-tcti-device0  # copied into the guest: the agent opens it at run time
  openssl
  ovmf                  # UEFI firmware that measures what it boots, with and without Secure Boot
  python3               # vm.py and kernel_keys.py, standard library only
  qemu-system-x86
  qemu-utils            # qemu-img
  sbsigntool            # the kernel's signature for Secure Boot
  swtpm
  swtpm-tools           # swtpm_setup, swtpm_localca
)
