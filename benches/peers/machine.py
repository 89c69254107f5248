"""What a figure was measured on: without it, a figure says nothing."""

import datetime
import os
import pathlib
import platform
import re
import shutil
import subprocess

import contenders


def describe(work, binaries):
    return {
        "machine": {
            "cpu": cpu(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            "kernel": f"{platform.system()} {platform.release()}",
            "file_system": said(["stat", "-f", "-c", "%T", work], r"(.+)"),
            "load_before": os.getloadavg()[0],
        },
        "tools": {name: version for name, version in tools(binaries) if version},
        "date": datetime.date.today().isoformat(),
    }


def cpu():
    found = re.search(r"(?m)^model name\s*: (.+)$", pathlib.Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else platform.machine()


def tools(binaries):
    for name, path in binaries.items():
        yield name, said([path, "--version"], r"hoist (\S+)")
    yield "AWS CLI", said(["aws", "--version"], r"aws-cli/(\S+)")
    yield "Zip", said(["zip", "-v"], r"This is Zip (\S+)")
    yield "7-Zip", said([contenders.seven_zip_program()], r"7-Zip .*?(\d+\.\d+)")
    yield "rclone", said(["rclone", "version"], r"rclone v?(\S+)")


def said(command, pattern):
    """None when the program is not there."""
    if not shutil.which(command[0]):
        return None
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(1) if found else "of unknown version"
