#!/bin/bash
# Usage: golden_builders_test.sh ASSAY
#
# Images as people build and carry them: files of Debian packages, put into layers by buildah and by
# umoci, copied from form to form by skopeo. Whatever the form, `assay golden build` has to find what
# umoci unpacks and sha256sum hashes, and to name the image by the digests that skopeo reports.
# Needs no network. Who is not root needs user namespaces, as buildah does.
set -euo pipefail
((EUID == 0)) || exec buildah unshare "$(realpath "$0")" "$@"

# shellcheck source=tests/integration/golden_image.sh
source "$(dirname "$(realpath "$0")")/golden_image.sh"
assay=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir tmp
export TMPDIR=$dir/tmp CONTAINERS_STORAGE_CONF=$dir/storage.conf BUILDAH_ISOLATION=chroot
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/storage"\nrunroot = "%s/run"\n' \
  "$dir" "$dir" >storage.conf

# quiet COMMAND...: what it prints is shown only when it fails.
quiet() {
  "$@" >printed 2>&1 || { echo "$*:"; cat printed; exit 1; }
}

copy() { quiet skopeo copy "$@"; }

# begin NAME FROM: starts the next layer, on top of the image FROM or of "scratch" for architecture
# NAME, and leaves its root in $root. end NAME puts the image into the layout, as NAME.
begin() {
  container=$(buildah from --pull-never --arch "$1" "$2")
  root=$(buildah mount "$container")
}
end() {
  quiet buildah umount "$container"
  quiet buildah commit --rm "$container" "$1"
  quiet buildah push "$1" "oci:layout:$1"
}

# install PACKAGE...: what dpkg has of them goes under $root, where it really is after "usrmerge".
install() {
  local link
  for link in bin lib lib64 sbin; do
    mkdir -p "$root/usr/$link"
    ln -sfn "usr/$link" "$root/$link"
  done
  dpkg -L "$@" | sed -E 's!^/(bin|lib|lib64|sbin)/!/usr/\1/!' | while read -r path; do
    [[ -d $path && ! -L $path || ! -e $path ]] || echo "${path#/}"
  done | sort -u >list
  tar -C / -cf - -T list | tar -C "$root" -xf -
}

begin amd64 scratch
install base-files grep libc-bin perl-base sed
[[ $root/usr/bin/perl -ef $root/usr/bin/perl5.36.0 ]] || ln "$root"/usr/bin/{perl,perl.linked}
end base

begin amd64 localhost/base
rm -r "$root/usr/share/doc" "$root/etc/issue"
echo replaced >"$root/usr/bin/sed"
ln "$root"/usr/bin/grep "$root"/usr/bin/grep.linked
mkdir "$root/etc/issue.net.d" && rm "$root/etc/issue.net" && mv "$root/etc/issue.net.d" "$root/etc/issue.net"
echo inside >"$root/etc/issue.net/inside"
rm -r "$root/etc/update-motd.d" && ln -s default "$root/etc/update-motd.d"
mkfifo "$root/usr/lib/pipe"
chown 1234:50000 "$root/usr/bin/sed"
end upper

# umoci writes an opaque directory, a whiteout, and a layer of what is changed in an unpacked tree.
mkdir opaque && echo opaque >opaque/only
quiet umoci insert --image layout:upper --tag inserted --opaque opaque /etc/default
quiet umoci insert --image layout:inserted --whiteout /usr/bin/zgrep
quiet umoci unpack --image layout:inserted edit
(
  cd edit/rootfs
  rm usr/bin/egrep usr/bin/sed
  ln usr/bin/fgrep usr/bin/egrep
  ln -s grep usr/bin/sed
  echo text >"usr/lib/ä ö"
)
quiet umoci repack --image layout:amd64 edit
quiet umoci unpack --image layout:amd64 amd64

begin arm64 scratch
install base-files sed
end arm64
quiet umoci unpack --image layout:arm64 arm64

# The test is worth what its layers hold.
skopeo inspect oci:layout:amd64 |
  python3 -c 'import json, sys; print(*(i.replace(":", "/") for i in json.load(sys.stdin)["Layers"]), sep="\n")' >layers
# GNU tar misses the end of what `umoci insert` writes.
while read -r layer; do tar -tvzf "layout/blobs/$layer" || true; done <layers >entries 2>/dev/null
for what in '\.wh\.issue$' '\.wh\.\.wh\.\.opq$' '^h.* link to ' '^l.* -> ' '^p.*/pipe$'; do
  grep -q "$what" entries || { echo "no layer has $what"; exit 1; }
done

# named NAMES [DIGEST]...: the set has these names and digests, and the layers of the image "amd64".
skopeo inspect --config --raw oci:layout:amd64 >config
named() {
  python3 - config set.json "$@" <<'PY' || { echo "$*: not what the set says"; exit 1; }
import json, sys
config, image = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))["predicate"]["image"]
assert image["layers"] == config["rootfs"]["diff_ids"] and len(image["layers"]) == 5, image
assert image["names"] == sys.argv[3].split() and image["digests"] == sys.argv[4:], image
PY
}
sha256() { echo "sha256:$(sha256sum | cut -d' ' -f1)"; }
config_digest=$(sha256 <config)
digest_of() { skopeo inspect --raw "$1" | sha256; }

same_as_umoci amd64 --oci layout --ref amd64
named amd64 "$(digest_of oci:layout:amd64)" "$config_digest"

copy oci:layout:amd64 oci-archive:amd64.oci.tar:shop/web:1
same_as_umoci amd64 --oci amd64.oci.tar
named shop/web:1 "$(digest_of oci-archive:amd64.oci.tar)" "$config_digest"

copy oci:layout:amd64 docker-archive:amd64.tar:shop/web:1
same_as_umoci amd64 --docker-archive amd64.tar --platform linux/amd64
named docker.io/shop/web:1 "$config_digest"
gzip -k1 amd64.tar
same_as_umoci amd64 --docker-archive amd64.tar.gz
named docker.io/shop/web:1 "$config_digest"

copy --dest-compress-format zstd oci:layout:amd64 oci:zstd:amd64
skopeo inspect --raw oci:zstd:amd64 | grep -q 'tar+zstd' || { echo "skopeo wrote no zstd"; exit 1; }
same_as_umoci amd64 --oci zstd
named amd64 "$(digest_of oci:zstd:amd64)" "$config_digest"

# An index of two architectures, each with its own image.
quiet buildah manifest create both
quiet buildah manifest add both oci:layout:amd64
quiet buildah manifest add both oci:layout:arm64
quiet buildah manifest push --all both oci:both:app
copy --all oci:both:app oci-archive:both.tar:app
for form in both both.tar; do
  same_as_umoci arm64 --oci $form --platform linux/arm64
  same_as_umoci amd64 --oci $form --platform linux/amd64
  named app "$(digest_of oci:both:app)" \
    "$(skopeo inspect --raw oci:both:app | grep -o 'sha256:[0-9a-f]*' | head -1)" "$config_digest"
  refused "several images" --oci $form
done
echo "golden_builders_test: passed"
