"""Every name that Bursar writes on, or reads from, somebody's objects.

Keys of labels and annotations, the scheduling gate, types of conditions and their reasons stand
here and nowhere else, so that a reader can see at one place what Bursar leaves on a cluster. They
are a public interface: other people's queries, dashboards and policies select on them.
"""

from typing import Final

GROUP: Final = "bursar.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
PREFIX: Final = f"{GROUP}/"

FIELD_MANAGER: Final = "bursar"
"""Server-side apply's field manager for whatever Bursar writes on objects."""
VERDICT_NAME: Final = "bursar"
"""Name of the one BudgetVerdict of a namespace, and of the one ClusterBudgetVerdict."""
CATEGORIES: Final = ("bursar", "finops")
"""`kubectl get bursar` lists all our kinds."""

# --- labels on pods (and on the top owner's metadata where that disturbs nobody) ---------------

LABEL_ACCELERATED: Final = "bursar.dev/accelerated"
"""`true` on each pod that asks for an accelerator in any way; what watches and policies select."""
LABEL_CLASS: Final = "bursar.dev/class"
"""The verdict: training, inference, interactive, other or unknown. Overwritten at birth."""
LABEL_ACTIVITY: Final = "bursar.dev/activity"
"""The finer word inside the class, e.g. `fine-tuning`."""
LABEL_CONFIDENCE: Final = "bursar.dev/confidence"
"""How sure the verdict is, 0–1 as a decimal, e.g. `0.97`."""
LABEL_CLASS_BY: Final = "bursar.dev/class-by"
"""What decided: tagged (only where the override was guarded), known, discovered or none."""
LABEL_CLASS_OVERRIDE: Final = "bursar.dev/class-override"
"""People's wish for a class, on a pod, a pod template or a namespace; guarded by RBAC."""
LABEL_ACCELERATOR_COUNT: Final = "bursar.dev/accelerator-count"
"""Devices, or the share of one, that the pod asks for, as a decimal."""
LABEL_ACCELERATOR: Final = "bursar.dev/accelerator"
"""Canonical name of the device in lower case, e.g. `h100-sxm5-80gb`."""
LABEL_INFRASTRUCTURE: Final = "bursar.dev/infrastructure"
"""self-managed, partially-managed or fully-managed: who runs what the pod stands on."""
LABEL_MODEL: Final = "bursar.dev/model"
"""The AI model that the pod trains or serves, made a legal label."""
LABEL_BUDGET: Final = "bursar.dev/budget"
"""Name of the namespaced AIBudget that pays for the pod."""
LABEL_TEAM: Final = "bursar.dev/team"
LABEL_COST_CENTER: Final = "bursar.dev/cost-center"
LABEL_PROJECT: Final = "bursar.dev/project"
LABEL_ENVIRONMENT: Final = "bursar.dev/environment"
LABEL_CRITICALITY: Final = "bursar.dev/criticality"
LABEL_SHUTDOWN_ELIGIBLE: Final = "bursar.dev/shutdown-eligible"

ALLOCATION_LABELS: Final = (
    LABEL_TEAM,
    LABEL_COST_CENTER,
    LABEL_PROJECT,
    LABEL_ENVIRONMENT,
    LABEL_CRITICALITY,
    LABEL_SHUTDOWN_ELIGIBLE,
)
"""The FinOps Foundation's tags for AI, copied to pods by the allocation rules."""

VERDICT_LABELS: Final = (
    LABEL_ACCELERATED,
    LABEL_CLASS,
    LABEL_ACTIVITY,
    LABEL_CONFIDENCE,
    LABEL_CLASS_BY,
    LABEL_ACCELERATOR_COUNT,
    LABEL_ACCELERATOR,
    LABEL_INFRASTRUCTURE,
    LABEL_MODEL,
    LABEL_BUDGET,
    *ALLOCATION_LABELS,
)
"""Labels that only Bursar may set on a pod: the stamp drops whatever a tenant forged."""

# --- labels on namespaces ----------------------------------------------------------------------

LABEL_REQUIRE_BUDGET: Final = "bursar.dev/require-budget"
"""`true` on a namespace: pods with accelerators need a budget that selects them."""

# --- annotations on pods and owners ------------------------------------------------------------

ANNOTATION_CLASSIFICATION: Final = "bursar.dev/classification"
"""One line: class, confidence, decided by, strongest evidence."""
ANNOTATION_PRICE: Final = "bursar.dev/price"
"""One line: the pod's cost an hour and where the rate comes from."""
ANNOTATION_MODEL: Final = "bursar.dev/model"
"""The model's full name, where the label of the same key had to be cut."""
ANNOTATION_BUDGETS: Final = "bursar.dev/budgets"
"""All budgets that count the pod, comma-separated, fixed when it is bound."""
ANNOTATION_SUBMITTED_BY: Final = "bursar.dev/submitted-by"
"""Who created the top owner, from the request's user; guarded."""
ANNOTATION_MAX_DURATION: Final = "bursar.dev/max-duration"
"""A workload's own bound, e.g. `6h`; sets the pod's activeDeadlineSeconds in Reserve budgets."""
ANNOTATION_STOP_AT: Final = "bursar.dev/stop-at"
"""When the pod will be stopped (RFC 3339), announced so that it can write its checkpoint."""
ANNOTATION_HELD: Final = "bursar.dev/held"
"""State of a hold on an owner: what it was before Bursar acted, and for which budgets."""

PEOPLE_ANNOTATIONS: Final = (
    LABEL_CLASS_OVERRIDE,
    ANNOTATION_MAX_DURATION,
    "bursar.dev/hourly-price",
)
"""Annotations under our prefix that people may set on pods; the stamp drops all others."""

# --- annotations on nodes and CRDs -------------------------------------------------------------

