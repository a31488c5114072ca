#!/bin/bash
# Usage: golden_image_test.sh ASSAY
#
# Real images, built without any network by GNU tar, gzip, zstd and sha256sum, unpacked by umoci and
# hashed by sha256sum: `assay golden build` has to find the same paths with the same digests.
set -euo pipefail

# shellcheck source=tests/integration/golden_image.sh
source "$(dirname "$(realpath "$0")")/golden_image.sh"
assay=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

digest() { sha256sum "$1" | cut -d' ' -f1; }

# Puts FILE into the layout and prints its descriptor, of MEDIA_TYPE.
blob() {
  local hex
  hex=$(digest "$1")
  cp "$1" "layout/blobs/sha256/$hex"
  printf '{"mediaType":"%s","digest":"sha256:%s","size":%d}' "$2" "$hex" "$(stat -c %s "$1")"
}

# layer NUMBER COMPRESSION DIR [TAR ARGUMENT]...: a layer of what DIR holds.
# umoci, which knows no zstd, gets the same archive as gzip.
layers=() gzip_layers=() diff_ids=()
layer() {
  local tar=$1.tar type=application/vnd.oci.image.layer.v1.tar
  tar --numeric-owner --owner=$1 --group=3000000 -C "$3" -cf "$tar" "${@:4}" .
  diff_ids+=("\"sha256:$(digest "$tar")\"")
  gzip -nk "$tar"
  gzip_layers+=("$(blob "$tar.gz" $type+gzip)")
  case $2 in
    gzip) layers+=("$(blob "$tar.gz" $type+gzip)") ;;
    zstd) zstd -q "$tar" && layers+=("$(blob "$tar.zst" $type+zstd)") ;;
    none) layers+=("$(blob "$tar" $type)") ;;
  esac
}

# image ARCHITECTURE LAYER...: a manifest; prints its entry for an index.
image() {
  local IFS=, entry arch=$1
  shift
  printf '{"architecture":"%s","os":"linux","rootfs":{"type":"layers","diff_ids":[%s]}}' \
    "$arch" "${diff_ids[*]}" >config
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' \
    "$(blob config application/vnd.oci.image.config.v1+json)" "$*" >manifest
  entry=$(blob manifest application/vnd.oci.image.manifest.v1+json)
  printf '%s,"platform":{"os":"linux","architecture":"%s"},"annotations":{"org.opencontainers.image.ref.name":"%s"}}' \
    "${entry%\}}" "$arch" "$arch"
}

index() {
  local IFS=,
  printf '{"schemaVersion":2,"manifests":[%s]}' "$*" >layout/index.json
}

# unpack NAME ENTRY: has umoci unpack the image ENTRY into NAME.
unpack() {
  index "$2"
  umoci unpack --image "layout:$1" "$1" >unpacked 2>&1 || { cat unpacked; exit 1; }
}

mkdir -p layout/blobs/sha256 base/usr/bin base/etc/app base/opt/gone/deep base/srv base/data
echo '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
cp /usr/bin/{tar,gzip,env,sort,cut,find,sed} base/usr/bin/
ln -s usr/bin base/bin
ln base/usr/bin/tar base/usr/bin/tar.linked
for i in a b c; do echo "$i" >base/etc/app/$i; echo "$i" >base/opt/gone/deep/$i; done
echo file >base/srv/becomes-directory
mkdir base/srv/becomes-file && echo x >base/srv/becomes-file/x
mkdir base/srv/becomes-link && echo y >base/srv/becomes-link/y
echo removed >base/srv/removed
truncate -s 3M base/data/sparse && echo end >>base/data/sparse && truncate -s 5M base/data/sparse
long=$(printf 'n%.0s' {1..200})
mkdir -p "base/data/$long/$long" && echo long >"base/data/$long/$long/$long"
echo umlaut >"base/data/ä ö"
layer 1 gzip base --format=pax --sparse

