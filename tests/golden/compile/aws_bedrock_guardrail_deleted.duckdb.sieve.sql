-- Bedrock guardrail removed by hand
-- rule 495b54c1-520b-41ec-95ad-1c6d96b4c371, text sha256 d9e773c52840b7af, meaning sha256 111c5a46a4ed31f2
-- sieve: a necessary condition; the matcher decides on each row
-- layout duckdb/raw, [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)
SELECT
  event_id, event_time, record
FROM events
WHERE event_time >= TIMESTAMP '2026-01-01 00:00:00'
  AND event_time < TIMESTAMP '2026-01-02 00:00:00'
  AND contains(LOWER(CAST(record AS VARCHAR)), 'bedrock.amazonaws.com')
