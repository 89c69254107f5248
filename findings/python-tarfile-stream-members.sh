#!/usr/bin/env bash
# Python 3.11's tarfile, reading a .tar.gz as a stream (mode "r|gz"), stops after the first gzip member.
#
# RFC 1952 (2.2) lets a gzip file hold several members, and their contents follow each other. `gzip -dc`, GNU tar
# and tarfile's own seekable mode ("r:gz") read them all. The stream mode reads one. If that member
# ends between two entries, there is no error: the archive just has fewer entries. If it ends inside an
# entry, there is a ReadError.
#
# Run on 2026-11-28 with CPython 3.11.7 (no package is installed; only the standard library is used).
# Output then:
#   r:gz 1000 entries
#   r|gz 285 entries, no error
#
# What follows: a .tgz stays one gzip member, whatever number of threads made it.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/members.py" <<'PY'
import gzip, io, tarfile

ENTRY = 512 + 3072  # one header block, six blocks of content
plain = io.BytesIO()
with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
    for number in range(1000):
        info = tarfile.TarInfo(f"file-{number:04}")
        info.size = 3072
        tar.addfile(info, io.BytesIO(bytes([number % 251]) * info.size))
tar = plain.getvalue()
middle = 285 * ENTRY
two_members = gzip.compress(tar[:middle], mtime=0) + gzip.compress(tar[middle:], mtime=0)

for mode in ("r:gz", "r|gz"):
    with tarfile.open(fileobj=io.BytesIO(two_members), mode=mode) as tar:
        count = sum(1 for _ in tar)
    print(mode, count, "entries" if mode == "r:gz" else "entries, no error")
PY
python3 --version
python3 "$work/members.py" | tee "$work/seen"
diff "$work/seen" - <<'SEEN'
r:gz 1000 entries
r|gz 285 entries, no error
SEEN
