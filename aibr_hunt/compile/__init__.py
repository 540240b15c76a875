"""Conditions on a layout, printed: SQL for Athena, BigQuery and DuckDB from one printer and a row of primitives each, and KQL beside it."""
