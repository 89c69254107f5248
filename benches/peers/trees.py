"""Makes the trees, which have only directories and plain files, so that all contenders read the same.

The contenders treat symbolic links differently: hoist refuses dangling ones, `aws deploy push` leaves out
those to directories, zip follows them, and rclone leaves out all. So a link to a file of the tree becomes
that file, and every other link is left out.
"""

import collections
import os
import pathlib
import shutil
import subprocess
import tempfile

APPSPEC = "version: 0.0\nos: linux\n"
WORDPRESS = "wordpress"


class Unfit(Exception):
    """A tree that cannot be made."""


def parse(text):
    """(name, directories); None stands for those of WordPress. Raises ValueError."""
    if text == WORDPRESS:
        return WORDPRESS, None
    name, directories = text, text
    if "=" in text and not pathlib.Path(text).exists():
        name, directories = text.split("=", 1)
    sources = [pathlib.Path(part).expanduser().resolve() for part in directories.split(",")]
    for source in sources:
        if not source.is_dir():
            raise ValueError(f"{source} is not a directory")
    if len({source.name for source in sources}) < len(sources):
        raise ValueError(f"{directories}: two directories of one name cannot be in one tree")
    return name, sources


def plant(tree, place, work):
    """Makes the tree at `place`, each directory below its own name. Returns the tree's name, and the
    numbers of links and other files that were left out."""
    name, sources = tree
    left_out = collections.Counter()
    place.mkdir()
    if sources is None:
        package = wordpress_package()
        version = package.stem.split("_")[1]
        name = f"Debian's {WORDPRESS} {version}"
        unpacked = work / WORDPRESS
        run(["dpkg-deb", "-x", package, unpacked], work)
        plant_directory(unpacked, place / WORDPRESS, left_out)
        shutil.rmtree(unpacked)
    else:
        for source in sources:
            plant_directory(source, place / source.name, left_out)
    (place / "appspec.yml").write_text(APPSPEC)
    return name, dict(left_out)


def plant_directory(source, target, left_out):
    def raise_it(error):
        raise error

    for directory, directories, files in os.walk(source, onerror=raise_it):
        there = target / os.path.relpath(directory, source)
        there.mkdir()
        for name in directories:
            if os.path.islink(os.path.join(directory, name)):
                left_out["symbolic links to directories"] += 1
        for name in files:
            path = os.path.join(directory, name)
            real = os.path.realpath(path)
            if not os.path.lexists(real):
                left_out["dangling symbolic links"] += 1
            elif not pathlib.Path(real).is_relative_to(source):
                left_out["symbolic links out of the directory"] += 1
            elif not os.path.isfile(real):
                left_out["pipes, sockets and devices"] += 1
            else:
                link_or_copy(real, there / name)


def link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def wordpress_package():
    """The path of the .deb, which is downloaded once."""
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    cache = home / "hoist-peers"
    if kept := sorted(cache.glob("wordpress_*.deb")):
        return kept[-1]
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as fetched:
        run(["apt-get", "download", "-q", WORDPRESS], fetched)
        [package] = pathlib.Path(fetched).glob("wordpress_*.deb")
        return package.rename(cache / package.name)


def run(command, directory):
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise Unfit(f"the tree `{WORDPRESS}` needs Debian or Ubuntu: {error}") from error
    if done.returncode != 0:
        raise Unfit(f"{command[0]}: {done.stderr.strip()}")
