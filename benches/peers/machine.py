"""Describes the machine and the programs, without which a figure means nothing."""

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
            "file_system": output_of(["stat", "-f", "-c", "%T", work], r"(.+)"),
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
        yield name, output_of([path, "--version"], r"hoist (\S+)")
    yield "AWS CLI", output_of(["aws", "--version"], r"aws-cli/(\S+)")
    yield "Zip", output_of(["zip", "-v"], r"This is Zip (\S+)")
    yield "7-Zip", output_of([contenders.seven_zip_program()], r"7-Zip .*?(\d+\.\d+)")
    yield "rclone", output_of(["rclone", "version"], r"rclone v?(\S+)")


def output_of(command, pattern):
    """The first group of `pattern` in the output. None if the program is not installed."""
    if not shutil.which(command[0]):
        return None
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(1) if found else "of unknown version"
