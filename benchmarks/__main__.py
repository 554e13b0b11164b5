"""`python -m benchmarks [--quick] [NAME …]` prints one Markdown table.

Nothing is asserted on time: the exit status is 1 only where something is wrong (an answer, a hang, a leak).
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from importlib import import_module

from ._measure import Figure, Run
from ._work import Server

NAMES = (
    *("import", "own", "cache", "assemble", "schema", "langfuse", "call", "acall", "delta", "embed"),
    *("throughput", "concurrent", "script", "abandoned", "forks", "loops", "soak"),
)


def run_one(name: str, run: Run) -> list[Figure]:
    """The figures of a benchmark; one that breaks is a wrong figure."""
    began = time.perf_counter()
    try:
        figures: list[Figure] = import_module(f"benchmarks.{name}{'_' if name == 'import' else ''}").measure(run)
    except Exception as error:
        figures = [Figure(name, float("nan"), "", wrong=f"{type(error).__name__}: {error}")]
    print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return figures


def row(figure: Figure) -> str:
    """A line of the table."""
    unit = f" {figure.unit}" if figure.unit else ""
    bound = "" if figure.bound is None else f"{'≥' if figure.least else '≤'} {figure.bound:.4g}{unit}"
    spread = "" if figure.spread is None else f"{figure.spread[0]:.3g} … {figure.spread[1]:.3g}"
    measured = f"{figure.measured:.3g}{unit}" if figure.unit else f"{figure.measured:.0f}"
    return f"| {figure.name} | {bound} | {measured} | {spread} | {figure.note} | {figure.verdict} |"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="small counts: everything within a minute, for CI")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in NAMES]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    print("| figure | bound | measured | quartiles | beside it | |\n|---|---|---|---|---|---|", flush=True)
    wrong = []
    with Server() as server, closing(Run(server, quick=arguments.quick)) as run:
        for name in arguments.names or NAMES:
            for figure in run_one(name, run):
                print(row(figure), flush=True)
                wrong += [f"{figure.name}: {figure.wrong}"] if figure.wrong else []
    for text in wrong:
        print(f"WRONG {text}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
