"""Values only: what a rule, an event, an account and a lead are. No I/O, no clock."""
