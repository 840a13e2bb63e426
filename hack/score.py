"""Score the classifier on labelled manifests.

Usage: score.py [FILE.jsonl ...] [--verbose]

Each line holds `manifest`, `label`, `repo`, `context_only` (the truth cannot be had from the
manifest alone) and `id`. The truth `infrastructure` counts as `other`. Printed: accuracy with and
without the documents that need their context, precision and recall a class, how much is called
certain and how often that is right, the calibration table with the margins behind it, accuracy by
repository, and each mistake with its evidence.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bursar.classify import DocumentVerdict, classify_document
from bursar.domain.classification import KNOWN_CLASSES
from bursar.recognize.request import requests

CERTAIN = 0.9
DEFAULT = Path(__file__).parents[1] / ".." / "shared" / "data" / "corpus" / "dev.jsonl"


@dataclass(frozen=True)
class Scored:
    """One document, what it is and what it was called."""

    row: dict[str, Any]
    verdict: DocumentVerdict

    @property
    def truth(self) -> str:
        """The label, in the words of the classes."""
        return "other" if self.row["label"] == "infrastructure" else str(self.row["label"])

    @property
    def said(self) -> str:
        """What the classifier called it."""
        return str(self.verdict.classification.workload_class)

    @property
    def right(self) -> bool:
        """Whether both agree."""
        return self.truth == self.said

    @property
    def certain(self) -> bool:
        """Whether it claims to be certain."""
        return self.verdict.classification.confidence >= CERTAIN

    @property
    def margin(self) -> float:
        """How far the best class leads the second."""
        sums = Counter[str]()
        for item in self.verdict.classification.evidence:
            sums[item.workload_class] += item.weight  # type: ignore[assignment]
        best = [*sorted(sums.values(), reverse=True), 0.0, 0.0]
        return best[0] - best[1]


def score(paths: Iterable[Path]) -> list[Scored]:
    rows = [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines()]
    return [Scored(row, classify_document(row["manifest"], requests)) for row in rows]


def told(scored: Sequence[Scored]) -> list[Scored]:
    """Those whose truth can be had from the manifest."""
    return [one for one in scored if not one.row["context_only"]]


def accuracy(scored: Sequence[Scored]) -> float:
    return sum(one.right for one in scored) / len(scored) if scored else 0.0


def _line(name: str, scored: Sequence[Scored]) -> str:
    certain = [one for one in scored if one.certain]
    return (
        f"{name:28} {accuracy(scored):6.1%} of {len(scored):4}   certain {len(certain):4} "
        f"({len(certain) / max(1, len(scored)):5.1%}), right {accuracy(certain):6.1%}"
    )


def _classes(scored: Sequence[Scored]) -> Iterable[str]:
    yield f"{'class':12} {'precision':>9} {'recall':>7} {'said':>5} {'true':>5}"
    for known in (*map(str, KNOWN_CLASSES), "unknown"):
        said = [one for one in scored if one.said == known]
        true = [one for one in scored if one.truth == known]
        hit = sum(one.right for one in said)
        yield (
            f"{known:12} {hit / max(1, len(said)):9.1%} {hit / max(1, len(true)):7.1%} "
            f"{len(said):5} {len(true):5}"
        )


def _calibration(scored: Sequence[Scored]) -> Iterable[str]:
    groups = defaultdict[float, list[Scored]](list)
    for one in scored:
        groups[one.verdict.classification.confidence].append(one)
    yield f"{'confidence':>10} {'right':>7} {'of':>5}"
    for level, group in sorted(groups.items(), reverse=True):
        yield f"{level:10.2f} {accuracy(group):7.1%} {len(group):5}"
    margins = defaultdict[int, list[Scored]](list)
    for one in scored:
        if one.said != "unknown":
            margins[min(12, int(one.margin))].append(one)
    yield f"{'margin':>10} {'right':>7} {'of':>5}"
    for low, group in sorted(margins.items(), reverse=True):
        yield f"{low:7}..  {accuracy(group):7.1%} {len(group):5}"


def _mistakes(scored: Sequence[Scored]) -> Iterable[str]:
    for one in scored:
        if one.right:
            continue
        verdict = one.verdict.classification
        context = ", needs context" if one.row["context_only"] else ""
        yield (
            f"{one.row['id']} {one.row['repo']} {one.verdict.kind}/{one.verdict.name}: "
            f"{one.truth} ({one.row.get('sublabel')}{context}) called {one.said} "
            f"at {verdict.confidence:.2f}"
        )
        for item in verdict.evidence[:6]:
            yield f"    {item.weight:+.2f} {item.workload_class:11} {item.rule}: {item.found!r:.90}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("files", nargs="*", type=Path, default=[DEFAULT])
    parser.add_argument("--verbose", action="store_true", help="also accuracy by repository")
    options = parser.parse_args(arguments)
    missing = [path for path in options.files if not path.exists()]
    if missing:
        print(f"no such file: {missing[0]}", file=sys.stderr)
        return 2
    scored = score(options.files)
    plain = told(scored)
    print(_line("all documents", scored))
    print(_line("told from the manifest", plain))
    print(_line("  of these, not misleading", [o for o in plain if not o.row.get("tricky")]))
    print(_line("  of these, misleading", [o for o in plain if o.row.get("tricky")]))
    by_repository = defaultdict[str, list[Scored]](list)
    for one in plain:
        by_repository[one.row["repo"]].append(one)
    rates = {repo: accuracy(group) for repo, group in by_repository.items()}
    print(
        f"mean over {len(rates)} repositories  {sum(rates.values()) / max(1, len(rates)):6.1%}; "
        f"entirely right in {sum(rate == 1 for rate in rates.values())}"
    )
    for text in (*_classes(plain), *_calibration(plain)):
        print(text)
    if options.verbose:
        for repo, rate in sorted(rates.items(), key=lambda item: item[1]):
            print(f"{rate:7.1%} of {len(by_repository[repo]):3} {repo}")
    print("mistakes:")
    for text in _mistakes(scored):
        print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
