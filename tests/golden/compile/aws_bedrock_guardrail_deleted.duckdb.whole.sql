-- Bedrock guardrail removed by hand
-- rule 495b54c1-520b-41ec-95ad-1c6d96b4c371, text sha256 d9e773c52840b7af, meaning sha256 111c5a46a4ed31f2
-- layout duckdb/raw, [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)
SELECT
  event_id, event_time, record
FROM events
WHERE event_time >= TIMESTAMP '2026-01-01 00:00:00'
  AND event_time < TIMESTAMP '2026-01-02 00:00:00'
  AND LOWER((CASE WHEN json_type(record, '$.eventSource') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.eventSource') END)) = 'bedrock.amazonaws.com'
  AND LOWER((CASE WHEN json_type(record, '$.eventName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.eventName') END)) IN (
    'deleteguardrail', 'deleteenforcedguardrailconfiguration'
  )
  AND NOT COALESCE(
    (CASE WHEN json_type(record, '$.errorCode') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.errorCode') END) <> ''
  , FALSE)
  AND NOT COALESCE(
    contains(LOWER((CASE WHEN json_type(record, '$.userIdentity.sessionContext.sessionIssuer.arn') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.userIdentity.sessionContext.sessionIssuer.arn') END)), ':role/deploy')
    OR contains(LOWER((CASE WHEN json_type(record, '$.userIdentity.sessionContext.sessionIssuer.arn') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.userIdentity.sessionContext.sessionIssuer.arn') END)), ':role/cicd')
    OR contains(LOWER((CASE WHEN json_type(record, '$.userIdentity.sessionContext.sessionIssuer.arn') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.userIdentity.sessionContext.sessionIssuer.arn') END)), ':role/github-actions')
  , FALSE)
