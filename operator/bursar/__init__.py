"""Bursar labels, meters and budgets GPU AI workloads on Kubernetes.

The folder listing is the data path::

    watch -> recognize -> classify -> allocate -> price -> meter -> ledger -> budget -> enforce
                                                              +-> metrics, report

Everything from `recognize` to `enforce` is pure: no clock, no I/O, no Kubernetes client.
`runtime` is the only room that talks to the world; `pipeline` shows the path as a list.
"""

__version__ = "0.2.0"
