"""Reads archives with Python's zipfile, which is what `aws deploy push` writes with.

Every entry is written under a number; the names go to standard output in hexadecimal.

python3 reader.py OUT ARCHIVE...  writes OUT/<archive number>/file/<entry number>
"""

import os
import shutil
import sys
import zipfile

out = sys.argv[1]
for index, archive in enumerate(sys.argv[2:]):
    label = f"{index}/file"
    os.makedirs(f"{out}/{label}")
    with zipfile.ZipFile(archive) as reader:
        bad = reader.testzip()
        if bad is not None:
            sys.exit(f"{archive}: bad CRC in {bad!r}")
        for number, entry in enumerate(reader.infolist()):
            with reader.open(entry) as content, open(f"{out}/{label}/{number}", "wb") as file:
                shutil.copyfileobj(content, file)
            mode = entry.external_attr >> 16
            print(label, number, entry.filename.encode().hex(), f"{mode & 0o777:o}")
