"""Times `hoist push` against other programs that upload a directory to S3 as a zip. README.md says what
is measured and what it needs.

    cargo build --release
    python3 benches/peers [--rounds N] [--cold] [--format markdown] TREE ...
"""

import argparse
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

# Leave no byte code in the source tree.
sys.dont_write_bytecode = True

import archive
import contenders
import endpoint
import machine
import measure
import report
import trees

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent


def main():
    # A name that the terminal cannot show must not end the run.
    sys.stdout.reconfigure(errors="replace")
    sys.stderr.reconfigure(errors="replace")
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="hoist-peers-", dir=arguments.work) as work:
        results = compare(arguments, pathlib.Path(work))
    print(report.FORMATS[arguments.format](results))
    failed = [c for tree in results["trees"] for c in tree["contenders"] if c["failed"]]
    return 1 if failed else 0


def parse():
    parser = argparse.ArgumentParser(
        prog="benches/peers",
        description="Time hoist push against aws deploy push, zip, 7zz and rclone, "
        "all to one local endpoint.",
    )
    parser.add_argument(
        "trees",
        nargs="+",
        metavar="TREE",
        help="DIR; DIR,DIR for one tree of several; NAME=DIR for a name of its own in the report; "
        "or `wordpress`, Debian's package",
    )
    parser.add_argument("--rounds", type=positive, default=5, metavar="N", help="default: 5")
    parser.add_argument(
        "--levels",
        type=lambda text: text.split(","),
        default=["fast", "3", "5", "6", "9"],
        metavar="LEVEL,…",
        help="default: fast,3,5,6,9",
    )
    parser.add_argument(
        "--hoist",
        action="append",
        default=[],
        type=binary,
        metavar="NAME=PATH",
        help="another hoist binary; the one called `hoist` also serves the endpoint, "
        "and is target/release/hoist by default",
    )
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        metavar="NAME,NAME",
        help="only these of aws, zip, 7zz, rclone, rclone-archive, hoist (every level), hoist-5 and so on",
    )
    parser.add_argument("--format", choices=report.FORMATS, default="table")
    parser.add_argument("--seed", type=int, help="seed of the order in each round; default: the time")
    parser.add_argument(
        "--cold", action="store_true", help="drop the page cache before each command; needs root"
    )
    parser.add_argument(
        "--work", type=pathlib.Path, metavar="DIR", help="where temporary files go; default: /tmp"
    )
    arguments = parser.parse_args()

    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    arguments.hoist = {"hoist": target.resolve() / "release/hoist", **dict(arguments.hoist)}
    for name, path in arguments.hoist.items():
        if not os.access(path, os.X_OK):
            parser.error(f"{name}: {path} is not there; cargo build --release, or --hoist NAME=PATH")
    if arguments.cold and not os.access(measure.DROP_CACHES, os.W_OK):
        parser.error("--cold needs root")
    if arguments.seed is None:
        arguments.seed = int(time.time())
    try:
        arguments.trees = [trees.parse(text) for text in arguments.trees]
        arguments.contenders, arguments.skipped = contenders.choose(
            arguments.hoist, arguments.levels, arguments.only
        )
    except ValueError as error:
        parser.error(str(error))
    return arguments


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def binary(text):
    name, path = text.split("=", 1)
    if not name:
        raise ValueError
    return name, pathlib.Path(path).expanduser().resolve()


def compare(arguments, work):
    for name, reason in arguments.skipped.items():
        say(f"{name}: skipped, {reason}")
    say(f"seed {arguments.seed}")
    results = {
        **machine.describe(work, arguments.hoist),
        "cache": "cold" if arguments.cold else "warm",
        "rounds": arguments.rounds,
        "seed": arguments.seed,
        "skipped": arguments.skipped,
        "trees": [],
    }
    shuffler = random.Random(arguments.seed)
    with endpoint.Endpoint(arguments.hoist["hoist"], work / "endpoint") as served:
        for tree in arguments.trees:
            results["trees"].append(compare_on(tree, arguments, work, served, shuffler))
    results["memory_floor_bytes"] = measure.memory_floor()
    return results


def compare_on(tree, arguments, work, served, shuffler):
    place = work / "tree"
    name, left_out = trees.plant(tree, place, work)
    # This also warms the page cache, since it reads every file.
    counted = archive.in_a_process("list", place, work / "tree.json")
    say(f"{name}: {counted['files']:,} files, {counted['bytes']:,} bytes")
    for what, count in left_out.items():
        say(f"  left out for all: {what}: {count}")

    entries = [
        {"key": c.key, "label": c.label, "failed": None, "runs": []} for c in arguments.contenders
    ]
    field = list(zip(arguments.contenders, entries))
    for number in range(1, arguments.rounds + 1):
        # A new order in each round, so that no contender always follows the same other one.
        for contender, entry in shuffler.sample(field, len(field)):
            if entry["failed"]:
                continue
            heading = f"  {number}/{arguments.rounds} {contender.key:14}"
            try:
                run = one_run(contender, place, work, served, arguments.cold, whole=number == 1)
            except (measure.Failed, archive.Wrong) as failure:
                entry["failed"] = str(failure)
                say(f"{heading} failed: {failure}")
                continue
            entry["runs"].append({"round": number, **run})
            say(
                f"{heading} wall {run['wall_seconds']:7.2f} s  cpu {run['cpu_seconds']:7.2f} s  "
                f"peak {run['peak_rss_bytes'] >> 20:4} MiB  {run['archive_bytes']:,} bytes"
            )
    shutil.rmtree(place)
    report.summarise(entries)
    return {"name": name, **counted, "left_out": left_out, "contenders": entries}


def one_run(contender, place, work, served, cold, whole):
    """Runs a contender, checks the stored object, and deletes it. `whole`: also unpacks every entry."""
    # Each contender has its own key, so that none overwrites another's object.
    key = f"{contender.key}.zip"
    temporary = work / "temporary"
    temporary.mkdir()
    env = served.environment(temporary)
    at = contenders.At(place, endpoint.BUCKET, key, temporary / "archive.zip")
    try:
        # Write back the data of the run before, so that it does not slow this one.
        os.sync()
        if cold:
            measure.drop_caches()
        run = measure.run(contender.steps(at), env, place, work)
        stored = served.stored(key)
        if not stored.is_file():
            raise archive.Wrong(f"no object called {key} is stored")
        run["archive_bytes"] = stored.stat().st_size
        archive.in_a_process("read" if whole else "check", stored, work / "tree.json")
        return run
    finally:
        served.delete(key)
        shutil.rmtree(temporary)


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, endpoint.Refused, archive.Wrong, trees.Unfit) as error:
        sys.exit(f"peers: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
