"""The programs that are compared, and their commands. They get only options that their users would give."""

import collections
import dataclasses
import pathlib
import re
import shutil
import subprocess
import typing

import endpoint


@dataclasses.dataclass(frozen=True)
class At:
    """Where the tree is, and where the archive goes. The tree is the working directory."""

    tree: pathlib.Path
    bucket: str
    key: str
    temporary: pathlib.Path

    @property
    def url(self):
        return f"s3://{self.bucket}/{self.key}"


@dataclasses.dataclass(frozen=True)
class Contender:
    key: str
    label: str
    # Steps that run one after the other. Each is a pipeline of commands.
    steps: typing.Callable[[At], list[list[list]]]
    needs: tuple[str, ...] = ()
    # Another name for `--only`.
    family: str = ""


ZIP = ["zip", "-r", "-6", "-q", "-", "."]


def push(*program):
    return lambda at: [
        [
            [*program, "push", "--application-name", endpoint.APPLICATION]
            + ["--source", at.tree, "--s3-location", at.url]
        ]
    ]


def aws():
    return Contender("aws", "aws deploy push", push("aws", "deploy"), ("aws",))


def zip_to_aws():
    return Contender(
        "zip",
        "zip -r -6 -q - . | aws s3 cp -",
        lambda at: [[ZIP, ["aws", "s3", "cp", "-", at.url]]],
        ("zip", "aws"),
    )


def seven_zip():
    program = seven_zip_program()
    return Contender(
        "7zz",
        f"{program} a -tzip FILE . && aws s3 cp FILE",
        lambda at: [
            [[program, "a", "-tzip", "-bd", at.temporary, "."]],
            [["aws", "s3", "cp", at.temporary, at.url]],
        ],
        (program, "aws"),
    )


def seven_zip_program():
    return "7zz" if shutil.which("7zz") or not shutil.which("7z") else "7z"


def rclone():
    return Contender(
        "rclone",
        "zip -r -6 -q - . | rclone rcat",
        lambda at: [[ZIP, ["rclone", "rcat", f"peer:{at.bucket}/{at.key}"]]],
        ("zip", "rclone"),
    )


def rclone_archive():
    """rclone 1.75 does not compress: the archive is as large as the tree."""
    return Contender(
        "rclone-archive",
        "rclone archive create",
        lambda at: [[["rclone", "archive", "create", at.tree, f"peer:{at.bucket}/{at.key}"]]],
        ("rclone",),
        family="rclone",
    )


def has_archive_create():
    """rclone has the command since 1.72."""
    asked = subprocess.run(["rclone", "archive", "create", "--help"], capture_output=True)
    return asked.returncode == 0


def hoist(name, path, level):
    def steps(at):
        [[command]] = push(path)(at)
        return [[[*command, "--level", level]]]

    return Contender(f"{name}-{level}", f"{name} push --level {level}", steps, family=name)


def choose(binaries, levels, only):
    """The contenders that run, and for the others the reason why not. Raises ValueError."""
    candidates = [aws(), zip_to_aws(), seven_zip(), rclone(), rclone_archive()]
    candidates += [hoist(name, path, level) for name, path in binaries.items() for level in levels]
    counted = collections.Counter(name for c in candidates for name in {c.key, c.family} - {""})
    if unknown := [name for name in only or [] if name not in counted]:
        raise ValueError(f"--only {unknown[0]}: it is one of {', '.join(counted)}")
    chosen, skipped = [], {}
    for contender in candidates:
        if only and not {contender.key, contender.family} & set(only):
            continue
        if missing := [program for program in contender.needs if not shutil.which(program)]:
            skipped[contender.key] = f"{missing[0]} is not installed"
        elif contender.key == "rclone-archive" and not has_archive_create():
            skipped[contender.key] = "this rclone has no `archive create`; 1.72 has"
        else:
            chosen.append(contender)
    if not chosen:
        raise ValueError("no contender can run: " + "; ".join(skipped.values()))
    if any(contender.key == "aws" for contender in chosen):
        refuse_aliased_push()
    return chosen, skipped


def refuse_aliased_push():
    """With the alias of hoist's README, `aws deploy push` would run hoist."""
    aliases = pathlib.Path("~/.aws/cli/alias").expanduser()
    if aliases.is_file() and re.search(r"(?m)^\s*(push|deploy)\s*=", aliases.read_text()):
        raise ValueError(f"{aliases} has an alias for `aws deploy push`, which would be timed instead")
