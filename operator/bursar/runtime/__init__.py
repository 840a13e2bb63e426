"""The only I/O: the API server, the ledger, the clock, HTTP. What to do it asks the core.

operator      wires it all together          controller    the loops; takes what the watches bring
cluster/      the API server                 configuring/  where prices and meanings come from
accounting/   pods and nodes                 witness/      what happened while nobody watched
budgeting/    budgets and their verdicts     ledger/       the database
counting/     the counters' memory           metrics/      what Prometheus scrapes
answers/      what the read API says         http/         how it is served
"""
