"""Makes docs/benchmarks.md of the raw figures beside it.

    report.py docs/benchmarks

Reads machine.txt, runs.jsonl and routes.jsonl there; writes the plots there and the page beside
the directory.
"""

import json
import sys
from pathlib import Path

from plot import plot
from runs import Runs

INTRODUCTION = """\
# Benchmarks

Made by `scripts/bench`, in one run; whoever repeats it gets a page of the same form. Each figure is
the median over the rounds, a ratio that of the ratios within a round. Between rounds all servers
take turns, each started afresh, with the model, the load client and the server on the same
machine: compare within a table, not across machines. Raw figures: [{folder}/]({folder}/).

- **direct** is the model without a server, asked by the load client: what is left when nothing is
  in between. Its CPU is the model's.
- **nginx** passes the model's bytes through, unbuffered, by one worker.
- **python** is the official ChatKit server SDK on uvicorn with uvloop and httptools, with the Agents
  SDK's bridge, a store in memory, no login and no logs. Apart from the `streams` loads it is
  measured once.
- **gateway** is this project on SQLite (`synchronous=FULL`), with login, storage and all; **-pg** on
  a PostgreSQL that commits to the disk, **-redis** with Redis besides. The databases' own CPU stands
  beside the gateway's.
"""


def main(folder: Path) -> None:
    runs = Runs(folder / "runs.jsonl")
    parts = [INTRODUCTION.format(folder=folder.name), machine(folder / "machine.txt")]
    parts.append(musts(runs))
    parts += [load_section(runs, load) for load in runs.loads() if not is_apart(load)]
    parts += [growth(runs, folder), readers(runs), soak(runs)]
    parts.append(routes(folder / "routes.jsonl"))
    page = "\n".join(part for part in parts if part)
    folder.with_name(folder.name + ".md").write_text(page)


def is_apart(load: str) -> bool:
    return load.startswith("grow-") or load in ("readers", "soak")


def machine(path: Path) -> str:
    rows = [line.split(": ", 1) for line in path.read_text().splitlines()]
    return "## The machine\n\n" + table(["", ""], rows)


def musts(runs: Runs) -> str:
    """What design and README promise of the numbers."""
    cpu, gateway = "server.cpu_us_per_delta", "gateway"
    against = lambda load, other: runs.ratio(load, gateway, other, cpu)
    added = lambda load, other, path: runs.difference(load, gateway, other, path)
    peak = runs.median("many-1000", gateway, "server.peak_kib")
    to_python = against("streams-200", "python")
    rows = [
        bound("CPU a delta against nginx, 200 streams", against("streams-200", "nginx"), 1.6, 1.1),
        bound("CPU a delta against nginx, long answers", against("long", "nginx"), 1.6, 1.0),
        bound("CPU a delta against python, 200 streams: 1 /", inverse(to_python), 25, 50, True),
        bound("delay against nginx, 50 streams, p50, ms",
              added("streams-50", "nginx", "times_ms.delay.p50"), 0.15, 0.03),
        bound("delay against nginx, 50 streams, p99, ms",
              added("streams-50", "nginx", "times_ms.delay.p99"), 1.5, 0.5),
        bound("first event, arrivals spread over time, p99, ms",
              runs.median("arrivals", gateway, "times_ms.first_event.p99"), 5, 1),
        bound("first delta against direct, arrivals spread over time, p99, ms",
              added("arrivals", "direct", "times_ms.first_delta.p99"), 5, 1),
        bound("memory a stream, 1,000 streams, KiB",
              runs.median("many-1000", gateway, "server.kib_per_stream"), 64, 20),
        bound("resident memory, 1,000 streams, MiB", peak and peak / 1024, 100, 50),
        faultless(runs, "1,000 streams of 64 deltas, 20 ms apart", "many-1000", True),
        faultless(runs, "2,000 streams of 64 deltas, 20 ms apart", "many-2000", False),
    ]
    head = ["what", "must", "aim", "measured", ""]
    return "## What must hold, of the gateway on SQLite\n\n" + table(head, [row for row in rows if row])


def bound(what: str, value: float | None, must: float, aim: float, at_least: bool = False):
    """A row for a figure that must not be above, or below, a bound."""
    if value is None:
        return None
    reaches = (lambda limit: value >= limit) if at_least else (lambda limit: value <= limit)
    verdict = "aim reached" if reaches(aim) else "met" if reaches(must) else "**not met**"
    sign = "≥" if at_least else "≤"
    return [what, f"{sign} {must:g}", f"{sign} {aim:g}", figure(value), verdict]


