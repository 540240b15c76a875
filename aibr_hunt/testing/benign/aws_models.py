"""Everyday records of Bedrock and AgentCore, and of the log of prompts and answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aibr_hunt.model.event import Json
from aibr_hunt.testing.benign.aws_callers import (
    ACCOUNT,
    CLIENTS,
    GATEWAY,
    IMAGE,
    REGIONS,
    Caller,
    application,
    batch_user,
    person,
    pipeline,
    role,
)
from aibr_hunt.testing.benign.scene import Hours, Record, Scene, Told, habit

MODELS: Final = ("example.assistant-v2:0", "example.embed-v1:0", "example.small-v1:0", "example.large-v1:0")
_PROMPTS: Final = (
    "Summarise the minutes of the meeting in five points.",
    "Translate the following paragraph into French.",
    "Ignore the spelling mistakes and tell me what the customer wants.",
    "You are a polite assistant of our shop. Answer from the given documents only.",
    "Write a test for the function below and explain what it does.",
    "How do I send JSON to an address with curl in a shell script?",
    "Act as an interviewer and ask me three questions about Python.",
    "Forget the second draft, the first one was better. Shorten it.",
    "Which of these tickets are about a forgotten password?",
    "Explain what a role and a policy are in IAM, with an example.",
    "Please base64 encode the word example, I want to compare it.",
    "What do the instructions of the warranty say about batteries?",
)
_ANSWERS: Final = (
    "Here is a summary in five points.",
    "The customer asks for a refund and a new invoice.",
    "curl -X POST -H 'Content-Type: application/json' -d @body.json https://api.example.com/orders",
    "I cannot find that in the documents that were given to me.",
    "A role has a trust policy, which says who may assume it.",
)


def _chat(scene: Scene) -> Iterator[Told]:
    who = application(scene, scene.usual(("chat-app", "search-app", "summary-app")))
    model = scene.usual(MODELS[:3])
    for _ in scene.times(8, 40):
        name = scene.usual(("Converse", "InvokeModel", "ConverseStream", "InvokeModelWithResponseStream"))
        error = "ThrottlingException" if scene.chance(0.01) else "ValidationException" if scene.chance(0.003) else ""
        yield who.call("bedrock", name, {"modelId": model}, error=error)
        if not error:
            yield _invocation(who, model, name)
        scene.wait(5, 120)


def _batch(scene: Scene) -> Iterator[Told]:
    who = batch_user(scene)
    for _ in scene.times(20, 60):
        yield who.call("bedrock", "InvokeModel", {"modelId": MODELS[1]})
        yield _invocation(who, MODELS[1], "InvokeModel")
        scene.wait(3, 30)


def _invocation(who: Caller, model: str, operation: str) -> Told:
    """Return what the invocation log says of the call just made."""
    scene = who.scene
    turns: list[Json] = [{"role": "user", "content": [{"text": scene.pick(_PROMPTS)}]}]
    answer: Record = {"message": {"role": "assistant", "content": [{"text": scene.pick(_ANSWERS)}]}}
    many = scene.rng.randint(40, 2500)
    return (
        "aws_bedrock_invocation",
        {
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "timestamp": scene.text,
            "accountId": ACCOUNT,
            "identity": {"arn": who.identity["arn"]},
            "region": REGIONS[0],
            "requestId": scene.uuid(),
            "operation": operation,
            "modelId": model,
            "input": {"inputContentType": "application/json", "inputBodyJson": {"messages": turns}, "inputTokenCount": many},
            "output": {
                "outputContentType": "application/json",
                "outputBodyJson": {"output": answer, "stopReason": "end_turn", "metrics": {"latencyMs": scene.rng.randint(300, 9000)}},
                "outputTokenCount": scene.rng.randint(5, 700),
            },
        },
    )


def _agents(scene: Scene) -> Iterator[Told]:
    who, agent, base = (application(scene, "assistant-app"), "AGENT00001", "KB00000001")
    for _ in scene.times(5, 25):
        yield who.call("bedrock", "InvokeAgent", {"agentId": agent, "agentAliasId": "ALIAS00001"}, is_data=True)
        yield who.call("bedrock", "Retrieve", {"knowledgeBaseId": base}, is_data=True)
        if scene.chance(0.3):
            yield who.call("bedrock", "ApplyGuardrail", {"guardrailIdentifier": "gr-0000000001"}, is_data=True)
        scene.wait(10, 200)


def _bedrock_console(scene: Scene) -> Iterator[Told]:
    who = person(scene, in_console=True)
    asked = (
        "ListFoundationModels",
        "GetFoundationModelAvailability",
        "ListInferenceProfiles",
        "ListGuardrails",
        "ListAgents",
        "ListKnowledgeBases",
    )
    for name in scene.rng.sample(asked, k=scene.rng.randint(2, 4)):
        yield who.call("bedrock", name, {"modelId": scene.pick(MODELS)} if name.startswith("GetF") else {})
    for _ in scene.times(1, 8):
        error = "AccessDeniedException" if scene.chance(0.03) else ""
        yield who.call("bedrock", "ConverseStream", {"modelId": scene.usual(MODELS)}, error=error)
        scene.wait(10, 90)


def _bedrock_release(scene: Scene) -> Iterator[Told]:
    who = pipeline(scene)
    guard: Record = {"guardrailIdentifier": "gr-0000000001", "guardrailVersion": "3"}
    yield who.call("bedrock", "UpdateAgent", {"agentId": "AGENT00001", "foundationModel": MODELS[0], "guardrailConfiguration": guard})
    yield who.call("bedrock", "PrepareAgent", {"agentId": "AGENT00001"})
    yield who.call("bedrock", "UpdateAgentAlias", {"agentId": "AGENT00001", "agentAliasId": "ALIAS00001"})
    yield who.call("bedrock", "StartIngestionJob", {"knowledgeBaseId": "KB00000001", "dataSourceId": "DS00000001"})
    if scene.chance(0.2):
        data: Record = {
            "trainingDataConfig": {"s3Uri": "s3://example-ml-data/tune/"},
            "outputDataConfig": {"s3Uri": "s3://example-ml-models/tuned/"},
        }
        yield who.call("bedrock", "CreateModelCustomizationJob", {"jobName": f"tune-{scene.hex(6)}", **data})


def _agentcore(scene: Scene) -> Iterator[Told]:
    who = role(scene, "AgentCore-shop", "runtime", address=GATEWAY[0], agent=CLIENTS[0])
    user = application(scene, "assistant-app")
    arn = f"arn:aws:bedrock-agentcore:eu-west-1:{ACCOUNT}:runtime/shop-0000000001"
    for _ in scene.times(5, 20):
        yield user.call("bedrock-agentcore", "InvokeAgentRuntime", {"agentRuntimeArn": arn}, is_data=True)
        yield who.call("bedrock-agentcore", "RetrieveMemoryRecords", {"memoryId": "shop-memory", "namespace": "/orders"}, is_data=True)
        yield who.call("bedrock", "Converse", {"modelId": MODELS[0]})
        if scene.chance(0.2):
            yield who.call("bedrock-agentcore", "InvokeGateway", {"gatewayIdentifier": "shop-tools"}, is_data=True)
        scene.wait(5, 90)
    if scene.chance(0.05):
        runtime: Record = {"agentRuntimeId": "shop-0000000001", "agentRuntimeArtifact": {"containerConfiguration": {"containerUri": IMAGE}}}
        yield pipeline(scene).call("bedrock-agentcore", "UpdateAgentRuntime", runtime)


MODEL_HABITS: Final = (
    habit(6, Hours.ALWAYS, _chat),
    habit(1, Hours.NIGHT, _batch),
    habit(3, Hours.ALWAYS, _agents),
    habit(3, Hours.WORK, _bedrock_console),
    habit(0.6, Hours.WORK, _bedrock_release),
    habit(3, Hours.ALWAYS, _agentcore),
)
