-- Access key created for another user
-- rule fe7bf062-a3e4-4a4a-9eca-067c7e3757fb, text sha256 60acd359c7c2d797, meaning sha256 9f7299a9baf95349
-- sieve: a necessary condition; the matcher decides on each row
-- layout duckdb/raw, [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)
SELECT
  event_id, event_time, record
FROM events
WHERE event_time >= TIMESTAMP '2026-01-01 00:00:00'
  AND event_time < TIMESTAMP '2026-01-02 00:00:00'
  AND contains(LOWER(CAST(record AS VARCHAR)), 'iam.amazonaws.com')