def faultless(runs: Runs, what: str, load: str, is_must: bool):
    if not runs.reports(load, "gateway"):
        return None
    asked, whole, stalled = (
        int(runs.total(load, "gateway", f"answers.{name}")) for name in ("asked", "whole", "stalled")
    )
    gap = runs.worst(load, "gateway", "times_ms.gap.max")
    measured = f"{asked - whole} of {asked} not whole, {stalled} stalled, longest gap {figure(gap)} ms"
    if whole == asked and stalled == 0:
        verdict = "met" if is_must else "aim reached"
    else:
        verdict = "**not met**" if is_must else "aim not reached"
    none = "none lost, no gap > 200 ms"
    return [what, none if is_must else "", none, measured, verdict]


def inverse(value: float | None) -> float | None:
    return 1 / value if value else None


def load_section(runs: Runs, load: str) -> str:
    rows = []
    for target in runs.targets(load):
        of = lambda path: runs.median(load, target, path)
        others = "".join(
            f" + {figure(cost)} {name}"
            for name in ("postgres", "redis")
            if (cost := of(f"processes.{name}.cpu_us_per_delta")) is not None
        )
        server = "server.cpu_us_per_delta"
        own = "–" if target == "direct" else None
        rows.append([
            target,
            figure(of(server)) + others,
            own or ratio(runs.ratio(load, target, "nginx", server)),
            own or ratio(runs.ratio(load, target, "python", server)),
            f'{figure(of("times_ms.delay.p50"))} / {figure(of("times_ms.delay.p99"))}',
            f'{figure(of("times_ms.first_event.p50"))} / {figure(of("times_ms.first_event.p99"))}',
            f'{figure(of("times_ms.first_delta.p50"))} / {figure(of("times_ms.first_delta.p99"))}',
            figure(of("times_ms.gap.max")),
            figure(of("server.kib_per_stream")) if is_crowd(runs, load) else "–",
            figure(of("server.peak_kib"), 1 / 1024),
            f'{of("deltas.per_second"):,.0f}',
            f'{runs.total(load, target, "answers.whole"):.0f} / '
            f'{runs.total(load, target, "answers.asked"):.0f}',
            f'{runs.total(load, target, "answers.stalled"):.0f}',
        ])
    head = [
        "", "CPU µs a delta", "to nginx", "to python", "delay p50 / p99 ms", "first event p50 / p99 ms",
        "first delta p50 / p99 ms", "longest gap ms", "KiB a stream", "peak MiB", "deltas/s",
        "whole / asked", "stalled",
    ]
    return f"## {described(runs, load)}\n\n" + table(head, rows) + faults(runs, load)


def asked_for(runs: Runs, load: str) -> dict:
    """What the load client says that it was asked for."""
    return next(iter(runs.reports(load, runs.targets(load)[0]).values()))["load"]


def is_crowd(runs: Runs, load: str) -> bool:
    """Whether all streams were there at the same time, the last before the first had ended."""
    asked = asked_for(runs, load)
    return asked["over_s"] * 1000 < asked["deltas"] * asked["interval_ms"]


def described(runs: Runs, load: str) -> str:
    """A load in words."""
    first = asked_for(runs, load)
    arriving = f", arriving over {first['over_s']:g} s" if first["over_s"] else ""
    return (
        f"{first['streams']:,} streams, {first['deltas']:,} deltas each, "
        f"{first['interval_ms']} ms apart{arriving}"
    )


def faults(runs: Runs, load: str) -> str:
    """What was not as it should be, in words."""
    lines = []
    for target in runs.targets(load):
        reports = runs.reports(load, target).values()
        failures = {}
        for report in reports:
            for reason, count in report["answers"]["failures"].items():
                failures[reason] = failures.get(reason, 0) + count
        for reason, count in failures.items():
            lines.append(f"- {target}: {count} failed: {reason}")
        for name in ("lost", "repeated"):
            if count := runs.total(load, target, f"deltas.{name}"):
                lines.append(f"- {target}: {count:.0f} deltas {name}")
        for name in ("missing", "surplus", "differing", "unreadable"):
            if count := runs.total(load, target, f"audit.{name}"):
                lines.append(f"- {target}: {count:.0f} {name} in the audit of what is stored")
        if any(report["client"]["is_saturated"] for report in reports):
            lines.append(f"- {target}: the load client was busy beyond 80 %: it may have been late itself")
    return "\n" + "\n".join(lines) + "\n" if lines else ""


