#!/bin/sh
# Makes a certificate authority, a server certificate and an operator's token for development and
# demonstrations. Not for production: the authority's key lies beside everything else.
#
#   deploy/dev-ca.sh DIR [HOST…]
#
# DIR/ca.pem            give this to agents and to `assay --ca`
# DIR/ca.key
# DIR/server.pem, .key  for assay-verifier; valid for localhost, 127.0.0.1, ::1 and each HOST
# DIR/operator.token    for assay-verifier and `assay --token-file`
#
# What is there stays as it is, so that a second run changes nothing, but for the server
# certificate, which is made anew when it does not hold every HOST or has less than a day to live.
set -eu

if [ $# -lt 1 ]; then
  echo "usage: $0 DIR [HOST…]" >&2
  exit 3
fi
if ! command -v openssl >/dev/null; then
  echo "$0: openssl is missing; run: apt-get install openssl" >&2
  exit 3
fi

dir=$1
shift
umask 077
mkdir -p "$dir"

# A file takes its name only when it is whole.
new_key() {
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.new" 2>/dev/null
  mv "$1.new" "$1"
}

# How a certificate names a host: "IP:10.0.0.1", "DNS:verifier".
san() {
  case $1 in
    *[!A-Za-z0-9.:-]* | '') echo "$0: not a host name or address: $1" >&2; return 3 ;;
    *:*) echo "IP:$1" ;;
    *[!0-9.]*) echo "DNS:$1" ;;
    *) echo "IP:$1" ;;
  esac
}

sans=
for host in localhost 127.0.0.1 ::1 "$@"; do
  sans="$sans$(san "$host"),"
done
sans=${sans%,}

# Whether the server certificate is good for this authority and all names, for another day.
server_is_good() {
  [ -s "$dir/server.pem" ] && [ -s "$dir/server.key" ] || return 1
  openssl x509 -in "$dir/server.pem" -noout -checkend 86400 >/dev/null || return 1
  openssl verify -CAfile "$dir/ca.pem" "$dir/server.pem" >/dev/null 2>&1 || return 1
  for host in "$@"; do
    case $(san "$host") in
      IP:*) option=-checkip ;;
      *) option=-checkhost ;;
    esac
    openssl x509 -in "$dir/server.pem" -noout $option "$host" | grep -q 'does match' || return 1
  done
}

if [ ! -s "$dir/ca.pem" ] || [ ! -s "$dir/ca.key" ]; then
  new_key "$dir/ca.key"
  openssl req -x509 -new -key "$dir/ca.key" -sha256 -days 3650 -subj "/CN=Assay development CA" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
    -addext "keyUsage=critical,keyCertSign,cRLSign" -out "$dir/ca.pem.new"
  mv "$dir/ca.pem.new" "$dir/ca.pem"
fi

if ! server_is_good "$@"; then
  new_key "$dir/server.key"
  cat >"$dir/server.ext" <<EOF
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=$sans
EOF
  openssl req -new -key "$dir/server.key" -sha256 -subj "/CN=assay-verifier" |
    openssl x509 -req -sha256 -days 825 -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
      -set_serial "0x$(openssl rand -hex 16)" -extfile "$dir/server.ext" \
      -out "$dir/server.pem.new" 2>/dev/null
  rm "$dir/server.ext"
  mv "$dir/server.pem.new" "$dir/server.pem"
fi

if [ ! -s "$dir/operator.token" ]; then
  openssl rand -hex 32 >"$dir/operator.token.new"
  mv "$dir/operator.token.new" "$dir/operator.token"
fi

chmod 0644 "$dir/ca.pem" "$dir/server.pem"
chmod 0600 "$dir/ca.key" "$dir/server.key" "$dir/operator.token"
echo "$dir: ca.pem server.pem server.key operator.token"
