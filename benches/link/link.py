#!/usr/bin/env python3
"""Shows how `hoist push` uses a link, by pushing to `hoist serve --discard`. See README.md here.

    python3 benches/link/link.py saturation [--concurrency 1,2,4,8,16,32] [--size GiB]
    python3 benches/link/link.py cpu [--size GiB]
    python3 benches/link/link.py levels [--levels 1,5,9,auto] [--links 20,100,1000] DIR
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MIB = 1 << 20
GIB = 1 << 30
PART = 8 * MIB  # src/archive/limits.rs: up to 78 GiB


class FarEnd:
    """The endpoint at the far end of a link, for one push."""

    # Connections that are not the push's: two to prepare, one to look at the object.
    OWN_CONNECTIONS = 3

    def __init__(self, hoist, rate=None, total_rate=None, latency=0):
        self.command = [hoist, "serve", "--discard", "--latency", f"{latency}ms"]
        if rate:
            self.command += ["--rate", str(int(rate * 1e6))]
        if total_rate:
            self.command += ["--total-rate", str(int(total_rate * 1e6))]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if "=" not in line:
            raise SystemExit(f"{self.command} does not start")
        self.url = line.strip().split("=", 1)[1]
        self.ask("/bucket", method="PUT")
        target = {"X-Amz-Target": "CodeDeploy_20141006.CreateApplication"}
        self.ask("/", data=b'{"applicationName":"App"}', headers=target)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.stdout.close()
        with contextlib.suppress(ChildProcessError):
            self.process.wait()

    def ask(self, path, **request):
        return urllib.request.urlopen(urllib.request.Request(self.url + path, **request))

    def finish(self):
        """The size of the object, the statistics, and the processor time that the endpoint took."""
        size = int(self.ask("/bucket/key.zip", method="HEAD").headers["Content-Length"])
        self.process.terminate()
        # The variables for clients come before the statistics.
        stats = json.loads(self.process.stdout.read().splitlines()[-1])
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return size, stats, usage.ru_utime + usage.ru_stime


class Run:
    """A command and what it took."""

    def __init__(self, command, env):
        start = time.monotonic()
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.wall = time.monotonic() - start
            out.seek(0)
            self.said = out.read()
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{self.said}")
        self.user, self.system = usage.ru_utime, usage.ru_stime
        self.rss = usage.ru_maxrss * 1024


class Push(Run):
    """A push over a link, what it took and what the far end saw."""

    def __init__(self, arguments, link, source, *options):
        with FarEnd(arguments.hoist, **link) as end:
            command = [arguments.hoist, "push", "--application-name", "App", "--source", source]
            command += ["--s3-location", "s3://bucket/key.zip", "--endpoint-url", end.url, *options]
            super().__init__(command, environment())
            size, self.stats, self.end_cpu = end.finish()
        self.bytes = self.stats["bytes"]
        self.rate = self.bytes / self.wall / 1e6
        busy = self.stats["transfer_seconds"]
        self.in_flight = self.stats["upload_seconds"] / busy if busy else 0
        self.check(size)

    def check(self, size):
        """Refuses a run in which bytes were sent twice or requests failed."""
        if self.bytes != size or set(self.stats["statuses"]) != {"200"}:
            raise SystemExit(f"an object of {size} bytes: {json.dumps(self.stats)}")
        if self.stats["requests"].get("RegisterApplicationRevision") != 1:
            raise SystemExit(f"not registered: {json.dumps(self.stats)}")

    def line(self):
        gib = self.bytes / GIB
        held = self.stats["most_uploads"]
        connections = self.stats["connections"] - FarEnd.OWN_CONNECTIONS
        return (
            f"wall {self.wall:6.2f} s  {self.rate:6.1f} MB/s  "
            f"cpu/GiB {self.user / gib:5.2f} user {self.system / gib:5.2f} sys  "
            f"rss {self.rss / MIB:4.0f} MiB  parts in flight {self.in_flight:4.1f} most {held:2}  "
            f"connections {connections:2}  far end's cpu/GiB {self.end_cpu / gib:4.2f}"
        )


def environment():
    """Made-up credentials, and none of the machine's configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = os.devnull
    return dict(
        kept,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_REGION="us-east-1",
        AWS_CONFIG_FILE=nowhere,
        AWS_SHARED_CREDENTIALS_FILE=nowhere,
    )


