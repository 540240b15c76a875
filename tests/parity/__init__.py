"""One meaning: the matcher, the files engine with its sieve, and the oracle say the same of every rule and event."""
