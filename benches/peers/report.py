"""Medians and ratios, as a table, as Markdown or as JSON.

A ratio compares a run with the `aws deploy push` of the same round, since a busy machine slows both. A
contender that failed once has no figures.
"""

import json
import statistics

COLUMNS = ["", "time", "of aws's", "CPU", "peak memory", "archive", "of aws's"]


def summarise(contenders):
    """Adds medians and ratios to each contender, in place."""
    baseline = {}
    for contender in contenders:
        if contender["key"] == "aws" and not contender["failed"]:
            baseline = {run["round"]: run for run in contender["runs"]}
    for contender in contenders:
        if contender["failed"]:
            continue
        runs = contender["runs"]
        for figure in ["wall_seconds", "cpu_seconds", "peak_rss_bytes", "archive_bytes"]:
            contender[figure] = statistics.median(run[figure] for run in runs)
        for figure in ["wall", "archive"]:
            unit = {"wall": "wall_seconds", "archive": "archive_bytes"}[figure]
            ratios = [
                run[unit] / baseline[run["round"]][unit] for run in runs if run["round"] in baseline
            ]
            if ratios:
                contender[f"{figure}_ratio"] = {
                    "median": statistics.median(ratios),
                    "min": min(ratios),
                    "max": max(ratios),
                }


def heading(results):
    machine = results["machine"]
    tools = ", ".join(f"{name} {version}" for name, version in results["tools"].items())
    rounds = results["rounds"]
    return "; ".join(
        [
            f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.1f} GiB "
            f"of memory, {machine['kernel']}, {machine['file_system']}",
            tools,
            f"{results['cache']} page cache",
            (f"medians of {rounds} rounds" if rounds > 1 else "1 round")
            + f" in shuffled order (seed {results['seed']})",
            f"load average before: {machine['load_before']:.2f}",
            results["date"],
        ]
    )


def tree_heading(tree):
    text = f"{tree['files']:,} files, {tree['bytes'] / 1e6:,.1f} MB"
    if tree["left_out"]:
        left_out = ", ".join(f"{what}: {count}" for what, count in tree["left_out"].items())
        text += f"; left out for all: {left_out}"
    return text


def row(contender, floor):
    if contender["failed"]:
        return ["failed", "", "", "", "", ""]
    wall = contender.get("wall_ratio")
    size = contender.get("archive_ratio")
    # A peak below this script's own memory cannot be measured; see measure.py.
    below = "≤ " if contender["peak_rss_bytes"] <= floor else ""
    return [
        f"{contender['wall_seconds']:.2f} s",
        f"{wall['median']:.2f} ({wall['min']:.2f}–{wall['max']:.2f})" if wall else "–",
        f"{contender['cpu_seconds']:.2f} s",
        f"{below}{contender['peak_rss_bytes'] / 2**20:.0f} MiB",
        f"{contender['archive_bytes']:,.0f} bytes",
        f"{size['median']:.3f}" if size else "–",
    ]


def notes(results):
    lines = [f"{key}: skipped, {reason}" for key, reason in results["skipped"].items()]
    for tree in results["trees"]:
        for contender in tree["contenders"]:
            if contender["failed"]:
                lines.append(f"{contender['key']} on {tree['name']} failed: {contender['failed']}")
    return lines


def table(results):
    lines = [heading(results)]
    for tree in results["trees"]:
        rows = [COLUMNS]
        for contender in tree["contenders"]:
            rows.append([contender["label"], *row(contender, results["memory_floor_bytes"])])
        widths = [max(len(cells[column]) for cells in rows) for column in range(len(COLUMNS))]
        lines += ["", f"{tree['name']}: {tree_heading(tree)}"]
        for label, *figures in rows:
            cells = [label.ljust(widths[0])]
            cells += [figure.rjust(width) for figure, width in zip(figures, widths[1:])]
            lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join([*lines, "", *notes(results)]).rstrip()


def markdown(results):
    lines = [heading(results) + "."]
    for tree in results["trees"]:
        lines += ["", f"**{tree['name']}**: {tree_heading(tree)}", ""]
        lines += [line(COLUMNS), "|---" + "|---:" * (len(COLUMNS) - 1) + "|"]
        for contender in tree["contenders"]:
            # A pipe ends a cell, even in code.
            label = "`" + contender["label"].replace("|", "\\|") + "`"
            lines.append(line([label, *row(contender, results["memory_floor_bytes"])]))
    if remarks := notes(results):
        lines += ["", "```", *remarks, "```"]
    return "\n".join(lines)


def line(cells):
    return "| " + " | ".join(cells) + " |"


def as_json(results):
    return json.dumps(results, indent=2)


FORMATS = {"table": table, "markdown": markdown, "json": as_json}
