"""`campaign --help` imports nothing heavy; how long it takes is `make bench`'s to say."""

import json
import subprocess
import sys

import pytest

HEAVY = ("mlflow", "optuna", "pandas", "plotly", "ray", "torch", "torchvision")
PROBE = """
import json, sys
sys.argv = ["campaign", *sys.argv[1:]]
from orchestrator.cli.app import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [("--help",), ("sweep", "--help")])
def test_help_is_light(arguments: tuple[str, ...]) -> None:
    run = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True)
    assert "Usage: campaign" in run.stdout
    modules = json.loads(run.stderr.splitlines()[-1])
    assert [name for name in HEAVY if name in modules] == []
