#!/usr/bin/env python3
"""Shows how `hoist push` uses a link, by pushing to `hoist serve --discard`. See README.md here.

    python3 benches/link/link.py saturation [--concurrency 1,2,4,8,16,32] [--size GiB]
    python3 benches/link/link.py cpu [--size GiB]
    python3 benches/link/link.py levels [--levels 1,5,9,auto] [--links 20,100,1000] DIR
    python3 benches/link/link.py destinations [--counts 1,4,8] [--link-rate 40] [--size GiB | DIR]
    python3 benches/link/link.py copies [--counts 1,4] [--link-rate 40] [--size GiB | DIR]
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
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
MOST = 256 * MIB  # of memory, at the defaults
REGIONS = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-south-1",
    "ap-southeast-2",
]


class FarEnd:
    """The endpoint at the far end of a link, for one push."""

    def __init__(self, hoist, rate=None, total_rate=None, latency=0, regions=REGIONS[:1], keep=None):
        self.regions = regions
        # Connections that are not the push's: those that prepare, and one to look at the object.
        self.own_connections = 2 * len(regions) + 1
        self.keeps = keep is not None
        self.command = [hoist, "serve", "--latency", f"{latency}ms"]
        # What is kept can be copied; then the log tells what arrived, since there are no statistics.
        self.command += ["--dir", keep, "--verbose"] if self.keeps else ["--discard"]
        if rate:
            self.command += ["--rate", str(int(rate * 1e6))]
        if total_rate:
            self.command += ["--total-rate", str(int(total_rate * 1e6))]

    def __enter__(self):
        # A file: a pipe would fill up, since the log is read only after the push.
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        line = self.process.stdout.readline()
        if "=" not in line:
            raise SystemExit(f"{self.command} does not start")
        self.url = line.strip().split("=", 1)[1]
        for region in self.regions:
            self.prepare(region)
        return self

    def prepare(self, region):
        """A bucket that is called after its region, and the application App there."""
        place = f"<LocationConstraint>{region}</LocationConstraint>"
        place = f"<CreateBucketConfiguration>{place}</CreateBucketConfiguration>"
        body = None if region == "us-east-1" else place.encode()
        self.ask(f"/{region}", method="PUT", data=body)
        scope = f"test/20260101/{region}/codedeploy/aws4_request"
        headers = {
            "X-Amz-Target": "CodeDeploy_20141006.CreateApplication",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}",
        }
        self.ask("/", data=b'{"applicationName":"App"}', headers=headers)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.stdout.close()
        with contextlib.suppress(ChildProcessError):
            self.process.wait()
        self.log.close()

    def ask(self, path, **request):
        return urllib.request.urlopen(urllib.request.Request(self.url + path, **request))

    def size(self, region):
        """The size of the object in a region."""
        head = self.ask(f"/{region}/key.zip", method="HEAD")
        return int(head.headers["Content-Length"])

    def finish(self):
        """The size of the first object, the statistics, and the endpoint's processor time."""
        size = self.size(self.regions[0])
        self.process.terminate()
        said = self.process.stdout.read().splitlines()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        # The variables for clients come before the statistics.
        stats = self.logged() if self.keeps else json.loads(said[-1])
        return size, stats, usage.ru_utime + usage.ru_stime

    def logged(self):
        """The statistics that the log tells: bytes of uploads, requests and statuses."""
        line = re.compile(r"^hoist: \S+ .* (\w+) (\d+), (\d+) bytes in, ", re.MULTILINE)
        self.log.seek(0)
        stats = {"bytes": 0, "requests": {}, "statuses": {}}
        for operation, status, arrived in line.findall(self.log.read()):
            if operation in ("PutObject", "UploadPart"):
                stats["bytes"] += int(arrived)
            for name, key in (("requests", operation), ("statuses", status)):
                stats[name][key] = stats[name].get(key, 0) + 1
        return stats


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
            command += ["--s3-location", "s3://us-east-1/key.zip", "--endpoint-url", end.url, *options]
            super().__init__(command, environment())
            size, self.stats, self.end_cpu = end.finish()
            self.own_connections = end.own_connections
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
        connections = self.stats["connections"] - self.own_connections
        return (
            f"wall {self.wall:6.2f} s  {self.rate:6.1f} MB/s  "
            f"cpu/GiB {self.user / gib:5.2f} user {self.system / gib:5.2f} sys  "
            f"rss {self.rss / MIB:4.0f} MiB  parts in flight {self.in_flight:4.1f} most {held:2}  "
            f"connections {connections:2}  far end's cpu/GiB {self.end_cpu / gib:4.2f}"
        )


