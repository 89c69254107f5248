#!/usr/bin/env python3
"""Times `hoist push` against `aws deploy push`: whole commands, one after the other, both to the
same `hoist serve`. Needs the AWS CLI.

    cargo build --release
    python3 benches/against_aws.py [--rounds N] [--cold] DIR ...

Each DIR is copied by hard links (or bytes, across file systems) to a temporary place and given an
appspec.yml. --cold drops the page cache before every run, which needs root.
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

HOIST = pathlib.Path(__file__).resolve().parent.parent / "target/release/hoist"


def link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def revision(directories, place):
    for directory in directories.split(","):
        source = pathlib.Path(directory).expanduser().resolve()
        shutil.copytree(source, place / source.name, copy_function=link_or_copy)
    (place / "appspec.yml").write_text("version: 0.0\nos: linux\n")
    return place


def timed(command, env):
    start = time.monotonic()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    wall = time.monotonic() - start
    etag = re.search("eTag=([^ ,]+)", said).group(1)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, etag


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="drop the page cache before every run")
    parser.add_argument("trees", nargs="+", metavar="DIR", help="or DIR,DIR to make one of several")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        compare(arguments, pathlib.Path(work))


def compare(arguments, work):
    state = work / "endpoint"
    server = subprocess.Popen([HOIST, "serve", "--dir", state], stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().strip().split("=", 1)[1]
        env = dict(
            os.environ,
            AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_REGION="us-east-1",
            AWS_DEFAULT_REGION="us-east-1",
        )
        quiet = {"env": env, "check": True, "stdout": subprocess.DEVNULL}
        subprocess.run(["aws", "s3", "mb", "s3://bucket"], **quiet)
        subprocess.run(
            ["aws", "deploy", "create-application", "--application-name", "App"], **quiet
        )
        for number, tree in enumerate(arguments.trees):
            source = revision(tree, work / f"tree-{number}")
            print(tree)
            walls = {"aws": [], "hoist": []}
            for _ in range(arguments.rounds):
                for name, command in [("aws", ["aws", "deploy"]), ("hoist", [HOIST])]:
                    if arguments.cold:
                        os.sync()
                        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
                    push = ["push", "--application-name", "App", "--source", source]
                    location = ["--s3-location", f"s3://bucket/{name}.zip"]
                    wall, cpu, rss, etag = timed([*command, *push, *location], env)
                    size = (state / f"buckets/bucket/objects/{name}.zip").stat().st_size
                    print(
                        f"  {name:5} wall {wall:6.2f} s  cpu {cpu:6.2f} s  rss {rss:4} MiB  "
                        f"{size} bytes  {etag}",
                        flush=True,
                    )
                    walls[name].append(wall)
            ratio = statistics.median(walls["aws"]) / statistics.median(walls["hoist"])
            print(f"  {ratio:.1f} times as fast (medians)")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
