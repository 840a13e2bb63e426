#!/usr/bin/env python
"""Kills everything around thousands of short pods and counts; writes docs/accuracy.md.

    python hack/churn.py                     all of it: churn, away, fleet
    python hack/churn.py churn --lives 200   one part, smaller
    python hack/churn.py away --minutes 2
    python hack/churn.py --no-write          only prints

Each part has a sandbox of its own. What etcd held is the measure: a recorder beside the API server
writes down every state of every pod, and a closed form that shares no code with the meter says what
each must cost. Ends with 1 where the ledger differs by a nano-unit.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "tests")]

from bursar import sandbox  # noqa: E402 - found through the path set above
from support.churn import origins  # noqa: E402
from support.churn.compare import Basis, Estimate, Figures, read_nodes  # noqa: E402
from support.churn.fleet import model_of  # noqa: E402
from support.churn.run import Churn, Plan, churn, tormented  # noqa: E402
from support.churn.truth import window  # noqa: E402
from support.closedform import money  # noqa: E402

PAGE = ROOT / "docs" / "accuracy.md"
Row = Sequence[object]


def say(line: str) -> None:
    print(f"  {time.monotonic() - BEGUN:6.1f} s  {line}", file=sys.stderr, flush=True)


BEGUN = time.monotonic()


@contextmanager
def cluster() -> Iterator[Path]:
    """A sandbox with the chart, its objects in etcd as JSON; ended whatever happens."""
    with tempfile.TemporaryDirectory(prefix="churn-") as name:
        folder = Path(name) / "sandbox"
        options = sandbox.UpOptions(dir=folder, nodes=1, operator=False, json_storage=True)
        sandbox.up(options, say)
        try:
            yield folder
        finally:
            sandbox.down(folder)


# --- a churn run ----------------------------------------------------------------------------------


def run_churn(options: argparse.Namespace) -> tuple[str, list[str]]:
    """Thousands of pods under torment; the text of the table, and what is wrong."""
    plan = Plan(run="long", seed=options.seed, lives=options.lives, rate=options.rate)
    with cluster() as folder, churn(folder, plan, say) as made:
        begun = time.monotonic()
        with tormented(made):
            kinds = made.live()
        made.finish()
        taken = time.monotonic() - begun
        figures = made.count()
        wrong = problems(made, figures)
        nodes = count_nodes(made, wrong)
        rows = [*churn_rows(made, figures, taken), *nodes]
    return (
        f"{machine(folder, options)}\n\n{table(('what', 'figure'), rows)}\n\n{ways(kinds)}",
        wrong,
    )


def churn_rows(made: Churn, figures: Figures, taken: float) -> list[Row]:
    done = made.faults
    bound = sum(figures.bases.values()) + len(figures.unseen)
    broken = [f"{done[kind]} {word}" for kind, word in NETWORK if done[kind]]
    return [
        ("pods", f"{len(made.recorder.lives):,}, {bound:,} of them bound, in {taken:.0f} s"),
        ("operator killed with -9", done["kill"]),
        ("API server / etcd killed and restarted", f"{done['apiserver']} / {done['etcd']}"),
        ("connections to the API server", ", ".join(broken)),
        ("programs that ended by themselves, and were restarted", ended(done)),
        ("pods refused, till policies were whole after a restart", made.client.unready),
        ("price changes", done["price"]),
        ("ends told by the API (exact)", f"{figures.bases[Basis.EXACT]:,}"),
        ("ends that were watched (observed)", f"{figures.bases[Basis.OBSERVED]:,}"),
        ("ends that nobody saw (estimated)", f"{figures.bases[Basis.ESTIMATED]:,}"),
        ("born and gone while nobody could see", len(figures.unseen)),
        ("**largest difference from the closed form**", f"**{figures.error} nano-units**"),
        ("ledger / closed form", f"{money(figures.ledger)} / {money(figures.closed)} USD"),
        ("latest that an observed end came", f"{figures.late / 1000:.0f} s"),
        *estimates(figures.estimates),
    ]


def ended(done: Counter[str]) -> str:
    """A scheduler that finds its cache at odds with the API server ends: a kubelet restarts it."""
    found = [f"{kind.removesuffix(' ended')}: {done[kind]}" for kind in done if " ended" in kind]
    return ", ".join(found) or "none"


NETWORK = (
    ("cut", "times cut"),
    ("dark", "times down"),
    ("429", "times 429"),
    ("slow", "times slow"),
    ("stall", "times stalled"),
)


def estimates(found: Sequence[Estimate]) -> list[Row]:
    if not found:
        return []
    inside = sum(each.low <= each.true <= each.high for each in found)
    worst = max(found, key=lambda each: each.error)
    told = Counter(each.witness for each in found).most_common()
    return [
        ("estimated by whom", ", ".join(f"{count} × `{name}`" for name, count in told)),
        ("estimates whose bounds hold the truth", f"{inside} of {len(found)}"),
        (
            "largest error of an estimate",
            f"{money(worst.error)} USD, of {money(worst.high - worst.low)} that it allows",
        ),
    ]


def ways(kinds: Counter[str]) -> str:
    told = ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common())
    return f"How a pod lives, by how often it was chosen: {told}."


def count_nodes(made: Churn, wrong: list[str]) -> list[Row]:
    """What the run's nodes cost in the ledger, against the closed form from their birth on."""
    made.operator(start=True)
    stored, prices, born = read_nodes(made.ledger), made.prices(), made.born()
    ledger = closed = 0
    for name, since in born.items():
        held = stored.get(name)
        if held is None:
            wrong.append(f"node {name} is not in the ledger")
            continue
        must = window(prices[model_of(name, made.plan.run)], since, since, held.end)
        ledger, closed = ledger + held.cost.total, closed + must
        if (held.start, held.cost.total) != (since, must):
            wrong.append(f"node {name}: {held} and not {must} from {since}")
    return [("nodes: ledger / closed form", f"{money(ledger)} / {money(closed)} USD")]


