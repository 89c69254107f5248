#!/usr/bin/env bash
# Two of npm's most used zip readers take the size of an entry above 4 GiB modulo 2^32.
#
# Python's zipfile writes a valid archive with one entry of 4 GiB and 1,000 zero bytes (4.2 MB deflated, zip64
# fields in both headers). unzip, 7-Zip, bsdtar, Java and Go read it, and so do yauzl, unzipper, unzip-stream,
# node-stream-zip, zip.js and fflate's stream on npm. But:
# - adm-zip 0.6.1 says that the entry has 1,000 bytes, and cannot inflate it (RangeError). It reads the zip64
#   records of the directory otherwise: an archive of 70,000 entries is listed whole.
# - jszip 3.10.2 also takes 1,000 for the size: it hands out all 4,294,968,296 bytes, and then fails.
#
# Run on 2026-11-28 with Node.js 20.20.2 and CPython 3.11.7. Output then:
#   adm-zip size 1000
#   adm-zip getData ERR_BUFFER_TOO_LARGE
#   jszip gave 4294968296 bytes, then: Bug : uncompressed data size mismatch
#
# What follows: hooks and build steps that open a bundle with these two cannot read a
# file of 4 GiB or more; a tgz has no such limit.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save adm-zip@0.6.1 jszip@3.10.2
python3 - <<'PY'
import zipfile

SIZE = (1 << 32) + 1000
with zipfile.ZipFile("giant.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    info = zipfile.ZipInfo("giant")
    info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, SIZE
    with archive.open(info, "w", force_zip64=True) as entry:
        for _ in range(SIZE >> 20):
            entry.write(bytes(1 << 20))
        entry.write(bytes(SIZE & ((1 << 20) - 1)))
PY
cat >read.js <<'JS'
const fs = require('fs');
const Adm = require('adm-zip');
const Jszip = require('jszip');

const [entry] = new Adm('giant.zip').getEntries();
console.log('adm-zip size', entry.header.size);
try {
  console.log('adm-zip getData', entry.getData().length);
} catch (error) {
  console.log('adm-zip getData', error.code);
}
Jszip.loadAsync(fs.readFileSync('giant.zip')).then((zip) => {
  let given = 0;
  zip.file('giant').nodeStream()
    .on('data', (chunk) => { given += chunk.length; })
    .on('end', () => console.log('jszip gave', given, 'bytes'))
    .on('error', (error) => console.log('jszip gave', given, 'bytes, then:', error.message));
});
JS
node read.js | tee seen
diff seen - <<'SEEN'
adm-zip size 1000
adm-zip getData ERR_BUFFER_TOO_LARGE
jszip gave 4294968296 bytes, then: Bug : uncompressed data size mismatch
SEEN
