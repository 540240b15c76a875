-- Bedrock guardrail removed by hand
-- rule 495b54c1-520b-41ec-95ad-1c6d96b4c371, text sha256 d9e773c52840b7af, meaning sha256 111c5a46a4ed31f2
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
  AND LOWER(eventsource) = 'bedrock.amazonaws.com'
  AND LOWER(eventname) IN ('deleteguardrail', 'deleteenforcedguardrailconfiguration')
  AND NOT COALESCE(errorcode <> '', FALSE)
  AND NOT COALESCE(
    strpos(LOWER(useridentity.sessioncontext.sessionissuer.arn), ':role/deploy') > 0
    OR strpos(LOWER(useridentity.sessioncontext.sessionissuer.arn), ':role/cicd') > 0
    OR strpos(LOWER(useridentity.sessioncontext.sessionissuer.arn), ':role/github-actions') > 0
  , FALSE)