class PushToSeveral(Run):
    """A push to the first of the regions: each is at the far end of a link of its own, or gets a copy of the
    first object."""

    def __init__(self, arguments, count, source, copies, *options):
        regions = REGIONS[:count]
        link = {"total_rate": arguments.link_rate, "latency": arguments.latency}
        with contextlib.ExitStack() as stack:
            if copies:
                memory = tempfile.mkdtemp(dir=place(arguments), prefix="hoist-link-end-")
                stack.callback(shutil.rmtree, memory)
                link = dict(link, keep=memory, regions=regions)
                ends = [stack.enter_context(FarEnd(arguments.hoist, **link))] * count
            else:
                ends = [
                    stack.enter_context(FarEnd(arguments.hoist, regions=[region], **link))
                    for region in regions
                ]
            command = [arguments.hoist, "push", "--application-name", "App", "--source", source]
            command += ["--s3-location", f"s3://{regions[0]}/key.zip"]
            command += ["--endpoint-url", ends[0].url, *options]
            for region, end in list(zip(regions, ends))[1:]:
                pairs = f"region={region},s3-location=s3://{region}/key.zip,endpoint-url={end.url}"
                pairs += f",copy-from={regions[0]}" if copies else ""
                command += ["--destination", pairs]
            super().__init__(command, environment())
            sizes = {end.size(region) for region, end in zip(regions, ends)}
            finished = [end.finish() for end in (ends[:1] if copies else ends)]
        self.size = sizes.pop()
        seen = [stats for _, stats, _ in finished]
        self.bytes = sum(stats["bytes"] for stats in seen)
        self.end_cpu = sum(cpu for _, _, cpu in finished)
        registered = sum(stats["requests"].get("RegisterApplicationRevision", 0) for stats in seen)
        statuses = {status for stats in seen for status in stats["statuses"]}
        uploads = 1 if copies else count
        if sizes or statuses != {"200"} or registered != count or self.bytes != uploads * self.size:
            raise SystemExit(f"objects of {self.size}, {sizes} bytes: {json.dumps(seen)}")


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


def place(arguments):
    """Where trees and objects are made: in memory where /dev/shm exists."""
    memory = pathlib.Path("/dev/shm")
    return arguments.tmp or (memory if memory.is_dir() else None)


@contextlib.contextmanager
def random_tree(arguments):
    """Files of at most 1 GiB of random bytes, in memory where /dev/shm exists."""
    with tempfile.TemporaryDirectory(dir=place(arguments), prefix="hoist-link-") as work:
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


def destinations(arguments):
    """What more destinations cost, each at the far end of a link of its own."""
    several(arguments, copies=False)


def copies(arguments):
    """What copies inside S3 cost the client, in regions of one endpoint that keeps objects in memory."""
    several(arguments, copies=True)


def several(arguments, copies):
    with contextlib.ExitStack() as stack:
        if arguments.tree:
            work = stack.enter_context(tempfile.TemporaryDirectory())
            tree, options = with_appspec(arguments.tree, pathlib.Path(work)), []
        else:
            tree, options = stack.enter_context(random_tree(arguments)), ["--level", "0"]
        counts = numbers(arguments.counts)
        # The first run reads the tree into the page cache, and does not count.
        PushToSeveral(arguments, 1, tree, copies, *options)
        runs = {count: [] for count in counts}
        for _ in range(arguments.rounds):
            for count in counts:
                runs[count].append(PushToSeveral(arguments, count, tree, copies, *options))
    first = runs[counts[0]]
    median = lambda of, what: statistics.median(what(run) for run in of)
    base = {
        "wall": median(first, lambda run: run.wall),
        "rss": median(first, lambda run: run.rss),
        "bytes": median(first, lambda run: run.bytes),
    }
    print(
        f"{first[0].size / MIB:.1f} MiB, links of {arguments.link_rate:g} MB/s and "
        f"{arguments.latency} ms, medians of {arguments.rounds}"
    )
    for count, of in runs.items():
        wall = median(of, lambda run: run.wall)
        spread = max(run.wall for run in of) - min(run.wall for run in of)
        rss = median(of, lambda run: run.rss)
        sent = median(of, lambda run: run.bytes)
        user, system = median(of, lambda run: run.user), median(of, lambda run: run.system)
        print(
            f"{count} destination{'s' * (count != 1)}: wall {wall:6.2f} s ({wall / base['wall']:.2f}, "
            f"spread {spread:.2f})  cpu {user:5.2f} user {system:5.2f} sys  "
            f"rss {rss / MIB:4.0f} MiB ({rss / base['rss']:.2f})  "
            f"client bytes {sent / base['bytes']:.2f}  far ends' cpu "
            f"{median(of, lambda run: run.end_cpu):5.2f} s"
            + ("" if max(run.rss for run in of) < MOST else "  MORE THAN 256 MiB"),
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

    for run, counts in ((destinations, "1,4,8"), (copies, "1,4")):
        command = commands.add_parser(run.__name__, help=run.__doc__)
        command.set_defaults(run=run)
        command.add_argument("--counts", default=counts, help="the first is compared with")
        command.add_argument("--link-rate", type=float, default=40, help="MB/s of each link")
        command.add_argument("--latency", type=int, default=30, help="ms a request")
        command.add_argument("--size", type=float, default=1, help="GiB of random bytes")
        command.add_argument("tree", metavar="DIR", nargs="?", help="pushed in place of them")

    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
