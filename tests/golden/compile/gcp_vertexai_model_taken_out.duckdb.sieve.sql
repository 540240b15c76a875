-- Vertex AI model exported or copied
-- rule f66fc0f5-704d-44eb-9e47-8891ee6c5ef1, text sha256 2ed1056679179693, meaning sha256 03783f2d97b5c6f1
-- sieve: a necessary condition; the matcher decides on each row
-- layout duckdb/raw, [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)
SELECT
  event_id, event_time, record
FROM events
WHERE event_time >= TIMESTAMP '2026-01-01 00:00:00'
  AND event_time < TIMESTAMP '2026-01-02 00:00:00'
  AND contains(LOWER(CAST(record AS VARCHAR)), 'aiplatform.googleapis.com')
