"""The lake: logs that were read once, kept as Parquet by source and day, and asked again and again."""
