"""What was planted in AWS: a model that is stolen, a key that is stolen, and two pieces of honest work that speak against it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from synthetic.aws import (
    APPS,
    ARTIFACTS,
    BOTO,
    CLI,
    DROP,
    HOME,
    ML,
    STRANGER,
    Actor,
    Call,
    Trail,
    in_console,
    person,
    refused,
    s3_object,
    session,
)
from synthetic.aws_everyday import DEPLOY, DEVELOPER, ML_DEPLOY, PIPELINE, RESPONDER, presigned, read, run_model
from synthetic.aws_near import (
    AT_APPS,
    AT_ML,
    IAM_APPS,
    IAM_ML,
    STRONG,
    access_key,
    guardrail,
    invocation_logging,
    model_access,
    model_group_policy,
    selectors,
    transform,
)
from synthetic.dice import Dice, at, later
from synthetic.planned import Episode, Plant, Record

THEFT: Final = "sagemaker_model_theft"
JACKING: Final = "stolen_key_llmjacking"
PLANNED_WORK: Final = "planned_work"

# The trail of the ML account leaves reads out between these two times, and so do our files.
NARROWED: Final = at("12 03:22:10")
WIDENED: Final = at("12 08:14:55")
CAUGHT: Final = at("16 07:31:12")
# Between these two times the log of invocations is out, in one of two regions: of the other the thief did not think.
SILENCED: Final = at("15 20:38:40")
SPOKEN: Final = at("16 07:40:00")
UNFILTERED: Final = at("15 23:41:30")

THIEF_ADDRESS: Final = "198.51.100.23"
JACKER_ADDRESS: Final = "198.51.100.77"
BUYER_ADDRESSES: Final = ("203.0.113.14", "203.0.113.88", "203.0.113.201")
LARGE: Final = "example.large-model-v1:0"
TRIED: Final = (LARGE, "example.large-model-v2:0", "example.code-model-v1:0", "example.vision-model-v1:0")
# Whoever calls chooses this text; a page that shows it must not run it.
HOSTILE_AGENT: Final = "<script>alert('synthetic')</script> python-requests/2.32.3"

KEY_HOLDER: Final = person(ML, "svc-notebooks", "AKIAIOSFODNN7EXAMPLE", THIEF_ADDRESS)
INTRUDER: Final = session(ML, "data-science", "svc", THIEF_ADDRESS, CLI)
JACKED: Final = person(APPS, "ml-batch", "AKIAI44QH8DHBEXAMPLE", JACKER_ADDRESS, "python-requests/2.32.3")

_BY_KEY: Final = (("userIdentity.accessKeyId", JACKED.identity["accessKeyId"]),)
_BY_NAME: Final = (("userIdentity.arn", JACKED.identity["arn"]),)
PROBED: Final = Episode(correlation="aws_bedrock_many_models_probed", story=JACKING, group=_BY_NAME, figure="4")
LISTED_AND_RUN: Final = Episode(correlation="aws_bedrock_models_listed_then_run", story=JACKING, group=_BY_KEY)
SILENCED_AND_RUN: Final = Episode(correlation="aws_bedrock_logging_removed_and_models_run", story=JACKING, group=_BY_KEY)
# Six of the twelve calls: two that open access, one that agrees, one that lists, two that run.
SHARE: Final = Episode(correlation="aws_bedrock_llmjacking_share", story=JACKING, group=_BY_NAME, figure="0.5")
UNGUARDED: Final = Episode(
    correlation="aws_bedrock_guardrail_not_replaced", story=JACKING, group=(("recipientAccountId", APPS), ("awsRegion", "us-east-1"))
)
TRIED_IN_REGIONS: Final = Episode(correlation="aws_bedrock_models_tried_in_regions", story=JACKING, group=_BY_NAME, figure="4")
OPENED_AND_RUN: Final = Episode(correlation="aws_bedrock_access_opened_then_run", story=JACKING, group=_BY_KEY)
UNGUARDED_AND_RUN: Final = Episode(correlation="aws_bedrock_guardrail_removed_then_run", story=JACKING, group=_BY_KEY)
BLIND_AND_BARE: Final = Episode(correlation="aws_bedrock_log_and_guardrail_removed", story=JACKING, group=_BY_NAME)
STAYED_SILENT: Final = Episode(
    correlation="aws_bedrock_logging_not_restored", story=JACKING, group=(("recipientAccountId", APPS), ("awsRegion", "us-east-1"))
)
API_KEY_USED: Final = Episode(
    correlation="aws_bedrock_api_key_made_then_used", story=JACKING, group=(("recipientAccountId", APPS), ("user", "BedrockAPIKey-ex4m"))
)
FOUND_AND_TAKEN: Final = Episode(
    correlation="aws_sagemaker_models_found_and_taken", story=THEFT, group=(("userIdentity.arn", INTRUDER.identity["arn"]),)
)
_SHARED_RUNS: Final = ("InvokeModel", "InvokeModelWithResponseStream")  # Converse is not among the twelve


def _plant(story: str, *rules: str, deliveries: int = 1, episodes: tuple[Episode, ...] = ()) -> Plant:
    return Plant(rules=rules, story=story, deliveries=deliveries, episodes=episodes)


def play_ordinary_use(trail: Trail) -> None:
    """What the two keys were made for, from their own addresses, until somebody switches them off."""
    dice = Dice("aws ordinary use")
    notebooks, batch = replace(KEY_HOLDER, address="192.0.2.93", agent=BOTO), replace(JACKED, address="192.0.2.94", agent=BOTO)
    for _ in range(110):
        moment = dice.any_time()
        name = dice.pick(("DescribeTrainingJob", "ListTrainingJobs", "ListModelPackages", "DescribeEndpoint"))
        if moment < WIDENED:
            trail.add(moment, AT_ML, notebooks, read("sagemaker", name))
        if moment < CAUGHT:
            trail.add(moment, AT_APPS, batch, s3_object("GetObject", "example-apps-synthetic", f"batches/in-{dice.below(999):03d}.json"))


def play_model_theft(trail: Trail) -> None:
    """Sunday night: a notebook key opens a workspace, weights are read, shared, and the trail is narrowed."""
    quiet = Plant(story=THEFT, deliveries=1)
    for moment, call in (
        ("11 22:41:03", read("sts", "GetCallerIdentity")),
        ("11 22:43:37", read("sagemaker", "ListDomains")),
        ("11 22:44:02", read("sagemaker", "ListUserProfiles", domainIdEquals="d-synthetic01")),
        ("11 22:52:19", refused(presigned(Dice("theft 1")))),
        ("12 01:09:48", read("iam", "ListAccessKeys")),
    ):
        trail.add(at(moment), IAM_ML if call.service == "iam" else AT_ML, KEY_HOLDER, call, quiet)
    link = presigned(Dice("theft 2"))
    door = "aws_sagemaker_presigned_url_long_term_key"
    borrowed = "aws_sagemaker_studio_opened_as_someone_else"
    trail.add(at("12 01:12:40"), AT_ML, KEY_HOLDER, link, _plant(THEFT, door, borrowed, deliveries=2))
    trail.add(at("12 01:29:05"), AT_ML, KEY_HOLDER, replace(link, name="CreatePresignedNotebookInstanceUrl"), _plant(THEFT, door))
    for moment, name in (
        ("12 01:41:11", "ListModelPackageGroups"),
        ("12 01:41:50", "ListModelPackages"),
        ("12 01:43:26", "DescribeModelPackage"),
    ):
        # Of several looks the last one before the reads counts.
        plant = replace(quiet, episodes=(FOUND_AND_TAKEN,)) if name == "DescribeModelPackage" else quiet
        trail.add(at(moment), AT_ML, INTRUDER, read("sagemaker", name, modelPackageGroupName="fraud-scoring-synthetic"), plant)
    _read_weights(trail)
    shared = model_group_policy("PutModelPackageGroupPolicy", f"arn:aws:iam::{STRANGER}:root")
    trail.add(at("12 02:47:31"), AT_ML, INTRUDER, shared, _plant(THEFT, "aws_sagemaker_model_package_group_shared", deliveries=2))
    _cover_and_come_back(trail)


def _read_weights(trail: Trail) -> None:
    rule = "aws_s3_model_artifact_read_outside_sagemaker"
    keys = (
        "run-071/output/model.tar.gz",
        "run-071/weights/model-00001.safetensors",
        "run-071/weights/model-00002.safetensors",
        "run-071/export/model.onnx",
        "run-064/checkpoints/epoch-12.ckpt",
        "run-064/output/model.tar.gz",
    )
    begin = at("12 02:03:14")
    for number, key in enumerate(keys):
        moment = later(begin, 187 * number)
        forged = {"sourceIPAddress": "192.0.2.20"} if number == 2 else {}
        deliveries = (2, 1, 2, 1, 3, 1)[number]
        plant = Plant(rules=(rule,), story=THEFT, deliveries=deliveries, conflict=forged, episodes=(FOUND_AND_TAKEN,))
        trail.add(moment, AT_ML, INTRUDER, s3_object("GetObject", ARTIFACTS, f"fraud/{key}"), plant)
    trail.add(
        later(begin, 1200),
        AT_ML,
        INTRUDER,
        s3_object("GetObject", ARTIFACTS, "fraud/run-071/config.json"),
        Plant(story=THEFT, deliveries=1),
    )
    copied = s3_object("CopyObject", DROP, "in/model.tar.gz", more={"x-amz-copy-source": f"{ARTIFACTS}/fraud/run-071/output/model.tar.gz"})
    trail.add(later(begin, 1500), AT_ML, INTRUDER, copied, _plant(THEFT, rule, episodes=(FOUND_AND_TAKEN,)))


def _cover_and_come_back(trail: Trail) -> None:
    """The trail loses its reads; what is written after that still shows."""
    quiet = Plant(story=THEFT, deliveries=1)
    stop = Call(service="cloudtrail", name="StopLogging", request={"name": "synthetic-all-regions"})
    trail.add(at("12 03:20:31"), AT_ML, INTRUDER, refused(stop), quiet)
    narrowed = selectors("PutEventSelectors", kind="WriteOnly")
    trail.add(NARROWED, AT_ML, INTRUDER, narrowed, _plant(THEFT, "aws_cloudtrail_trail_stopped_or_narrowed"))
    bulk = transform("score-all-synthetic", f"s3://{DROP}/answers")
    trail.add(at("12 03:31:45"), AT_ML, INTRUDER, bulk, _plant(THEFT, "aws_sagemaker_transform_output_elsewhere", deliveries=2))
    spare = "aws_iam_access_key_created_for_other_user"
    trail.add(at("12 03:44:02"), IAM_ML, INTRUDER, access_key("backup-agent"), _plant(THEFT, spare))
    trail.add(WIDENED, AT_ML, ML_DEPLOY, selectors("PutEventSelectors"), quiet)
    switched_off = Call(service="iam", name="UpdateAccessKey", request={"userName": "svc-notebooks", "status": "Inactive"})
    trail.add(later(WIDENED, 600), IAM_ML, ML_DEPLOY, switched_off, quiet)


def play_stolen_key(trail: Trail) -> None:
    """Wednesday to Friday: a batch key is tried, opens models, puts out the logs, and is sold on."""
    _try_the_key(trail)
    opened = "aws_bedrock_model_access_enabled"
    for moment, name in (
        ("15 20:10:02", "PutUseCaseForModelAccess"),
        ("15 20:11:19", "CreateFoundationModelAgreement"),
        ("15 20:12:54", "PutFoundationModelEntitlement"),
    ):
        episodes = (SHARE, OPENED_AND_RUN) if name == "PutFoundationModelEntitlement" else (SHARE,)  # the last step before the runs
        trail.add(at(moment), AT_APPS, JACKED, model_access(name), _plant(JACKING, opened, episodes=episodes))
    removed = invocation_logging("DeleteModelInvocationLoggingConfiguration")
    dark = (SILENCED_AND_RUN, STAYED_SILENT, BLIND_AND_BARE)
    out = _plant(JACKING, "aws_bedrock_invocation_logging_removed", deliveries=2, episodes=dark)
    trail.add(SILENCED, AT_APPS, JACKED, removed, out)
    _take_filters_away(trail)
    trail.add(at("15 22:05:51"), IAM_APPS, JACKED, access_key("reporting"), _plant(JACKING, "aws_iam_access_key_created_for_other_user"))
    _sell_on(trail)
    quiet = Plant(story=JACKING, deliveries=1)
    off = Call(service="iam", name="UpdateAccessKey", request={"userName": "ml-batch", "status": "Inactive"})
    trail.add(CAUGHT, IAM_APPS, RESPONDER, off, quiet)
    back = invocation_logging("PutModelInvocationLoggingConfiguration", textDataDeliveryEnabled=True)
    trail.add(SPOKEN, AT_APPS, DEPLOY, back, quiet)


def _try_the_key(trail: Trail) -> None:
    quiet = Plant(story=JACKING, deliveries=1)
    for moment, name in (
        ("14 19:02:11", "GetCallerIdentity"),
        ("14 19:02:48", "ListFoundationModels"),
        ("14 19:03:20", "ListInferenceProfiles"),
    ):
        trail.add(at(moment), AT_APPS, JACKED, read("sts" if "Caller" in name else "bedrock", name), quiet)
    errors = ("AccessDeniedException", "ValidationException", "ResourceNotFoundException", "AccessDenied")
    regions = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1")
    for number in range(8):
        tried = replace(
            run_model(("InvokeModel", "Converse")[number % 2], TRIED[number % 4]), error=errors[number % 4], message="Not for this account."
        )
        plant = _plant(JACKING, "aws_bedrock_model_probe", deliveries=2 if number == 5 else 1, episodes=(PROBED, TRIED_IN_REGIONS))
        trail.add(later(at("14 19:05:07"), 41 * number), (APPS, regions[number // 2]), JACKED, tried, plant)
    throttled = replace(run_model("InvokeModel", LARGE), error="ThrottlingException", message="Too many requests.")
    trail.add(at("14 19:11:30"), AT_APPS, JACKED, throttled, quiet)


def play_first_look(trail: Trail) -> None:
    """What does the stolen key open now? One look, and two calls that go through, before the log is put out."""
    listed = Plant(story=JACKING, deliveries=1, episodes=(LISTED_AND_RUN, SHARE))
    trail.add(at("15 20:21:10"), AT_APPS, JACKED, read("bedrock", "ListFoundationModels"), listed)
    ran = _plant(JACKING, "aws_bedrock_invoked_with_long_term_key", episodes=(LISTED_AND_RUN, OPENED_AND_RUN, SILENCED_AND_RUN, SHARE))
    for moment in ("15 20:24:40", "15 20:29:05"):
        trail.add(at(moment), AT_APPS, JACKED, run_model("InvokeModel", LARGE), ran)


def _take_filters_away(trail: Trail) -> None:
    trail.add(at("15 20:44:09"), AT_APPS, JACKED, refused(guardrail("DeleteGuardrail")), Plant(story=JACKING, deliveries=1))
    faint: tuple[Record, ...] = ({**STRONG[0], "inputStrength": "LOW", "outputStrength": "NONE"}, *STRONG[1:])
    trail.add(at("15 20:55:02"), AT_APPS, JACKED, guardrail("UpdateGuardrail", faint), _plant(JACKING, "aws_bedrock_guardrail_weakened"))
    bare = Call(service="bedrock", name="UpdateGuardrail", request={"guardrailIdentifier": "synthetic0gr2", "topicPolicyConfig": {}})
    emptied = ("aws_bedrock_guardrail_weakened", "aws_bedrock_guardrail_policy_left_out")
    trail.add(at("15 20:58:40"), AT_APPS, JACKED, bare, _plant(JACKING, *emptied))
    trail.add(
        UNFILTERED,
        AT_APPS,
        JACKED,
        guardrail("DeleteGuardrail"),
        _plant(JACKING, "aws_bedrock_guardrail_deleted", deliveries=2, episodes=(UNGUARDED, UNGUARDED_AND_RUN, BLIND_AND_BARE)),
    )


def _sell_on(trail: Trail) -> None:
    """The night's runs: the key from its buyers' addresses, and a long-term API key of its own."""
    dice = Dice("aws story jacking")
    rule = "aws_bedrock_invoked_with_long_term_key"
    moment = at("15 21:15:33")
    for number in range(26):
        moment = later(moment, 60 + dice.below(1500))
        agent = HOSTILE_AGENT if number == 4 else JACKED.agent
        buyer = replace(JACKED, address=dice.pick((JACKER_ADDRESS, *BUYER_ADDRESSES)), agent=agent)
        name = dice.pick(("InvokeModel", "InvokeModelWithResponseStream", "Converse", "ConverseStream"))
        where = (APPS, dice.weighted(((3, "us-east-1"), (1, "us-west-2"))))
        episodes = (*((SHARE,) if name in _SHARED_RUNS else ()), *((SILENCED_AND_RUN,) if moment <= later(SILENCED, 3600) else ()))
        episodes += (UNGUARDED_AND_RUN,) if UNFILTERED <= moment <= later(UNFILTERED, 3600) else ()
        plant = _plant(JACKING, rule, deliveries=2 if number % 9 == 8 else 1, episodes=episodes)
        trail.add(moment, where, buyer, run_model(name, LARGE), plant)
    made = Call(
        service="iam",
        name="CreateServiceSpecificCredential",
        request={"userName": "BedrockAPIKey-ex4m", "serviceName": "bedrock.amazonaws.com"},
    )
    trail.add(at("15 22:20:18"), IAM_APPS, JACKED, made, _plant(JACKING, "aws_bedrock_api_key_without_end", episodes=(API_KEY_USED,)))
    for number in range(3):
        bearer = replace(run_model("Converse", LARGE), more={"additionalEventData": {"callWithBearerToken": True}})
        trail.add(at(f"15 22:3{number}:44"), AT_APPS, _api_key_holder(), bearer, _plant(JACKING, rule, episodes=(API_KEY_USED,)))


def _api_key_holder() -> Actor:
    actor = person(APPS, "BedrockAPIKey-ex4m", "", BUYER_ADDRESSES[0], "curl/8.9.1")
    return replace(actor, identity={name: value for name, value in actor.identity.items() if name != "accessKeyId"})


def play_planned_work(trail: Trail) -> None:
    """Two things that rules find and that were planned: they speak for the rival explanations."""
    release = model_group_policy("PutModelPackageGroupPolicy", f"arn:aws:iam::{APPS}:root")
    by_pipeline = "aws_sagemaker_model_package_group_shared_by_pipeline"
    trail.add(at("08 10:02:17"), (ML, HOME), PIPELINE, release, _plant(PLANNED_WORK, by_pipeline))
    opened = "aws_bedrock_model_access_enabled_in_console"
    trail.add(
        at("09 13:20:44"), AT_APPS, in_console(DEVELOPER), model_access("PutFoundationModelEntitlement"), _plant(PLANNED_WORK, opened)
    )
