"""Says what Python's zipfile finds in archives, after reading every byte of them.

python3 tell.py ARCHIVE...  prints, for each entry, one line of

    <archive number> <name in hex> <st_mode> <size> <CRC-32> <MS-DOS time> <UT time or ->

with both times in seconds since 1970, UTC.
"""

import calendar
import struct
import sys
import zipfile
import zlib


def extended_timestamp(extra):
    while extra:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == 0x5455 and extra[4] & 1:
            return struct.unpack("<i", extra[5:9])[0]
        extra = extra[4 + size :]
    return "-"


for index, archive in enumerate(sys.argv[1:]):
    with zipfile.ZipFile(archive) as reader:
        for entry in reader.infolist():
            # Checks the recorded CRC, too.
            content = reader.read(entry)
            print(
                index,
                entry.filename.encode().hex(),
                entry.external_attr >> 16,
                len(content),
                zlib.crc32(content),
                calendar.timegm(entry.date_time),
                extended_timestamp(entry.extra),
            )
