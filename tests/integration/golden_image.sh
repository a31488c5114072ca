# shellcheck shell=bash disable=SC2154
# Sourced, not run: how tests compare the sets that "$assay" builds from images with what umoci unpacks
# and sha256sum says. Files are made in the current directory.

# same_as_umoci NAME SOURCE...: the set built from SOURCE has what umoci unpacked into NAME.
same_as_umoci() {
  (cd "$1/rootfs" && find . -type f -exec sha256sum {} + | sed 's/  \./ /') >want
  [[ $(wc -l <want) -gt 5 ]] || { echo "$*: umoci unpacked next to nothing"; exit 1; }
  "$assay" golden build "${@:2}" --name test -o set.json >/dev/null
  python3 - set.json want "$1/rootfs" <<'PY' || { echo "$*: not as umoci unpacks it"; exit 1; }
import json, os, sys
files = json.load(open(sys.argv[1]))["predicate"]["files"]
have = ["%s %s" % (file["sha256"], file["path"]) for file in files]
want = open(sys.argv[2], encoding="utf-8").read().splitlines()
if sorted(have) != sorted(want):
    sys.exit("the set alone has %s\numoci alone has %s" % (set(have) - set(want), set(want) - set(have)))
umoci_keeps_owners = os.geteuid() == 0
for file in files:
    path = sys.argv[3] + file["path"]
    st, head = os.stat(path), open(path, "rb").read(4)
    kind = "elf" if head == b"\x7fELF" else "script" if head[:2] == b"#!" else None
    assert file.get("kind") == kind, file
    assert not umoci_keeps_owners or (file["uid"], file["gid"]) == (st.st_uid, st.st_gid), file
PY
}

# refused WHY ARGUMENT...: the build fails and says that.
refused() {
  if "$assay" golden build "${@:2}" --name test -o refused.json 2>refused; then
    echo "${*:2}: not refused"; exit 1
  fi
  grep -q "$1" refused || { echo "${*:2}: not $1:"; cat refused; exit 1; }
}
