-- Access key created for another user
-- rule fe7bf062-a3e4-4a4a-9eca-067c7e3757fb, text sha256 60acd359c7c2d797, meaning sha256 9f7299a9baf95349
-- sieve: a necessary condition; the matcher decides on each row
-- layout athena/projection, [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)
-- note: readonly is text here; a table of your own may say boolean, which needs a mapping of your own.
-- note: The table has no managementEvent (eventCategory tells the same), no insightDetails and no eventContext, and of userIdentity neither inScopeOf nor identityProvider, credentialId, invokedByDelegate, sourceIdentity and assumedRoot.
SELECT
  eventversion, eventtime, eventsource, eventname, awsregion, sourceipaddress, useragent, errorcode,
  errormessage, requestid, eventid, eventtype, apiversion, recipientaccountid, sharedeventid,
  vpcendpointid, vpcendpointaccountid, eventcategory, sessioncredentialfromconsole, readonly,
  requestparameters, responseelements, additionaleventdata, serviceeventdetails, edgedevicedetails,
  useridentity, resources, addendum, tlsdetails, "timestamp"
FROM cloudtrail_logs_pp
WHERE "timestamp" >= '2025/12/31'
  AND "timestamp" <= '2026/01/03'
  AND eventtime >= '2026-01-01T00:00:00'
  AND eventtime < '2026-01-02T00:00:00'
  AND LOWER(eventname) = 'createaccesskey'