def problems(made: Churn, figures: Figures) -> list[str]:
    return [*filter(None, [made.stage]), *figures.wrong, *figures.pending]


# --- away for longer than the API server remembers ------------------------------------------------


def run_away(options: argparse.Namespace) -> tuple[str, list[str]]:
    """The operator is away, and what happens meanwhile is forgotten."""
    seconds = options.minutes * 60
    lives = round(seconds * 0.7)
    plan = Plan(run="away", seed=options.seed, lives=lives, rate=0.8, scale=seconds / 24, faults=())
    with cluster() as folder, churn(folder, plan, say) as made:
        thread = threading.Thread(target=made.live, daemon=True)
        thread.start()
        time.sleep(45)  # pods of all ages, some of them known to the ledger, before it goes away
        say(f"away, with {len(made.recorder.lives)} pods")
        made.leave(seconds)
        say(f"back, with {len(made.recorder.lives)} pods")
        time.sleep(20)  # and some that begin after it is back
        made.halted.set()
        thread.join(60)
        made.finish()
        figures = made.count()
        wrong = problems(made, figures)
        head = machine(folder, options)
    rows = [
        ("pods that were bound", f"{sum(figures.bases.values()) + len(figures.unseen):,}"),
        ("exact, told by the API", f"{figures.bases[Basis.EXACT]:,}"),
        ("observed", f"{figures.bases[Basis.OBSERVED]:,}"),
        ("estimated", f"{figures.bases[Basis.ESTIMATED]:,}"),
        ("born and gone meanwhile, and never seen", len(figures.unseen)),
        ("**largest difference from the closed form**", f"**{figures.error} nano-units**"),
    ]
    seen = witnesses(figures.estimates)
    return f"{head}\n\n{table(('what', 'figure'), rows)}\n\n{seen}", wrong


def witnesses(found: Sequence[Estimate]) -> str:
    rows: list[Row] = []
    for witness in sorted({each.witness for each in found}):
        mine = [each for each in found if each.witness == witness]
        inside = sum(each.low <= each.true <= each.high for each in mine)
        sums = [
            sum(getattr(each, name) for each in mine) for name in ("cost", "true", "low", "high")
        ]
        counted, true, low, high = (f"{nano / 1e9:,.2f}" for nano in sums)
        rows.append(
            (
                f"`{witness}`",
                len(mine),
                f"{inside} of {len(mine)}",
                counted,
                true,
                f"{low} – {high}",
            )
        )
    head = ("witness", "pods", "bounds hold the truth", "counted", "truth", "from – to, USD")
    return table(head, rows)


# --- the page -------------------------------------------------------------------------------------


def machine(folder: Path, options: argparse.Namespace) -> str:
    info = Path("/proc/cpuinfo").read_text("utf-8")
    model = next(
        (line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line),
        platform.machine(),
    )
    version = sandbox.load_state(folder).version if (folder / "state.json").exists() else VERSION
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({model}), Python "
        f"{platform.python_version()}, Kubernetes {version} with kwok, seed {options.seed}."
    )


VERSION = "v1.36.3"


def table(head: Row, rows: Sequence[Row]) -> str:
    lines = [line(head), line(["---"] * len(head)), *map(line, rows)]
    return "\n".join(lines)


def line(cells: Row) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def write(part: str, text: str) -> None:
    """Put a part's text between its marks."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    page = PAGE.read_text("utf-8")
    head, _, rest = page.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise SystemExit(f"{PAGE.name} has no marks of {part}")
    PAGE.write_text(f"{head}{begin}\n{text}\n{end}{tail}", "utf-8")


def run_fleet(options: argparse.Namespace) -> tuple[str, list[str]]:
    """Where the price of each node of a mixed fleet comes from."""
    with cluster() as folder:
        rows, wrong = origins.run(folder)
        head = machine(folder, options)
    return f"{head}\n\n{table(origins.HEAD, rows)}", wrong


PARTS: dict[str, Callable[[argparse.Namespace], tuple[str, list[str]]]] = {
    "churn": run_churn,
    "away": run_away,
    "fleet": run_fleet,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--lives", type=int, default=2_000, help="of the churn run")
    parser.add_argument("--rate", type=float, default=12.0, help="of these a second")
    parser.add_argument("--minutes", type=float, default=10.0, help="away")
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--no-write", action="store_true", help="leave docs/accuracy.md alone")
    options = parser.parse_args()
    failed = False
    for part in options.parts or PARTS:
        say(part)
        text, wrong = PARTS[part](options)
        print(f"\n{text}\n")
        for problem in wrong:
            print(f"WRONG: {problem}", file=sys.stderr)
        failed |= bool(wrong)
        if not options.no_write and not wrong:
            write(part, text)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
