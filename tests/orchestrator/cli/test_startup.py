"""`campaign --help` answers at once."""

import json
import subprocess
import sys

import pytest

CPU_S = 0.5
HEAVY = ("mlflow", "optuna", "pandas", "plotly", "ray", "torch", "torchvision")
PROBE = """
import json, resource, sys
sys.argv = ["campaign", *sys.argv[1:]]
from orchestrator.cli.app import main
try:
    main()
except SystemExit:
    pass
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [("--help",), ("sweep", "--help")])
def test_help_is_light(arguments: tuple[str, ...]) -> None:
    runs = [
        subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    assert all("Usage: campaign" in run.stdout for run in runs)
    found = [json.loads(run.stderr.splitlines()[-1]) for run in runs]
    assert [name for name in HEAVY if name in found[0]["modules"]] == []
    assert min(run["cpu_s"] for run in found) <= CPU_S
