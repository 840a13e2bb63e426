"""Who may start, who must wait: standings become statuses, verdicts, holds and Events, as data."""
