"""Where each budget stands, and when it will run out. Pure: `now` and the figures are arguments."""
