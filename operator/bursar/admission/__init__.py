"""Bursar's rules compiled into what the API server itself evaluates, and the rights they rest on.

    recognize.resources ─┐                ┌─ stamp, unstamped, ephemeral   what uses accelerators
    classify.rules      ─┼─▶ policies ────┼─ deny, require, notice         what the verdicts say
    api.meta            ─┘  (name → YAML) └─ guard, restore                who may write our keys
    domain.kinds        ───▶ permissions ─── the operator's and people's roles

Everything here is a pure function that returns manifests as plain data. `placeholders` names the
few places that an installation decides; `hack/generate.py` writes the rest into the chart as it
stands, so that the policies are static objects and the operator needs no right to write any.
"""
