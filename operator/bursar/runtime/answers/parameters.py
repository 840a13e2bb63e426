"""What may stand behind the `?` of a request, and how it is checked. Pure.

A request with a parameter that is not known is refused and never half understood: a filter with a
spelling mistake would else answer with everything.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bursar.domain.classification import WorkloadClass
from bursar.domain.time import DAY, Ms
from bursar.errors import BursarError
from bursar.report import KEYS, parse_filters, parse_keys, parse_window
from bursar.runtime.answers.refused import Refused
from bursar.runtime.answers.reporting import DEFAULT_BY, MAX_ROWS, RUNS, parse_zone

BAD_REQUEST = 400
LONGEST = 512
"""Characters of one value; none that is legal has more."""
_SHOWN = 60
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NOW: Ms = 20_000 * DAY
"""Stands for the moment of the request where only the spelling of a moment is checked."""
Check = Callable[[str], str | None]
"""Says what is wrong with a value; None: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a route.

    Attributes:
        meaning: what it does, for the reference.
        legal: what it takes, for messages and the reference.
        check: of one value.
    """

    name: str
    meaning: str
    legal: str
    check: Check


def check(parameters: Sequence[Parameter], given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Read a query.

    Args:
        parameters: those that the route has.
        given: names and values as they stand in the request; an empty value is none.

    Raises:
        Refused: one line that names the parameter and what is legal.
    """
    known = {parameter.name: parameter for parameter in parameters}
    found: dict[str, str] = {}
    for name, value in given:
        parameter = known.get(name)
        if parameter is None:
            legal = f"there are {', '.join(known)}" if known else "there is none here"
            raise Refused(BAD_REQUEST, f"no parameter {name[:_SHOWN]!r}: {legal}")
        if name in found:
            raise Refused(BAD_REQUEST, f"parameter {name} is given twice: give it once")
        if not value:
            continue
        problem = _problem(parameter, value)
        if problem is not None:
            raise Refused(BAD_REQUEST, f"parameter {name}: {problem}")
        found[name] = value
    return found


def _problem(parameter: Parameter, value: str) -> str | None:
    if len(value) > LONGEST:
        return f"has {len(value)} characters: {parameter.legal}"
    return parameter.check(value)


def _told(read: Callable[[str], object]) -> Check:
    """What the reader itself says of a value that it cannot read."""

    def check(value: str) -> str | None:
        try:
            read(value)
        except BursarError as error:
            return str(error)
        return None

    return check


def _whole(least: int, most: int) -> Check:
    def check(value: str) -> str | None:
        number = int(value) if re.fullmatch(r"[0-9]{1,9}", value) else -1
        if least <= number <= most:
            return None
        return f"{value[:_SHOWN]!r} is not a whole number from {least} to {most}"

    return check


def _one_of(names: Sequence[str]) -> Check:
    def check(value: str) -> str | None:
        return None if value in names else f"{value[:_SHOWN]!r} is not one of {', '.join(names)}"

    return check


def _name(what: str) -> Check:
    def check(value: str) -> str | None:
        return None if _NAME.fullmatch(value) else f"{value[:_SHOWN]!r} is no name of {what}"

    return check


_MOMENT = "a day (`2026-11-24`), a moment in RFC 3339, or how long ago (`7d`, `36h`)"
_CLASSES = [each.value for each in WorkloadClass]
_LIMIT = "how many rows at most"

