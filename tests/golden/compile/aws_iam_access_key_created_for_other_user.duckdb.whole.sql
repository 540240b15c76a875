-- Access key created for another user
-- rule fe7bf062-a3e4-4a4a-9eca-067c7e3757fb, text sha256 60acd359c7c2d797, meaning sha256 9f7299a9baf95349
-- layout duckdb/raw, [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)
SELECT
  event_id, event_time, record
FROM events
WHERE event_time >= TIMESTAMP '2026-01-01 00:00:00'
  AND event_time < TIMESTAMP '2026-01-02 00:00:00'
  AND LOWER((CASE WHEN json_type(record, '$.eventSource') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.eventSource') END)) = 'iam.amazonaws.com'
  AND LOWER((CASE WHEN json_type(record, '$.eventName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.eventName') END)) = 'createaccesskey'
  AND NOT COALESCE(
    (CASE WHEN json_type(record, '$.errorCode') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.errorCode') END) <> ''
  , FALSE)
  AND (CASE WHEN json_type(record, '$.requestParameters.userName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.requestParameters.userName') END) <> ''
  AND NOT COALESCE(
    (CASE WHEN json_type(record, '$.userIdentity.userName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.userIdentity.userName') END) <> ''
    AND (CASE WHEN json_type(record, '$.requestParameters.userName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.requestParameters.userName') END) <> ''
    AND (
      LOWER((CASE WHEN json_type(record, '$.userIdentity.userName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.userIdentity.userName') END)) = LOWER((CASE WHEN json_type(record, '$.requestParameters.userName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.requestParameters.userName') END))
      OR TRY_CAST(NULLIF(regexp_extract((CASE WHEN json_type(record, '$.userIdentity.userName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.userIdentity.userName') END), '\A(?:-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?)\z'), '') AS DECIMAL(21, 6)) = TRY_CAST(NULLIF(regexp_extract((CASE WHEN json_type(record, '$.requestParameters.userName') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.requestParameters.userName') END), '\A(?:-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?)\z'), '') AS DECIMAL(21, 6))
    )
  , FALSE)
  AND NOT COALESCE(
    contains(LOWER((CASE WHEN json_type(record, '$.userIdentity.sessionContext.sessionIssuer.arn') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.userIdentity.sessionContext.sessionIssuer.arn') END)), ':role/deploy')
    OR contains(LOWER((CASE WHEN json_type(record, '$.userIdentity.sessionContext.sessionIssuer.arn') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.userIdentity.sessionContext.sessionIssuer.arn') END)), ':role/cicd')
    OR contains(LOWER((CASE WHEN json_type(record, '$.userIdentity.sessionContext.sessionIssuer.arn') NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(record, '$.userIdentity.sessionContext.sessionIssuer.arn') END)), ':role/github-actions')
  , FALSE)