def growth(runs: Runs, folder: Path) -> str:
    """Plots over the number of streams, of all loads with the same answers."""
    loads = [load for load in runs.loads() if load.startswith(("grow-", "many-"))]
    if len(loads) < 2:
        return ""
    page = "## Growth, 64 deltas each, 20 ms apart\n\n"
    for name, title, path, unit in [
        ("cpu", "CPU a delta", "server.cpu_us_per_delta", "µs"),
        ("delay", "Median delay of a delta", "times_ms.delay.p50", "ms"),
    ]:
        lines = {}
        for target in runs.targets():
            points = []
            for load in loads:
                streams, value = (runs.median(load, target, of) for of in ("load.streams", path))
                if value and not (target == "direct" and name == "cpu"):
                    points.append((streams, value))
            if points:
                lines[target] = points
        if lines:
            (folder / f"{name}.svg").write_text(plot(f"{title}, {unit}", "streams", unit, lines))
            page += f"![{title} against the number of streams]({folder.name}/{name}.svg)\n\n"
    counts = {load: int(runs.median(load, runs.targets(load)[0], "load.streams")) for load in loads}
    loads.sort(key=counts.get)
    rows = [
        [target, *(figure(runs.median(load, target, "server.cpu_us_per_delta")) for load in loads)]
        for target in runs.targets()
        if any(runs.reports(load, target) for load in loads)
    ]
    return page + table(["CPU µs a delta", *(f"{counts[load]:,}" for load in loads)], rows)


def readers(runs: Runs) -> str:
    if "readers" not in runs.loads():
        return ""
    rows = []
    for target in runs.targets("readers"):
        of = lambda path: runs.median("readers", target, path)
        rows.append([
            target, figure(of("model_calls")), f'{of("answers.whole"):.0f} / {of("answers.asked"):.0f}',
            f'{of("deltas.lost"):.0f} / {of("deltas.repeated"):.0f}',
            f'{figure(of("times_ms.reconnect.p50"))} / {figure(of("times_ms.reconnect.p99"))}',
            figure(of("server.cpu_seconds")), figure(of("server.cpu_us_per_delta")),
        ])
    head = [
        "", "model calls", "whole / readers", "deltas lost / repeated", "back after p50 / p99 ms",
        "CPU s", "CPU µs a delta and reader",
    ]
    return (
        "## 500 readers of one run\n\nAll lose their connections at once in the middle of the answer, "
        "and come back at once. The one that asked is among them.\n\n" + table(head, rows)
        + faults(runs, "readers")
    )


def soak(runs: Runs) -> str:
    reports = list(runs.reports("soak", "gateway").values()) if "soak" in runs.loads() else []
    if not reports:
        return ""
    report = reports[0]
    points = report["processes"]["gateway"]["memory"]
    rows = [
        [f"{seconds / 60:.0f} min", figure(kib, 1 / 1024)]
        for seconds, kib in (points[round(share * (len(points) - 1))] for share in (0.05, 0.25, 0.5, 0.75, 1))
    ]
    answers = report["answers"]
    return (
        f"## 200 streams for {report['seconds'] / 60:.0f} minutes\n\n"
        f"{answers['asked']:,} answers, {answers['whole']:,} whole, {answers['stalled']} stalled.\n\n"
        + table(["after", "resident MiB"], rows) + faults(runs, "soak")
    )


def routes(path: Path) -> str:
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if not lines:
        return ""
    rows = []
    for line in lines:
        report, summary = line["report"], line["report"]["summary"]
        statuses = ", ".join(
            f"{count:,} × {status}" if status == "200" else f"**{count:,} × {status}**"
            for status, count in report["statusCodeDistribution"].items()
        )
        errors = {
            reason: count for reason, count in report["errorDistribution"].items() if "deadline" not in reason
        }
        latency = report["latencyPercentiles"]
        rows.append([
            line["route"], line["target"], f'{summary["requestsPerSec"]:,.0f}',
            f'{figure(latency["p50"], 1000)} / {figure(latency["p99"], 1000)}', statuses,
            ", ".join(f"{count} × {reason}" for reason, count in errors.items()) or "none",
        ])
    head = ["route", "", "requests/s", "p50 / p99 ms", "statuses", "errors"]
    return (
        "## Routes, 100 clients of oha\n\nA user with 20 threads. `messages` and `threads.create` "
        "make a thread each, with an answer that the model gives at once.\n\n" + table(head, rows)
    )


def ratio(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if value > 0.1 else f"1/{1 / value:.0f}"


def figure(value: float | None, factor: float = 1) -> str:
    """Three digits."""
    if value is None:
        return "–"
    value *= factor
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
