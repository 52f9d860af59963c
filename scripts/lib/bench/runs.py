"""The measurements of a benchmark, and what follows from them."""

import json
from pathlib import Path
from statistics import median

# The process whose cost counts, where its name is not the target's.
SERVERS = {"direct": "model", "nginx": "nginx", "python": "python"}


class Runs:
    """The lines of runs.jsonl: {"round", "load", "target", "report"}, the last one the load
    client's."""

    def __init__(self, path: Path):
        self.runs = [json.loads(line) for line in path.read_text().splitlines()]

    def loads(self) -> list[str]:
        return list(dict.fromkeys(run["load"] for run in self.runs))

    def targets(self, load: str | None = None) -> list[str]:
        """In the order in which they are told of, whatever that of the rounds was."""
        found = {run["target"] for run in self.runs if load in (None, run["load"])}
        known = ["direct", "nginx", "python", "gateway", "gateway-pg", "gateway-redis"]
        return [name for name in known if name in found] + sorted(found - set(known))

    def reports(self, load: str, target: str) -> dict[int, dict]:
        """By round."""
        return {
            run["round"]: run["report"]
            for run in self.runs
            if (run["load"], run["target"]) == (load, target)
        }

    def values(self, load: str, target: str, path: str) -> dict[int, float]:
        """A figure of each round, by its path in the report; `server` stands for the processes of
        the target's own server."""
        values = {}
        for number, report in self.reports(load, target).items():
            value = report
            for name in path.split("."):
                if name == "server":
                    name = SERVERS.get(target, "gateway")
                    value = value["processes"]
                value = value.get(name) if value else None
            if value is not None:
                values[number] = value
        return values

    def median(self, load: str, target: str, path: str) -> float | None:
        values = self.values(load, target, path).values()
        return median(values) if values else None

    def total(self, load: str, target: str, path: str) -> float:
        return sum(self.values(load, target, path).values())

    def worst(self, load: str, target: str, path: str) -> float | None:
        return max(self.values(load, target, path).values(), default=None)

    def ratio(self, load: str, target: str, other: str, path: str) -> float | None:
        """The median of the ratios of the same round; where the other has not one of each round,
        the ratio of the medians."""
        ours, theirs = (self.values(load, name, path) for name in (target, other))
        if not ours or not theirs or not all(theirs.values()):
            return None
        if ours.keys() == theirs.keys():
            return median(ours[number] / theirs[number] for number in ours)
        return median(ours.values()) / median(theirs.values())

    def difference(self, load: str, target: str, other: str, path: str) -> float | None:
        """The median of the differences of the same round."""
        ours, theirs = (self.values(load, name, path) for name in (target, other))
        both = ours.keys() & theirs.keys()
        return median(ours[number] - theirs[number] for number in both) if both else None
