#!/usr/bin/env python
"""Writes every file that is made from the code, or tells which of them are stale.

    python hack/generate.py                 all of them
    python hack/generate.py crds            one generator's
    python hack/generate.py --check         nothing is written; fails and names what is stale

A new generator is a function that takes nothing and returns the contents by path (relative to the
repository's root), and a line in `GENERATORS`. Nothing is fetched and no clock is read, so that
the same code gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "hack"), str(ROOT / "operator")]

from generators import (  # noqa: E402 - found through the path set above
    accelerators,
    admission,
    api,
    cli,
    crds,
    labels,
    leftovers,
    metrics,
    rbac,
    resources,
    settings,
    values,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A named source of files.

    Attributes:
        make: returns each file's content by its path relative to the root.
        owns: globs of folders in which nothing else may lie: what is no longer made is stale.
    """

    name: str
    make: Callable[[], Mapping[str, str]]
    owns: tuple[str, ...] = ()


GENERATORS: tuple[Generator, ...] = (
    Generator(name="crds", make=crds.plain, owns=("crds/*.yaml",)),
    Generator(
        name="chart-crds", make=crds.templates, owns=("charts/bursar/templates/crds/*.yaml",)
    ),
    Generator(
        name="admission",
        make=admission.templates,
        owns=("charts/bursar/templates/policies/*.yaml",),
    ),
    Generator(name="rbac", make=rbac.templates, owns=("charts/bursar/templates/rbac/*.yaml",)),
    Generator(name="leftovers", make=leftovers.template),
    Generator(name="values", make=values.readme),
    Generator(name="resources", make=resources.reference),
    Generator(name="accelerators", make=accelerators.reference),
    Generator(name="metrics", make=metrics.reference),
    Generator(name="settings", make=settings.reference),
    Generator(name="labels", make=labels.reference),
    Generator(name="api", make=api.reference),
    Generator(name="cli", make=cli.reference),
    Generator(name="rights", make=rbac.reference),
)


def stale(generator: Generator, root: Path) -> dict[Path, str | None]:
    """Tell what this generator would change: new contents by path, None for what must go."""
    wanted = {root / path: content for path, content in generator.make().items()}
    present = {path for pattern in generator.owns for path in root.glob(pattern)}
    changed: dict[Path, str | None] = dict.fromkeys(sorted(present - wanted.keys()))
    return changed | {
        path: content
        for path, content in wanted.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != content
    }


def write(changed: Mapping[Path, str | None]) -> None:
    """Bring the files up to date."""
    for path, content in changed.items():
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="generators to run; default: all of them"
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="where the files lie")
    options = parser.parse_args(arguments)
    known = {generator.name: generator for generator in GENERATORS}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no generator {', '.join(unknown)}; there are {', '.join(known)}")
    changed: dict[Path, str | None] = {}
    for name in options.names or known:
        changed |= stale(known[name], options.root)
    for path in changed:
        print(f"{'stale' if options.check else 'wrote'}: {path.relative_to(options.root)}")
    if options.check:
        return 1 if changed else 0
    write(changed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
