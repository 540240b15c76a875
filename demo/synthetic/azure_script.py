"""What goes on in the Azure subscriptions: the everyday, the near misses, and an evening with the training data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from synthetic.azure import SUBSCRIPTION, Activity, Caller, Operation, Row, path_of
from synthetic.dice import Dice, at, later
from synthetic.everyday import ONCE, plant_of
from synthetic.planned import Episode, Plant

STORY: Final = "azure_training_data_tampering"
PLANNED_WORK: Final = "planned_work"

WORKSPACE: Final = "Microsoft.MachineLearningServices/workspaces/fraud"
OPENAI: Final = "Microsoft.CognitiveServices/accounts/synthetic-openai"
STORE: Final = "Microsoft.Storage/storageAccounts/synthetictraining"
VAULT: Final = "Microsoft.KeyVault/vaults/synthetic"
SHOP: Final = "Microsoft.Web/sites/synthetic-shop"
SETTING: Final = "/providers/Microsoft.Insights/diagnosticSettings/to-siem"

ML: Final = "Microsoft.MachineLearningServices/"
AI: Final = "Microsoft.CognitiveServices/accounts/"
_CREDENTIALS: Final = "Microsoft.ContainerRegistry/registries/listCredentials/action"

# Azure Machine Learning's own application, the same in every tenant.
ML_SERVICE: Final = Caller(name="AzureMachineLearning", address="192.0.2.200", application="0736f41a-0425-4b46-bdb5-1563eff02385")
PIPELINE: Final = Caller(name="pipeline", address="192.0.2.201", application="00000000-0000-4000-8000-00000000000b")
BACKUP: Final = Caller(name="backup-service", address="192.0.2.202", application="00000000-0000-4000-8000-00000000000c")
PEOPLE: Final = tuple(
    Caller(name=f"{name}@example.com", address=f"192.0.2.{210 + number}") for number, name in enumerate(("ada", "kurt", "emmy"))
)
ADMIN: Final = Caller(name="margaret@example.com", address="192.0.2.220")
# The insider: a colleague with every right that the evening needs, at home.
INSIDER: Final = Caller(name="dana@example.com", address="198.51.100.140")


def setting_of(resource: str, verb: str, *, is_failed: bool = False) -> Operation:
    """Return a call on the diagnostic setting of a resource."""
    return Operation(name=f"Microsoft.Insights/diagnosticSettings/{verb}", on=resource + SETTING, is_failed=is_failed)


def account_write(**settings: Any) -> Operation:
    """Return a change of the Azure OpenAI account."""
    return Operation(
        name=f"{AI}write", on=OPENAI, body={"location": "westeurope", "tags": {"dataset": "synthetic"}, "properties": settings}
    )


def _work(dice: Dice) -> Operation:
    run = f"{WORKSPACE}/jobs/synthetic-{dice.below(900):03d}"
    return dice.pick(
        (
            Operation(name=f"{ML}workspaces/jobs/write", on=run),
            Operation(name=f"{ML}workspaces/jobs/cancel/action", on=run, is_failed=dice.chance(20)),
            Operation(name=f"{ML}workspaces/environments/versions/write", on=f"{WORKSPACE}/environments/train/versions/{dice.below(40)}"),
            Operation(name=f"{ML}workspaces/models/versions/write", on=f"{WORKSPACE}/models/fraud/versions/{dice.below(40)}"),
            Operation(name=f"{ML}workspaces/computes/start/action", on=f"{WORKSPACE}/computes/gpu"),
            Operation(name=f"{ML}workspaces/computes/stop/action", on=f"{WORKSPACE}/computes/gpu"),
        )
    )


def _run(dice: Dice) -> Operation:
    return Operation(name=f"{ML}workspaces/jobs/write", on=f"{WORKSPACE}/jobs/nightly-synthetic-{dice.below(900):03d}")


def _platform(dice: Dice) -> Operation:
    name, on = dice.pick(
        (
            ("Microsoft.Web/sites/restart/action", SHOP),
            ("Microsoft.Web/sites/config/write", f"{SHOP}/config/web"),
            ("Microsoft.Resources/deployments/write", "Microsoft.Resources/deployments/synthetic"),
            ("Microsoft.Storage/storageAccounts/write", STORE),
            ("Microsoft.KeyVault/vaults/write", VAULT),
            ("Microsoft.CognitiveServices/accounts/deployments/write", f"{OPENAI}/deployments/chat"),
            ("Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/synthetic"),
        )
    )
    return Operation(name=name, on=on)


def _own_keys(_: Dice) -> Operation:
    return Operation(name="Microsoft.Storage/storageAccounts/listKeys/action", on=STORE)


def _own_datastores(dice: Dice) -> Operation:
    return Operation(
        name=f"{ML}workspaces/datastores/write", on=f"{WORKSPACE}/datastores/{dice.pick(('workspaceblobstore', 'workspaceartifactstore'))}"
    )


_DAY: Final[tuple[tuple[int, tuple[Caller, ...], Callable[[Dice], Operation], bool], ...]] = (
    (190, (*PEOPLE, INSIDER), _work, True),
    (170, (PIPELINE,), _run, False),
    (160, (ADMIN, PIPELINE), _platform, True),
    (70, (ML_SERVICE,), _own_keys, False),
    (14, (ML_SERVICE,), _own_datastores, False),
    (
        70,
        (BACKUP,),
        lambda _: Operation(name="Microsoft.RecoveryServices/vaults/backupFabrics/write", on="Microsoft.RecoveryServices/vaults/synthetic"),
        False,
    ),
)

_NEAR: Final[tuple[tuple[int, Caller, Operation], ...]] = (
    (3, PEOPLE[0], Operation(name=f"{ML}workspaces/listKeys/action", on=WORKSPACE, is_failed=True)),
    (4, ADMIN, Operation(name=f"{AI}regenerateKey/action", on=OPENAI)),
    (3, ADMIN, Operation(name=f"{ML}workspaces/resyncKeys/action", on=WORKSPACE)),
    (
        3,
        ADMIN,
        Operation(name=_CREDENTIALS, on="Microsoft.ContainerRegistry/registries/synthetic"),
    ),
    (3, PEOPLE[1], Operation(name="Microsoft.Storage/storageAccounts/listKeys/action", on=STORE, is_failed=True)),
    (3, ADMIN, Operation(name="Microsoft.Storage/storageAccounts/regenerateKey/action", on=STORE)),
    (4, PEOPLE[2], Operation(name=f"{ML}workspaces/datastores/write", on=f"{WORKSPACE}/datastores/training", is_failed=True)),
    (3, PEOPLE[2], Operation(name=f"{ML}workspaces/data/versions/delete", on=f"{WORKSPACE}/data/old/versions/1")),
    (2, PEOPLE[0], Operation(name=f"{ML}workspaces/datasets/registered/read", on=f"{WORKSPACE}/datasets/old")),
    (4, ADMIN, setting_of(WORKSPACE, "write")),
    (2, ADMIN, setting_of(SHOP, "delete")),
    (2, PEOPLE[0], setting_of(VAULT, "delete", is_failed=True)),
    (5, PIPELINE, account_write(publicNetworkAccess="Disabled", disableLocalAuth=True, networkAcls={"defaultAction": "Deny"})),
    (3, PIPELINE, Operation(name=f"{AI}raiBlocklists/write", on=f"{OPENAI}/raiBlocklists/synthetic")),
    (2, PEOPLE[1], Operation(name=f"{AI}raiPolicies/write", on=f"{OPENAI}/raiPolicies/strict", is_failed=True)),
)


# Not all of it is a near miss: these are calls that a rule finds whoever makes them.
_FINDERS: Final = {
    f"{AI}regenerateKey/action": "azure_ai_keys_replaced",
    f"{ML}workspaces/resyncKeys/action": "azure_ai_keys_replaced",
}


def play_days(script: Activity) -> None:
    """Fill the fortnight with what goes on anyway, near misses among it."""
    dice = Dice("azure everyday")
    registered = []
    for count, callers, make, is_office in _DAY:
        for _ in range(count):
            moment, caller, operation = dice.office_time() if is_office else dice.batch_time(), dice.pick(callers), make(dice)
            script.add(moment, caller, operation)
            registered += [(moment, caller)] if operation.name == f"{ML}workspaces/models/versions/write" else []
    for count, caller, operation in _NEAR:
        for _ in range(count):
            plant = ONCE if operation.name == _CREDENTIALS else plant_of(operation.name, _FINDERS)
            script.add(dice.office_time(), caller, operation, plant)
    runs = Dice("azure runs behind models")
    for moment, caller in registered:  # a model is registered by whoever trained it
        script.add(moment - timedelta(minutes=70 + runs.below(240)), caller, _run(runs))


def _plant(*rules: str, deliveries: int = 1, story: str = STORY, episodes: tuple[Episode, ...] = ()) -> Plant:
    return Plant(rules=rules, story=story, deliveries=deliveries, episodes=episodes)


def _stayed_dark(setting: Operation) -> tuple[Episode, ...]:
    """Return the episode of a diagnostic setting that is deleted and not written again within the hour."""
    group = (("resourceId", path_of(setting.on, SUBSCRIPTION)),)
    return (Episode(correlation="azure_monitor_diagnostic_setting_not_restored", story=STORY, group=group),)


def play_tampering(script: Activity) -> None:
    """Tuesday evening: secrets are read, logs put out, data exchanged; at two in the morning the model trains on it."""
    keys, storage = "azure_ai_keys_read", "azure_storage_account_keys_read"
    dark, changed = "azure_monitor_ai_diagnostic_setting_deleted", "azure_machinelearning_training_input_changed"
    store = f"{WORKSPACE}/datastores/training"
    listing = Operation(name=f"{ML}workspaces/datastores/listSecrets/action", on=store)
    script.add(at("13 18:52:44"), INSIDER, replace(listing, is_failed=True), _plant())
    script.add(at("13 18:57:10"), INSIDER, listing, _plant(keys, deliveries=2))
    script.add(at("13 19:02:31"), INSIDER, Operation(name=f"{ML}workspaces/listKeys/action", on=WORKSPACE), _plant(keys))
    script.add(
        at("13 19:20:10"),
        INSIDER,
        Operation(name="Microsoft.Storage/storageAccounts/listKeys/action", on=STORE),
        _plant(storage, deliveries=2),
    )
    script.add(
        at("13 19:24:55"), INSIDER, Operation(name="Microsoft.Storage/storageAccounts/listAccountSas/action", on=STORE), _plant(storage)
    )
    blobs, workspace = setting_of(f"{STORE}/blobServices/default", "delete"), setting_of(WORKSPACE, "delete")
    script.add(at("13 19:41:02"), INSIDER, blobs, _plant(dark, episodes=_stayed_dark(blobs)))
    script.add(at("13 19:43:30"), INSIDER, workspace, _plant(dark, deliveries=2, episodes=_stayed_dark(workspace)))
    script.add(
        at("13 20:31:02"),
        INSIDER,
        Operation(name=f"{ML}workspaces/data/versions/write", on=f"{WORKSPACE}/data/transactions/versions/8"),
        _plant(changed),
    )
    script.add(
        at("13 20:44:47"),
        INSIDER,
        Operation(name=f"{ML}workspaces/data/versions/write", on=f"{WORKSPACE}/data/labels/versions/5"),
        _plant(changed, deliveries=2),
    )
    script.add(at("13 21:03:19"), INSIDER, Operation(name=f"{ML}workspaces/datastores/write", on=store), _plant(changed))
    script.add(at("13 21:15:00"), INSIDER, setting_of(WORKSPACE, "write"), _plant())
    script.add(
        at("14 02:00:04"),
        PIPELINE,
        Operation(name=f"{ML}workspaces/jobs/write", on=f"{WORKSPACE}/jobs/nightly-synthetic-retrain"),
        _plant(),
    )


def play_planned_work(script: Activity) -> None:
    """A filter that is written anew and an account that is opened for a fair, both announced: they speak against tampering."""
    weaker = "azure_cognitiveservices_safeguard_weakened"
    policy = Operation(name=f"{AI}raiPolicies/write", on=f"{OPENAI}/raiPolicies/strict")
    script.add(at("07 09:30:12"), ADMIN, policy, _plant(weaker, story=PLANNED_WORK))
    opening = account_write(publicNetworkAccess="Enabled", networkAcls={"defaultAction": "Allow"})
    script.add(at("07 09:41:00"), ADMIN, opening, _plant(weaker, story=PLANNED_WORK), at_start=True)


_NAMES: Final = (
    ("Create or Update Machine Learning Workspace Job", "Microsoft.MachineLearningServices/workspaces/sandbox"),
    ("Update Storage Account Create", "Microsoft.Storage/storageAccounts/syntheticsandbox"),
    ("Regenerate Storage Account Keys", "Microsoft.Storage/storageAccounts/syntheticsandbox"),
    ("Create Deployment", "Microsoft.Resources/deployments/synthetic"),
    ("Restart Web App", "Microsoft.Web/sites/synthetic-sandbox"),
)


def _sandbox_secrets(dice: Dice) -> list[Row]:
    """Return reads of keys in the sandbox: one that was planted, and near misses."""
    secrets, workspace = "Lists datastore secrets in Machine Learning Services Workspace(s)", f"{ML}workspaces/sandbox"
    moment = at("13 18:24:37")
    planted = _plant("azure_ai_keys_read_in_portal_csv")
    return [
        Row(time=dice.office_time(), operation=secrets, status="Failed", caller=PEOPLE[1].name, resource=workspace),
        Row(
            time=dice.office_time(), operation="List Keys", status="Succeeded", caller=ADMIN.name, resource="Microsoft.Cache/redis/sandbox"
        ),
        Row(time=moment, operation=secrets, status="Started", caller=INSIDER.name, resource=workspace),
        Row(time=later(moment, 1), operation=secrets, status="Succeeded", caller=INSIDER.name, resource=workspace, plant=planted),
    ]


def sandbox_rows() -> list[Row]:
    """Return what the portal shows of the sandbox subscription, which exports nothing: names and times, and no more."""
    dice = Dice("azure portal")
    rows = []
    for _ in range(60):
        name, resource = dice.pick(_NAMES)
        caller = dice.pick((*PEOPLE, INSIDER)).name
        moment = dice.office_time()
        rows += [Row(time=moment, operation=name, status="Started", caller=caller, resource=resource)]
        rows += [
            Row(
                time=moment + timedelta(seconds=2),
                operation=name,
                status="Failed" if dice.chance(8) else "Succeeded",
                caller=caller,
                resource=resource,
            )
        ]
    listing = "List Storage Account Keys"
    store = "Microsoft.Storage/storageAccounts/syntheticsandbox"
    rows += [Row(time=dice.office_time(), operation=listing, status="Failed", caller=PEOPLE[0].name, resource=store) for _ in range(2)]
    moment = at("13 18:31:09")
    rows += [Row(time=moment, operation=listing, status="Started", caller=INSIDER.name, resource=store)]
    rows += _sandbox_secrets(dice)
    planted = _plant("azure_storage_account_keys_read")
    return [*rows, Row(time=later(moment, 1), operation=listing, status="Succeeded", caller=INSIDER.name, resource=store, plant=planted)]
