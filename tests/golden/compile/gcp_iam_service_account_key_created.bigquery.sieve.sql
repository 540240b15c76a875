-- Service account key created or uploaded
-- rule e57061b8-6235-4811-a532-7a1c59c926ff, text sha256 62b9f90063947364, meaning sha256 1aed67a9e46e1d89
-- sieve: a necessary condition; the matcher decides on each row
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
  AND (
    ENDS_WITH(LOWER(protopayload_auditlog.methodName), '.createserviceaccountkey')
    OR ENDS_WITH(LOWER(protopayload_auditlog.methodName), '.uploadserviceaccountkey')
  )
