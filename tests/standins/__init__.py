"""Stand-ins: engines and official checkers that run on this machine, so that compiled programs are executed and not only read."""