@contextlib.contextmanager
def random_tree(arguments):
    """Files of at most 1 GiB of random bytes, in memory where /dev/shm exists."""
    memory = pathlib.Path("/dev/shm")
    place = arguments.tmp or (memory if memory.is_dir() else None)
    with tempfile.TemporaryDirectory(dir=place, prefix="hoist-link-") as work:
        work = pathlib.Path(work)
        (work / "appspec.yml").write_text("version: 0.0\nos: linux\n")
        left = int(arguments.size * GIB)
        for number in range(1000):
            if left <= 0:
                break
            with open(work / f"file-{number}.bin", "wb") as file:
                for _ in range(min(left, GIB) // MIB):
                    file.write(os.urandom(MIB))
            left -= GIB
        yield work


def numbers(text):
    return [int(number) for number in text.split(",")]


def saturation(arguments):
    """The share of many slow connections that is used, by the number of requests at a time."""
    rate, latency = arguments.connection_rate, arguments.latency / 1000
    seconds = PART / (rate * 1e6) + latency
    each = PART / seconds / 1e6
    print(
        f"{rate:g} MB/s and {arguments.latency} ms a request: parts of 8 MiB get {each:.1f} MB/s "
        "of a connection"
    )
    link = {"rate": rate, "latency": arguments.latency}
    with random_tree(arguments) as tree:
        for concurrency in numbers(arguments.concurrency):
            runs = []
            for _ in range(arguments.rounds):
                options = ["--level", "0", "--concurrency", str(concurrency)]
                runs.append(Push(arguments, link, tree, *options))
            run = sorted(runs, key=lambda run: run.wall)[len(runs) // 2]
            # Shares of what the connections carry at their rate, and of that less the latency.
            of_rate = run.rate / (rate * concurrency)
            of_each = run.rate / (each * concurrency)
            print(
                f"concurrency {concurrency:2}: {run.line()}  "
                f"{of_rate:4.0%} of the rate, {of_each:4.0%} of what parts can get",
                flush=True,
            )


def cpu(arguments):
    """The processor time of sending: a push without compression less a pack of the same files."""
    with random_tree(arguments) as tree:
        gib = arguments.size
        rows = {"pack": [], "push": []}
        for _ in range(arguments.rounds):
            pack = [arguments.hoist, "pack", "--quiet", "--level", "0", "--source", tree]
            # Pack renames its output, so /dev/null cannot be it; the archive lies beside the tree.
            archive = tree.with_name(tree.name + ".zip")
            try:
                rows["pack"].append(Run([*pack, "--output", archive], environment()))
            finally:
                archive.unlink(missing_ok=True)
            rows["push"].append(Push(arguments, {}, tree, "--level", "0"))
        medians = {}
        for name, runs in rows.items():
            user = statistics.median(run.user for run in runs) / gib
            system = statistics.median(run.system for run in runs) / gib
            wall = statistics.median(run.wall for run in runs)
            medians[name] = (user, system)
            print(f"{name}: wall {wall:.2f} s  cpu/GiB {user:.3f} user {system:.3f} sys")
        user, system = (a - b for a, b in zip(medians["push"], medians["pack"]))
        print(f"push less pack: {user:+.3f} user {system:+.3f} sys = {user + system:+.3f} s/GiB")
        last = rows["push"][-1]
        print(f"last push: {last.line()}")


def levels(arguments):
    """How long a push takes at each level over links of several rates."""
    names = arguments.levels.split(",")
    with tempfile.TemporaryDirectory() as work:
        tree = with_appspec(arguments.tree, pathlib.Path(work))
        for rate in arguments.links.split(","):
            link = {"total_rate": float(rate), "latency": arguments.latency}
            # The first run reads the tree into the page cache, and does not count.
            Push(arguments, link, tree, "--level", names[0])
            runs = {name: [] for name in names}
            for _ in range(arguments.rounds):
                for name in names:
                    runs[name].append(Push(arguments, link, tree, "--level", name))
            report(rate, runs)


def report(rate, runs):
    walls = {name: statistics.median(run.wall for run in of) for name, of in runs.items()}
    best = min(walls.values())
    print(f"link of {rate} MB/s:")
    for name, of in runs.items():
        run = sorted(of, key=lambda run: run.wall)[len(of) // 2]
        spread = max(run.wall for run in of) - min(run.wall for run in of)
        share = run.rate / float(rate)
        print(
            f"  level {name:>4}: {walls[name]:7.2f} s (+{walls[name] / best - 1:4.0%}, spread "
            f"{spread:4.2f})  {run.bytes / 1e6:8.1f} MB  link {share:4.0%} busy  "
            f"cpu {run.user + run.system:6.2f} s  rss {run.rss / MIB:4.0f} MiB  "
            f"parts in flight {run.in_flight:4.1f}"
            + ("  best" if walls[name] == best else ""),
            flush=True,
        )


def with_appspec(directory, place):
    """The directory itself if it can be pushed, else a tree of links to its files."""
    source = pathlib.Path(directory).expanduser().resolve()
    if (source / "appspec.yml").exists() or (source / "appspec.yaml").exists():
        return source

    def link_or_copy(source, target):
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)

    tree = place / "tree"
    shutil.copytree(source, tree, copy_function=link_or_copy, symlinks=True)
    (tree / "appspec.yml").write_text("version: 0.0\nos: linux\n")
    return tree


def main():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--hoist", default=target / "hoist")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tmp", help="where trees are made [default: /dev/shm]")
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("saturation", help=saturation.__doc__)
    command.set_defaults(run=saturation)
    command.add_argument("--concurrency", default="1,2,4,8,16,32")
    command.add_argument("--connection-rate", type=float, default=40, help="MB/s")
    command.add_argument("--latency", type=int, default=30, help="ms a request")
    command.add_argument("--size", type=float, default=4, help="GiB")

    command = commands.add_parser("cpu", help=cpu.__doc__)
    command.set_defaults(run=cpu)
    command.add_argument("--size", type=float, default=4, help="GiB")

    command = commands.add_parser("levels", help=levels.__doc__)
    command.set_defaults(run=levels)
    command.add_argument("--levels", default="1,3,5,6,9")
    command.add_argument("--links", default="20,100,1000", help="MB/s each")
    command.add_argument("--latency", type=int, default=30, help="ms a request")
    command.add_argument("tree", metavar="DIR")

    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
