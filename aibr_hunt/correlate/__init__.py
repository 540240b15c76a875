"""Events to episodes and baselines: one implementation, in DuckDB, for all engines (docs/meaning.md section 7)."""
