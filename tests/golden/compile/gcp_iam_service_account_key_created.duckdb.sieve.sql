-- Service account key created or uploaded
-- rule e57061b8-6235-4811-a532-7a1c59c926ff, text sha256 62b9f90063947364, meaning sha256 1aed67a9e46e1d89
-- sieve: a necessary condition; the matcher decides on each row
-- layout duckdb/raw, [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)
SELECT
  event_id, event_time, record
FROM events
WHERE event_time >= TIMESTAMP '2026-01-01 00:00:00'
  AND event_time < TIMESTAMP '2026-01-02 00:00:00'
  AND contains(LOWER(CAST(record AS VARCHAR)), 'iam.googleapis.com')
