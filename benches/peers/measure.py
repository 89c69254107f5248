"""Runs pipelines, and adds up the resource usage of their processes.

wait4 returns the CPU time of a command and of all descendants that it waited for, and the largest resident
set among them. The endpoint is another child, so its time is not included.

Until a new process runs its program, it is charged with the resident set of the process that started it.
So this script stays small, and reports its own memory (`memory_floor`).
"""

import os
import pathlib
import resource
import subprocess
import tempfile
import time

DROP_CACHES = pathlib.Path("/proc/sys/vm/drop_caches")
STDERR_SHOWN = 2000


class Failed(Exception):
    """A command could not be started, or did not exit with 0. Has its stderr."""


def drop_caches():
    DROP_CACHES.write_text("3")


def memory_floor():
    """This script's own peak memory in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(steps, env, directory, scratch):
    """Runs the steps one after the other, and times them together."""
    usages = []
    start = time.monotonic()
    for pipeline in steps:
        usages += run_pipeline(pipeline, env, directory, scratch)
    wall = time.monotonic() - start
    return {
        "wall_seconds": wall,
        "cpu_seconds": sum(usage.ru_utime + usage.ru_stime for usage in usages),
        "peak_rss_bytes": max(usage.ru_maxrss for usage in usages) * 1024,
    }


def run_pipeline(commands, env, directory, scratch):
    # stderr goes into files, since a full pipe would stop its writer.
    outputs = [tempfile.TemporaryFile(dir=scratch) for _ in commands]
    running = []
    try:
        for command, stderr in zip(commands, outputs):
            last = len(running) == len(commands) - 1
            try:
                process = subprocess.Popen(
                    command,
                    env=env,
                    cwd=directory,
                    stdin=running[-1].stdout if running else subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL if last else subprocess.PIPE,
                    stderr=stderr,
                )
            except OSError as error:
                raise Failed(f"{command[0]}: {error}") from error
            if running:
                # Only the reader may hold the pipe, so that the writer notices when the reader ends.
                running[-1].stdout.close()
            running.append(process)
        usages = [wait(process) for process in running]
        failures = [
            explain(command, process.returncode, stderr)
            for command, process, stderr in zip(commands, running, outputs)
            if process.returncode != 0
        ]
        if failures:
            raise Failed("\n".join(failures))
        return usages
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
        for file in outputs:
            file.close()


def wait(process):
    _, status, usage = os.wait4(process.pid, 0)
    # Popen would wait for it again.
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def explain(command, code, stderr):
    stderr.seek(0)
    text = stderr.read().decode(errors="replace").strip()
    if len(text) > STDERR_SHOWN:
        text = "… " + text[-STDERR_SHOWN:]
    return f"{os.path.basename(command[0])}: exit code {code}: {text or 'nothing on stderr'}"