MONTH = Parameter(
    name="month",
    meaning="a whole month; not together with `from` and `to`",
    legal="`YYYY-MM`",
    check=_told(lambda text: parse_window(month=text, since=None, until=None, now=_NOW)),
)
FROM = Parameter(
    name="from",
    meaning="where the window begins; without it, with the month in which it ends",
    legal=_MOMENT,
    check=_told(lambda text: parse_window(month=None, since=text, until="9998-01-01", now=_NOW)),
)
TO = Parameter(
    name="to",
    meaning="where the window ends, itself excluded; without it, now",
    legal=_MOMENT,
    check=_told(lambda text: parse_window(month=None, since="1970-01-01", until=text, now=_NOW)),
)
ZONE = Parameter(
    name="timezone",
    meaning="where the month, and days without a time, begin; without it UTC",
    legal="a name of the IANA database, such as `Europe/Berlin`",
    check=_told(parse_zone),
)
WINDOW = (MONTH, FROM, TO, ZONE)
BY = Parameter(
    name="by",
    meaning=(
        f"what rows are grouped by; without it `{DEFAULT_BY}`. By month, day or hour they are in"
        " order of time, else the dearest first"
    ),
    legal=(
        f"keys with commas between: {', '.join(f'`{key}`' for key in KEYS)}, and `label:KEY` for"
        " the labels that the setting `report_labels` names"
    ),
    check=_told(parse_keys),
)
WHERE = Parameter(
    name="where",
    meaning="only what has these values; nodes' idle cost is nobody's, and null then",
    legal="`KEY=VALUE`, several with commas between, of the keys of `by` but times",
    check=_told(parse_filters),
)
NAMESPACE = Parameter(
    name="namespace",
    meaning="only what belongs to this namespace; whoever may read one namespace must name it",
    legal="a namespace's name",
    check=_name("a namespace"),
)
CLASS = Parameter(
    name="class",
    meaning="only runs of this class",
    legal=f"one of {', '.join(f'`{name}`' for name in _CLASSES)}",
    check=_one_of(_CLASSES),
)
ACCELERATOR = Parameter(
    name="accelerator",
    meaning="only nodes with this accelerator",
    legal="its name as reports have it, such as `h100-sxm5-80gb`",
    check=_name("an accelerator"),
)
UID = Parameter(
    name="uid",
    meaning="which of several pods of that name; without it the newest",
    legal="a pod's uid",
    check=_name("a uid"),
)
LIMIT = Parameter(
    name="limit",
    meaning=f"{_LIMIT}; what is left out is counted in the answer",
    legal=f"a whole number from 1 to {MAX_ROWS}, which is the default",
    check=_whole(1, MAX_ROWS),
)
PAGE = Parameter(
    name="limit",
    meaning=f"{_LIMIT}; `count` says how many there are",
    legal=f"a whole number from 1 to 1000; without it {RUNS}",
    check=_whole(1, 1000),
)
OFFSET = Parameter(
    name="offset",
    meaning="how many to leave out before the first",
    legal="a whole number from 0 to 999999999",
    check=_whole(0, 999_999_999),
)


def described(parameters: Sequence[Parameter]) -> list[Mapping[str, str]]:
    """Parameters as the index of the API lists them."""
    return [
        {"name": each.name, "meaning": _plain(each.meaning), "legal": _plain(each.legal)}
        for each in parameters
    ]


def _plain(text: str) -> str:
    return text.replace("`", "")


ONE_MONTH = Parameter(
    name="month",
    meaning="a whole month, in UTC",
    legal="`YYYY-MM`",
    check=_told(lambda text: parse_window(month=text, since=None, until=None, now=_NOW)),
)


def _text(value: str) -> str | None:
    return (
        None
        if value.isprintable() and len(value) <= 200
        else "has more than 200 characters, or some that are not printed"
    )


WHO = Parameter(
    name="by",
    meaning="who closes it; without it whose token it is",
    legal="text of at most 200 characters",
    check=_text,
)
REASON = Parameter(
    name="reason",
    meaning="why, for whoever reads the corrections of closed months",
    legal="text of at most 200 characters",
    check=_text,
)
FORCE = Parameter(
    name="force",
    meaning="close it although its figures may still move by themselves",
    legal="`true` or `false`",
    check=_one_of(("true", "false")),
)
# Not `dryRun`: that the API server's proxy takes for its own, and refuses.
DRY_RUN = Parameter(
    name="preview",
    meaning="only say what would change",
    legal="`true` or `false`",
    check=_one_of(("true", "false")),
)
