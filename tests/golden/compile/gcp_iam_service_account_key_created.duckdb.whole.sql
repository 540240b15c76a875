-- Service account key created or uploaded
-- rule e57061b8-6235-4811-a532-7a1c59c926ff, text sha256 62b9f90063947364, meaning sha256 1aed67a9e46e1d89
-- layout duckdb/raw, [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)
SELECT
  event_id, event_time, record
FROM events
WHERE event_time >= TIMESTAMP '2026-01-01 00:00:00'
  AND event_time < TIMESTAMP '2026-01-02 00:00:00'
  AND LOWER((CASE WHEN json_type(record, '$.protoPayload.serviceName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.protoPayload.serviceName') END)) = 'iam.googleapis.com'
  AND (
    ends_with(LOWER((CASE WHEN json_type(record, '$.protoPayload.methodName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.protoPayload.methodName') END)), '.createserviceaccountkey')
    OR ends_with(LOWER((CASE WHEN json_type(record, '$.protoPayload.methodName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.protoPayload.methodName') END)), '.uploadserviceaccountkey')
  )
  AND NOT COALESCE(
    TRY_CAST(NULLIF(regexp_extract((CASE WHEN json_type(record, '$.protoPayload.status.code') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.protoPayload.status.code') END), '\A(?:-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?)\z'), '') AS DECIMAL(21, 6)) > CAST('0' AS DECIMAL(21, 6))
  , FALSE)