ANNOTATION_HOURLY_PRICE: Final = "bursar.dev/hourly-price"
"""On a node: what it costs an hour, a decimal in the reporting currency."""
ANNOTATION_READ_API: Final = "bursar.dev/read-api"
"""On our CRDs, set by the chart: `NAMESPACE/http:SERVICE:PORT` of the operator's read API."""

# --- scheduling gate and RBAC verb -------------------------------------------------------------

GATE: Final = "bursar.dev/budget"
"""Scheduling gate of pods that wait for money in Reserve budgets."""
OVERRIDE_VERB: Final = "override"
"""RBAC verb on `aibudgets` that lets somebody set guarded labels and fields."""

# --- condition types: all but NotInForce are positive, `True` is the good case ------------------

CONDITION_READY: Final = "Ready"
"""Summary, always present. True: the object is understood and evaluated. False: its author must
act. Unknown: not visited yet, or what it depends on can't be read."""
CONDITION_WITHIN_BUDGET: Final = "WithinBudget"
"""Always present on budgets. True: below every limit. False: at or above one. Unknown: what was
spent can't be told; enforcement keeps the last verdict."""
CONDITION_FORECAST_WITHIN_BUDGET: Final = "ForecastWithinBudget"
"""Always present on budgets. False: at the present burn rate a limit is reached before the
period's end."""
CONDITION_ENFORCED: Final = "Enforced"
"""Always present on budgets. True: the API server has this budget's verdict. False: enforcement
is off, asleep, or observes only. Unknown: the verdict could not be written or checked."""
CONDITION_PRICED: Final = "Priced"
"""Always present on budgets and price books. False: some usage that counts here has an assumed
price. Unknown: some usage has no price at all."""
CONDITION_CATALOG_CURRENT: Final = "CatalogCurrent"
"""Always present on price books; on budgets only where it is False and some usage that counts there
has a price of the bundled catalog. False: the catalog is older than the installation allows."""
CONDITION_NOT_IN_FORCE: Final = "NotInForce"
"""Present only where a field is set that this release does not act upon yet; then True, and its
message names the fields. The one condition whose `True` is bad news."""

CONDITION_TYPES: Final = (
    CONDITION_READY,
    CONDITION_WITHIN_BUDGET,
    CONDITION_FORECAST_WITHIN_BUDGET,
    CONDITION_ENFORCED,
    CONDITION_PRICED,
    CONDITION_CATALOG_CURRENT,
    CONDITION_NOT_IN_FORCE,
)

# --- reasons (of conditions, and of Events where marked) ----------------------------------------

REASON_EVALUATED: Final = "Evaluated"
"""Ready=True: the object is in use."""
REASON_NOT_EVALUATED: Final = "NotEvaluated"
"""Any type, Unknown: the first visit is still to come."""
REASON_INVALID: Final = "Invalid"
"""Ready=False: the message says which field and why."""
REASON_LEDGER_UNAVAILABLE: Final = "LedgerUnavailable"
"""Ready or WithinBudget, Unknown: the ledger can't be read; the last verdict stays."""
REASON_BELOW_LIMIT: Final = "BelowLimit"
"""WithinBudget=True."""
REASON_LIMIT_REACHED: Final = "LimitReached"
"""WithinBudget=False: the message names the limit, what is spent, and when it reopens."""
REASON_FORECAST_BELOW_LIMIT: Final = "ForecastBelowLimit"
"""ForecastWithinBudget=True."""
REASON_FORECAST_EXCEEDS_LIMIT: Final = "ForecastExceedsLimit"
"""ForecastWithinBudget=False: the message says when the limit will be reached."""
REASON_VERDICT_WRITTEN: Final = "VerdictWritten"
"""Enforced=True: the namespace's BudgetVerdict carries this budget's windows."""
REASON_OBSERVE_ONLY: Final = "ObserveOnly"
"""Enforced=False: this installation changes nothing but labels."""
REASON_SUSPENDED: Final = "EnforcementSuspended"
"""Enforced=False: `spec.suspendUntil` lies ahead. Also an Event."""
REASON_NO_HOLD_THRESHOLD: Final = "NoHoldThreshold"
"""Enforced=False: no threshold of this budget holds anything."""
REASON_POLICIES_MISSING: Final = "PoliciesMissing"
"""Enforced=False: the admission policies are not installed, so nothing reads the verdict."""
REASON_ALL_PRICED: Final = "AllPriced"
"""Priced=True."""
REASON_ASSUMED_PRICE: Final = "AssumedPrice"
"""Priced=False: default rates were used; the message counts the pods and names the devices."""
REASON_UNPRICED: Final = "Unpriced"
"""Priced=Unknown: the message names what has no price. Also an Event."""
REASON_CATALOG_CURRENT: Final = "Current"
"""CatalogCurrent=True: the message says of which day the list prices are."""
REASON_CATALOG_STALE: Final = "Stale"
"""CatalogCurrent=False: a newer version of Bursar has newer list prices."""
REASON_CONFLICTING_RATES: Final = "ConflictingRates"
"""A price book's Ready=False: two equally specific rules give different prices."""
REASON_FIELDS_NOT_IN_FORCE: Final = "FieldsNotInForce"
"""NotInForce=True."""
REASON_THRESHOLD_CROSSED: Final = "ThresholdCrossed"
"""Event on a budget: a threshold with Notify was crossed."""
REASON_HELD: Final = "HeldByBudget"
"""Event on a top owner: its pods wait; the message names every shut budget."""
REASON_RELEASED: Final = "ReleasedByBudget"
"""Event on a top owner: what was held may start."""
REASON_NO_RIGHT: Final = "NoRightToChange"
"""Event on a top owner: it should be held or released, and this installation has no right to."""
