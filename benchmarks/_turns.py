"""What the benchmarks share: contenders that take turns, since no machine is quiet for long."""

import statistics
import time
from typing import Any, NamedTuple


class Times(NamedTuple):
    """How long one contender took, in seconds."""

    first: float  # its first call: tracing and compiling included
    each: list[float]  # one for each turn
    result: Any  # what its last call returned
    cpu: list[float] = ()  # seconds of CPU of each turn

    @property
    def median(self):
        return statistics.median(self.each)

    def ratio(self, other):
        """The median of the ratios to ``other`` in the same turn: a busy moment touches both."""
        return statistics.median(a / b for a, b in zip(self.each, other.each, strict=True))

    def cpu_ratio(self, other):
        """The same of the seconds of CPU, on all cores together."""
        return statistics.median(a / b for a, b in zip(self.cpu, other.cpu, strict=True))


def take_turns(contenders, repeats) -> dict[str, Times]:
    """Call each of ``contenders`` once, then all in turn; one that is None is left out."""
    contenders = {name: run for name, run in contenders.items() if run is not None}
    first = {name: clock(run)[0] for name, run in contenders.items()}
    turns = [{name: clock(run) for name, run in contenders.items()} for _ in range(repeats)]
    return {
        name: Times(
            first[name],
            [turn[name][0] for turn in turns],
            turns[-1][name][1],
            [turn[name][2] for turn in turns],
        )
        for name in contenders
    }


def clock(run):
    """``(seconds, result, seconds of CPU)`` of one call."""
    start, cpu = time.perf_counter(), time.process_time()
    result = run()
    return time.perf_counter() - start, result, time.process_time() - cpu
