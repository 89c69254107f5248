"""Compares an archive with its tree, so that a contender does not win by leaving out files.

This runs in a process of its own. Reading tens of thousands of names makes a process grow, and its memory
would be charged to the commands that it starts later (see measure.py).

Entries are compared by size and CRC-32, not by name, since zip writes some names differently without a
UTF-8 locale.
"""

import collections
import json
import os
import subprocess
import sys
import zipfile
import zlib


class Wrong(Exception):
    """The archive differs from the tree, or one of them cannot be read."""


def in_a_process(*arguments):
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise Wrong(done.stderr.strip())
    return json.loads(done.stdout)


def list_tree(tree, manifest):
    """Reads every file, and writes sizes and CRCs to `manifest`."""
    files = []
    for directory, _, names in os.walk(tree):
        for name in names:
            size = crc = 0
            with open(os.path.join(directory, name), "rb") as file:
                while piece := file.read(1 << 20):
                    size += len(piece)
                    crc = zlib.crc32(piece, crc)
            files.append((size, crc))
    with open(manifest, "w") as file:
        json.dump(files, file)
    return {"files": len(files), "bytes": sum(size for size, _ in files)}


def check(path, manifest, whole):
    """Compares the central directory with `manifest`; `whole` also unpacks every entry."""
    with open(manifest) as file:
        expected = collections.Counter(map(tuple, json.load(file)))
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) != expected.total():
            raise Wrong(f"the archive has {len(entries)} files, the tree {expected.total()}")
        if missing := expected - collections.Counter((e.file_size, e.CRC) for e in entries):
            raise Wrong(f"{missing.total()} files are not as in the tree, by size and CRC-32")
        if whole and (bad := archive.testzip()):
            raise Wrong(f"{bad} does not unpack to what its CRC-32 says")
    return {"files": len(entries)}


if __name__ == "__main__":
    verb, subject, manifest = sys.argv[1:]
    try:
        if verb == "list":
            answer = list_tree(subject, manifest)
        else:
            answer = check(subject, manifest, whole=verb == "read")
    except (Wrong, OSError, zipfile.BadZipFile, zlib.error) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(json.dumps(answer))
