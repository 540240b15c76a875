-- Vertex AI model exported or copied
-- rule f66fc0f5-704d-44eb-9e47-8891ee6c5ef1, text sha256 2ed1056679179693, meaning sha256 03783f2d97b5c6f1
-- layout duckdb/raw, [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)
SELECT
  event_id, event_time, record
FROM events
WHERE event_time >= TIMESTAMP '2026-01-01 00:00:00'
  AND event_time < TIMESTAMP '2026-01-02 00:00:00'
  AND LOWER((CASE WHEN json_type(record, '$.protoPayload.serviceName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.protoPayload.serviceName') END)) = 'aiplatform.googleapis.com'
  AND (
    (
      ends_with(LOWER((CASE WHEN json_type(record, '$.protoPayload.methodName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.protoPayload.methodName') END)), '.modelservice.exportmodel')
      AND CAST(json_extract(record, '$.protoPayload.request.outputConfig') AS VARCHAR) NOT IN (
        'null', '""', '{}', '[]'
      )
    )
    OR (
      ends_with(LOWER((CASE WHEN json_type(record, '$.protoPayload.methodName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.protoPayload.methodName') END)), '.modelservice.copymodel')
      AND (CASE WHEN json_type(record, '$.protoPayload.request.sourceModel') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.protoPayload.request.sourceModel') END) <> ''
    )
  )
  AND NOT COALESCE(
    TRY_CAST(NULLIF(regexp_extract((CASE WHEN json_type(record, '$.protoPayload.status.code') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.protoPayload.status.code') END), '\A(?:-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?)\z'), '') AS DECIMAL(21, 6)) > CAST('0' AS DECIMAL(21, 6))
  , FALSE)