mkdir -p upper/etc/app upper/opt upper/srv/becomes-directory upper/bin.d
touch upper/etc/app/.wh..wh..opq upper/opt/.wh.gone upper/srv/.wh.removed
echo new >upper/etc/app/new
echo inside >upper/srv/becomes-directory/inside
echo file >upper/srv/becomes-file
ln -s ../etc upper/srv/becomes-link
layer 2 zstd upper

mkdir -p top/usr/bin
echo replaced >top/usr/bin/env
ln top/usr/bin/env top/usr/bin/env.linked
mkdir -p "top/data/$long" "top/opt/gone"
echo "long, GNU's way" >"top/data/$long/$long"
echo again >top/opt/gone/again
layer 3 none top
amd64=$(image amd64 "${layers[@]}") amd64_gzip=$(image amd64 "${gzip_layers[@]}")

mkdir -p other/etc && echo arm >other/etc/arch
layer 4 gzip other
arm64=$(image arm64 "${layers[@]}") arm64_gzip=$(image arm64 "${gzip_layers[@]}")

unpack amd64 "$amd64_gzip"
unpack arm64 "$arm64_gzip"
index "$amd64"
same_as_umoci amd64 --oci layout
tar -C layout -cf layout.tar .
same_as_umoci amd64 --oci layout.tar
same_as_umoci amd64 --docker-archive layout.tar

index "$amd64" "$arm64"
same_as_umoci amd64 --oci layout --ref amd64
same_as_umoci arm64 --oci layout --platform linux/arm64

# The set says what the image is called and made of.
python3 - set.json layout/index.json <<'PY'
import json, sys
image = json.load(open(sys.argv[1]))["predicate"]["image"]
arm64 = json.load(open(sys.argv[2]))["manifests"][1]
assert image["names"] == ["arm64"], image
assert image["digests"][0] == arm64["digest"] and len(image["digests"]) == 2, image
assert len(image["layers"]) == 4, image
files = {file["path"]: file for file in json.load(open(sys.argv[1]))["predicate"]["files"]}
for path, layer in {"/usr/bin/tar": 0, "/usr/bin/tar.linked": 0, "/etc/app/new": 1,
                    "/usr/bin/env": 2, "/usr/bin/env.linked": 2, "/etc/arch": 3}.items():
    assert files[path]["layer"] == layer, files[path]
    assert files[path]["uid"] == layer + 1 and files[path]["gid"] == 3000000, files[path]
PY
refused "several images" --oci layout
refused "no such image" --oci layout --ref none

# The old form of `docker save`.
mkdir -p old/{1,2,3}
for i in 1 2 3; do cp $i.tar old/$i/layer.tar; done
config=$(grep -l '"architecture":"amd64"' layout/blobs/sha256/*)
cp "$config" old/config.json
echo '[{"Config":"config.json","RepoTags":["test:1"],"Layers":["1/layer.tar","2/layer.tar","3/layer.tar"]}]' \
  >old/manifest.json
tar -C old -cf old.tar .
same_as_umoci amd64 --docker-archive old.tar --ref test:1
refused "0 of 1 images fit" --docker-archive old.tar --ref test:2

# Before version 25 docker wrote the second of two equal layers as a link to the first.
mkdir old/2b && mv old/2/layer.tar old/2b/ && ln -s ../2b/layer.tar old/2/layer.tar
same_as_umoci amd64 --docker-archive old
tar -C old -cf old.tar .
same_as_umoci amd64 --docker-archive old.tar
ln -sf ../../2.tar old/2/layer.tar && tar -C old -cf old.tar .
refused "a link out of the image" --docker-archive old.tar
refused "a link out of the image" --docker-archive old

# One byte of a layer is another; then one is missing.
rm old/2/layer.tar && cp 2.tar old/2/layer.tar
cp 2.tar old/3/layer.tar && tar -C old -cf old.tar .
refused "not diff_id" --docker-archive old.tar
blob=layout/blobs/sha256/$(digest 1.tar.gz)
truncate -s -1 "$blob"
refused "layer: .* of .* bytes" --oci layout --ref amd64
printf X >>"$blob"
refused "layer: not sha256:" --oci layout --ref amd64
echo "golden_image_test: passed"
