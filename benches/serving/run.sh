#!/bin/sh
# Requests a second and their latency on loopback, for a table and for images, at several numbers of connections.
# usage: benches/serving/run.sh FIRECLAY LOAD [SECONDS]
#   FIRECLAY   the program
#   LOAD       the example `load` of fireclay-serve: cargo build --release -p fireclay-serve --example load
# Server and loader share the processors of this machine, unless TASKSET_SERVER and TASKSET_LOAD name some of them for each.
set -eu
fireclay=$(realpath "$1"); load=$(realpath "$2"); seconds=${3:-5}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d); server=
trap 'kill $server 2>/dev/null; rm -rf "$work"' EXIT
trap exit INT TERM
cd "$work"; ln -s "$root/configs" "$root/datasets" .
# A command on some processors, or on all.
on() { processors=$1; shift; if [ -n "$processors" ]; then exec taskset -c "$processors" "$@"; else exec "$@"; fi; }
"$fireclay" train configs/tabular/breast-cancer.toml -q --set device.backend=flex > /dev/null
"$fireclay" train configs/vision/digits-cnn.toml -q --set device.backend=flex > /dev/null
{ head -n 1 datasets/breast-cancer/data.csv; sed -n 2p datasets/breast-cancer/data.csv; } > one.csv
head -n 65 datasets/breast-cancer/data.csv > many.csv
# The smallest PNG of 8 by 8 grey pixels that Python makes.
python3 - <<'P' > image.png
import struct, sys, zlib
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = b"".join(b"\0" + bytes((x * 30 + y) % 256 for x in range(8)) for y in range(8))
sys.stdout.buffer.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
P
on "${TASKSET_SERVER:-}" "$fireclay" serve runs/breast-cancer runs/digits-cnn --port 0 --no-log > /dev/null 2> said & server=$!
until grep -q "listening on" said; do sleep 0.1; done
address=$(sed -n 's,.*listening on http://,,p' said)
for connections in 1 8 32; do
  for case in "breast-cancer text/csv one.csv" "breast-cancer text/csv many.csv" "digits-cnn image/png image.png"; do
    set -- $case
    printf '%s ' "$1 $3"
    (on "${TASKSET_LOAD:-}" "$load" "$address" "/predict/$1" "$2" "$3" "$connections" "$seconds")
  done
done
