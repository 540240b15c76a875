-- Vertex AI model exported or copied
-- rule f66fc0f5-704d-44eb-9e47-8891ee6c5ef1, text sha256 2ed1056679179693, meaning sha256 03783f2d97b5c6f1
-- layout bigquery/export_activity, [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)
-- note: Of the labels of the resource only project_id is read: the others are columns only in tables that met them.
-- note: Columns under serviceAccountDelegationInfo, operation and resourceLocation come with the first entry that has them; a query that reads them earlier fails.
-- note: servicedata_v1_iam comes with the first change of a policy, and auditConfigDeltas with the first change of an audit config (its place there is unconfirmed); a query that reads them earlier fails.
-- note: Times are cut to microseconds, where the delivered entry has nanoseconds.
-- note: Entries that do not fit the table land in a table export_errors_* (unconfirmed).
SELECT
  logName, insertId, timestamp, receiveTimestamp, severity, resource, operation, protopayload_auditlog
FROM `PROJECT.DATASET.cloudaudit_googleapis_com_activity`
WHERE timestamp >= TIMESTAMP '2026-01-01T00:00:00Z'
  AND timestamp <= TIMESTAMP '2026-01-02T00:00:00Z'
  AND timestamp >= TIMESTAMP '2026-01-01T00:00:00Z'
  AND timestamp < TIMESTAMP '2026-01-02T00:00:00Z'
  AND LOWER(protopayload_auditlog.serviceName) = 'aiplatform.googleapis.com'
  AND (
    (
      ENDS_WITH(LOWER(protopayload_auditlog.methodName), '.modelservice.exportmodel')
      AND TO_JSON_STRING(JSON_QUERY(SAFE.PARSE_JSON(protopayload_auditlog.requestJson, wide_number_mode => 'round'), '$.outputConfig')) NOT IN (
        'null', '""', '{}', '[]'
      )
    )
    OR (
      ENDS_WITH(LOWER(protopayload_auditlog.methodName), '.modelservice.copymodel')
      AND JSON_VALUE(protopayload_auditlog.requestJson, '$.sourceModel') <> ''
    )
  )
  AND NOT COALESCE(protopayload_auditlog.status.code > 0, FALSE)
