"""What every command promises: an example, one clear line and exit code 2 for a user's error, and pure JSON."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from orchestrator.cli.app import app
from orchestrator.files.lock import locked
from orchestrator.files.provenance import record_provenance
from orchestrator.launch.search import TrialSampler, open_optuna_study
from orchestrator.tracking import ensure_experiment, resolve_store
from search_spaces import find_space
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.scarce import file_size_limit
from trainables.outcome import Outcome
from trainables.trial_folder import TrialFolder

Cli = Callable[..., Any]
SPACE = "digits-background-weight"
TINY = ("--set", "data.num_train=64", "--set", "data.num_test=10", "--set", "model.width=4")
SMALL = (*TINY, "--set", "training.epochs=2")


def help_of_commands(group: typer.Typer = app, path: str = "campaign") -> dict[str, str]:
    """Return the help text of every command, those of sub-commands included."""
    found = {}
    for info in group.registered_commands:
        assert info.callback is not None
        name = info.name or info.callback.__name__.replace("_", "-")
        found[f"{path} {name}"] = info.help or info.callback.__doc__ or ""
    for sub in group.registered_groups:
        assert sub.typer_instance is not None
        found |= help_of_commands(sub.typer_instance, f"{path} {sub.name or sub.typer_instance.info.name}")
    return found


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("command", help_of_commands())
def test_help_has_an_example_of_the_command(command: str, cli: Cli) -> None:
    assert f"Example: {command}" in help_of_commands()[command]
    ran = cli(*command.split()[1:], "--help")
    assert ran.code == 0
    assert command in " ".join(ran.out.split())


@pytest.mark.parametrize("command", help_of_commands())
def test_unknown_option_is_a_usage_error(command: str, cli: Cli) -> None:
    ran = cli(*command.split()[1:], "--no-such-option")
    assert ran.code == 2
    assert ran.out == ""


def test_unknown_command_is_a_usage_error(cli: Cli) -> None:
    assert cli("swep").code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sweep", "digit"), f"no space 'digit'; valid names: cifar-embedding, {SPACE}, pets-architecture, "),
        (("plan", "digit"), "no space 'digit'"),
        (("train", "digit"), "no base config 'digit'; valid names: cifar10, composed-pets, digits, "),
        (("sweep", SPACE, "--set", "optim.rate=1"), "optim.rate: unknown field (found 1)"),
        (("plan", SPACE, "--set", "optim.rate=1"), "valid fields: "),
        (("train", "digits", "--set", "optim.rate=1"), "optim.rate: unknown field"),
        (("train", "digits", "--set", "training.epochs=many"), "training.epochs: found 'many'"),
        (("train", "digits", "--set", "training.epochs"), "expected section.field=value"),
        (("train", "digits", "--set", "resources.workers=3"), "training.batch_size = 64 is no multiple of 3"),
        (("sweep", SPACE, "--set", "model.cam_stride=5"), "model.cam_stride: found 5"),
        (("sweep", "pets-species", "--asha"), "--asha compares trials by one metric"),
        (("sweep", SPACE, "--name", "a/b"), "name: found 'a/b'"),
        (("plan", SPACE, "--set", "resources.gpus=100", "--no-measure"), "needs 100 GPU where the cluster has"),
        (("resume", "absent"), "no sweep 'absent' in "),
        (("extend", "absent", "--trials", "1"), "no sweep 'absent' in "),
        (("promote", "absent", "--scale", "digits-full"), "no sweep 'absent' in "),
        (("leaderboard", "absent"), "there is none yet"),
        (("status", "absent"), "no sweep 'absent'"),
        (("report", "absent"), "no sweep 'absent'"),
        (("sync", "absent"), "no sweep or run 'absent'"),
        (("evaluate", "absent/0000"), "no run 'absent/0000'"),
        (("explain", "absent", "x.png"), "no run 'absent'"),
        (("evaluate", "0" * 32, "--set", "seed=1"), "no run '00000000000000000000000000000000'"),
    ],
)
def test_users_error_is_one_clear_line(arguments: tuple[str, ...], message: str, cli: Cli, storage: Path) -> None:
    options = () if arguments[0] == "plan" else ("--storage", storage)
    ran = cli(*arguments, *options)
    assert ran.code == 2
    assert ran.out == ""
    (error,) = ran.err.splitlines()
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.parametrize("command", ["leaderboard", "report", "sync", "resume"])
def test_tracking_in_a_plain_folder_is_refused(
    command: str, make_sweep: Callable[..., Any], cli: Cli, storage: Path
) -> None:
    make_sweep()
    ran = cli(command, "first", "--storage", storage, "--tracking-uri", "file:///tmp/mlruns")
    assert ran.code == 2
    assert "error: tracking URI 'file:///tmp/mlruns'" in ran.err


def test_sweep_that_runs_already_is_refused(make_sweep: Callable[..., Any], cli: Cli, storage: Path) -> None:
    sweep = make_sweep(space=SPACE)
    with sweep.folder.locked():
        for arguments in (("resume", "first"), ("extend", "first", "--trials", "1"), ("sync", "first")):
            ran = cli(*arguments, "--storage", storage)
            assert ran.code == 2
            assert "error: sweep first is being run by another process" in ran.err
    assert sweep.folder.config().num_trials == 4


def test_promotion_on_trial_only_shows_what_would_change(
    make_sweep: Callable[..., Any], cli: Cli, storage: Path
) -> None:
    make_sweep().complete("0000", {"val/accuracy": 0.5})
    command = ("promote", "first", "--scale", "digits-full", "--dry-run", "--storage", storage)
    ran = cli(*command, "--json")
    assert json.loads(ran.out) == {
        "sweep": "first-digits-full",
        "differences": [
            "0000  data.num_train: 4000 -> 8000",
            "0000  training.epochs: 10 -> 8",
            "0000  resources.workers: 0 -> 2",
        ],
    }
    assert cli(*command).out == ""
    assert [path.name for path in (storage / "sweeps").iterdir()] == ["first"]


def test_promotion_names_the_scales_there_are(make_sweep: Callable[..., Any], cli: Cli, storage: Path) -> None:
    make_sweep().complete("0000", {"val/accuracy": 0.5})
    ran = cli("promote", "first", "--scale", "huge", "--storage", storage)
    assert ran.code == 2
    assert "no scale 'huge'; valid names: digits-full" in ran.err


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("leaderboard", "first"), {"sweep", "experiment_id", "parent_run_id", "goals", "trials", "best"}),
        (("status", "first"), {"sweep", "is_running", "trials", "epochs_done", "epochs", "eta_s"}),
    ],
)
def test_json_is_all_of_standard_output(
    arguments: tuple[str, ...], keys: set[str], make_sweep: Callable[..., Any], cli: Cli, storage: Path
) -> None:
    sweep = make_sweep()
    sweep.complete("0000", {"val/accuracy": 0.5})
    sweep.start("0001", epochs=1, **{"train/loss": float("nan")})
    ran = cli(*arguments, "--storage", storage, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert keys <= json.loads(ran.out, parse_constant=pytest.fail).keys()


def test_commands_for_people_print_no_json(make_sweep: Callable[..., Any], cli: Cli, storage: Path) -> None:
    make_sweep().complete("0000", {"val/accuracy": 0.5})
    assert "0000" in cli("leaderboard", "first", "--storage", storage).out
    assert cli("leaderboard", "first", "--storage", storage, "--markdown").out.startswith("|")
    assert cli("status", "first", "--storage", storage).out.startswith("first: not running; trials: 1 completed")


def test_leaderboard_says_where_trials_were_chosen_on_what_is_reported(
    make_sweep: Callable[..., Any], cli: Cli, storage: Path
) -> None:
    make_sweep().complete("0000", {"val/accuracy": 0.5}, {"data.validation.source": "held_out"})
    ran = cli("leaderboard", "first", "--storage", storage, "--json")
    assert ran.code == 0
    assert ran.err.startswith(
        "sweep first: chosen on the set that is reported, since data.validation.source is held_out"
    )


def test_plan_shows_valid_points_and_launches_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = cli("plan", SPACE, *SMALL, "--trials", "3", "--json")
    plan = json.loads(ran.out)
    assert ran.code == 0
    assert (plan["num_trials"], plan["epochs"], len(plan["points"])) == (3, 2, 3)
    assert plan["points"][0]["objective.kind"] == "cross_entropy"
    assert plan["concurrent"] >= 1
    assert plan["estimated_s"] > 0
    assert list(tmp_path.iterdir()) == []


def test_plan_for_people_says_how_many_run_at_a_time(cli: Cli) -> None:
    lines = cli("plan", SPACE, *SMALL, "--trials", "7", "--concurrent", "1", "--no-measure").out.splitlines()
    assert lines[0] == f"space      {SPACE}: 7 trials of 2 epochs"
    assert lines[1] == "goals      val/worst_group_accuracy (max)"
    assert lines[2].startswith("resources  1 trial at a time: each takes 1 CPU of ")
    assert lines[3:6] == [
        "points     the first 5 of 7, all valid:",
        "  objective.kind=cross_entropy  optim.learning_rate=0.002  model.head_bias=False",
        "    model.final_norm=True  model.final_relu=True",
    ]
    assert sum(line.startswith("  objective.kind=") for line in lines) == 5
    assert max(map(len, lines)) <= 80


def test_train_in_this_process_continues_and_prints_its_metrics(cli: Cli, storage: Path) -> None:
    command = ("train", "digits", "--name", "one", "--storage", storage, *SMALL, "--json")
    first, second = cli(*command), cli(*command)
    assert (first.code, second.code) == (0, 0)
    document = json.loads(first.out)
    assert document.keys() == {"run_id", "folder", "metrics"}
    assert document["folder"] == str(storage / "runs" / "one")
    assert json.loads(second.out) == document
    start, *lines = first.err.splitlines()
    assert start == f"run one in {storage / 'runs' / 'one'}, tracked in sqlite:///{storage / 'mlflow.db'}"
    epochs = [line.split("  ")[1] for line in lines if not line.startswith(" ")]
    assert epochs == ["epoch 1/2", "epoch 2/2"]
    assert second.err.splitlines() == [start]
    other = cli(*command, "--set", "seed=1")
    assert other.code == 2
    assert "holds a trial with config hash" in other.err


def test_verbose_says_more_on_standard_error(cli: Cli, make_sweep: Callable[..., Any], storage: Path) -> None:
    make_sweep()
    assert json.loads(cli("--verbose", "status", "first", "--storage", storage, "--json").out)["sweep"] == "first"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sweep", SPACE, "--name", "x", "--set", "resources.gpus=100"), "needs 100 GPU where the cluster has"),
        (("sweep", SPACE, "--name", "x", "--set", "resources.cpus=10000"), "needs 10000 CPU where the cluster has"),
        (("sweep", "pets-species", "--set", "data.root=/absent"), "/absent"),
        (("sweep", SPACE, "--tracking-uri", "http://me:secret@127.0.0.1:9"), "MLflow store http://me:***@127.0.0.1:9"),
        (("train", "digits", "--set", "resources.gpus=100"), "needs 100 GPU where the cluster has"),
        (("train", "digits", "--set", "resources.workers=64"), "lower resources.workers = 64"),
        (("train", "pets-species", "--set", "data.root=/absent"), "/absent"),
        (
            ("sweep", SPACE, *SMALL, "--name", "a" * 300),
            "--name: found aaaaaaaaaaaaaaaaaaaa... of 300 characters; a name",
        ),
        (("train", "digits", *SMALL, "--campaign", "a b"), "--campaign: found 'a b'; expected letters, digits, dots"),
        (("train", "digits", *SMALL, "--name", "a" * 300), "of 300 characters; a name has at most 200"),
        (("study", "digits-shortcut", "--name", "a" * 300), "of 300 characters; a name has at most 200"),
        (
            ("train", "digits", *SMALL, "--set", "training.keep=best", "--set", "training.keep_metric=test/accuracy"),
            "training.keep_metric = test/accuracy is of test images, on which the trial is reported",
        ),
        (("train", "digits", "--name", "../../x"), "--name: found '../../x'; expected letters"),
        (("train", "digits", "--tracking-uri", "http://127.0.0.1:9"), "MLflow store http://127.0.0.1:9"),
    ],
)
def test_what_cannot_work_leaves_nothing_behind(
    arguments: tuple[str, ...], message: str, cli: Cli, storage: Path
) -> None:
    ran = cli(*arguments, "--storage", storage)
    assert (ran.code, ran.out) == (2, "")
    (error,) = ran.err.splitlines()
    assert message in error
    assert "secret" not in error
    assert list(storage.iterdir()) == []


@pytest.mark.parametrize("options", [(), ("--no-measure",)])
def test_plan_finds_missing_data(options: tuple[str, ...], cli: Cli) -> None:
    ran = cli("plan", "pets-species", "--set", "data.root=/absent", *options)
    assert ran.code == 2
    assert "error: " in ran.err
    assert "/absent" in ran.err


def test_promotion_that_does_not_fit_leaves_its_name_free(
    make_sweep: Callable[..., Any], cli: Cli, storage: Path
) -> None:
    make_sweep().complete("0000", {"val/accuracy": 0.5})
    ran = cli("promote", "first", "--scale", "digits-full", "--set", "resources.workers=64", "--storage", storage)
    assert ran.code == 2
    assert "lower resources.workers = 64" in ran.err
    assert [path.name for path in (storage / "sweeps").iterdir()] == ["first"]


@pytest.mark.parametrize("arguments", [("extend", "first", "--trials", "1"), ("resume", "first", "--retry-failed")])
def test_sweep_stays_as_it_was_without_its_store(
    arguments: tuple[str, ...], make_sweep: Callable[..., Any], cli: Cli, storage: Path
) -> None:
    sweep = make_sweep(space=SPACE)
    TrialSampler(sweep.folder, sweep.config, find_space(SPACE))(open_optuna_study(sweep.folder, sweep.config).ask())
    sweep.folder.trial("0000").finish("OSError: full")
    ran = cli(*arguments, "--storage", storage, "--tracking-uri", "http://127.0.0.1:9")
    assert ran.code == 2
    assert "error: MLflow store http://127.0.0.1:9" in ran.err
    assert sweep.folder.config().num_trials == 4
    assert sweep.folder.trial("0000").outcome().status == "failed"


def test_training_that_diverges_is_a_message(cli: Cli, storage: Path) -> None:
    ran = cli("train", "digits", *SMALL, "--set", "optim.learning_rate=1e30", "--storage", storage, "--json")
    assert (ran.code, ran.out) == (1, "")
    assert re.fullmatch("error: the .* loss of epoch 1 is (nan|inf): lower .*", ran.err.splitlines()[-1])
    assert "Traceback" not in ran.err


def test_run_that_is_trained_already_is_refused(cli: Cli, storage: Path) -> None:
    with locked(storage / "runs" / "one" / ".lock", "run one"):
        ran = cli("train", "digits", "--name", "one", *SMALL, "--storage", storage)
    assert ran.code == 2
    assert "error: run one is being run by another process" in ran.err


def test_evaluation_is_printed_while_mlflow_is_away(cli: Cli, storage: Path) -> None:
    assert cli("train", "digits", "--name", "one", *SMALL, "--storage", storage).code == 0
    ran = cli("evaluate", "one", "--storage", storage, "--tracking-uri", "http://127.0.0.1:9", "--json")
    assert ran.code == 0
    document = json.loads(ran.out)
    assert document["run_id"] is None
    assert document["metrics"]["test/accuracy"] >= 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("leaderboard", "first", "--storage", "{file}"),
        ("train", "digits", *SMALL, "--storage", "{file}"),
        ("report", "first", "--output", "{storage}", "--storage", "{storage}"),
    ],
)
def test_path_that_cannot_be_written_is_a_message(
    arguments: tuple[str, ...], make_sweep: Callable[..., Any], cli: Cli, storage: Path
) -> None:
    make_sweep()
    (storage / "file").write_text("")
    ran = cli(*(argument.format(file=storage / "file", storage=storage) for argument in arguments))
    assert ran.code == 2
    assert ran.err.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("command", ["status", "leaderboard", "resume", "report"])
def test_file_cut_short_is_named(
    command: str, make_sweep: Callable[..., Any], cli: Cli, storage: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = make_sweep(num_trials=2)
    for trial_id in ("0000", "0001"):
        sweep.complete(trial_id, {"val/accuracy": 0.5})
    (sweep.folder.trial("0000").path / "outcome.json").write_text('{"status": "comp')
    ran = cli(command, "first", "--storage", storage)
    assert ran.code == (2 if command == "resume" else 0)
    (line,) = [line for line in (*caplog.messages, *ran.err.splitlines()) if "outcome.json: not valid JSON" in line]
    assert line.startswith("error: " if command == "resume" else "trial 0000 is broken: ")
    shown = {"status": "1 broken, 1 completed", "leaderboard": "broken", "report": "report.html", "resume": ""}
    assert shown[command] in ran.out


@pytest.mark.fault("The disk is full while `campaign train` runs.")
def test_full_disk_names_the_file_and_ends_the_run(cli: Cli, storage: Path, count_epochs: CountEpochs) -> None:
    folder = TrialFolder(storage / "runs" / "one")
    command = ("train", "digits", "--name", "one", *SMALL, "--set", "model.width=128", "--storage", storage)
    with file_size_limit(4 * 2**20):
        ran = cli(*command)
    full = f"[Errno 27] File too large: '{folder.state_path}'"
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1] == f"error: {full}"
    assert folder.outcome() == Outcome("failed", 0, f"OSError: {full}")
    assert list(folder.checkpoints.path.iterdir()) == []
    assert [path.name for path in folder.path.glob(".*")] == [".lock"]
    assert cli(*command).code == 0
    count_epochs(epochs_in_files([folder]), 2)
    count_epochs(epochs_in_mlflow(resolve_store(storage), "one"), 2)


@pytest.mark.fault("Training needs more memory than there is.", trains=False)
def test_training_without_memory_is_a_message(cli: Cli, storage: Path) -> None:
    ran = cli("train", "digits", *SMALL, "--set", "model.width=3000000", "--storage", storage)
    assert (ran.code, ran.out) == (1, "")
    assert re.fullmatch(
        r"error: out of memory \(.*allocate.*\): lower training\.batch_size = 64, or raise .*", ran.err.splitlines()[-1]
    )
    assert "Traceback" not in ran.err


def test_storage_may_begin_with_a_tilde(
    make_sweep: Callable[..., Any], cli: Cli, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_sweep()
    monkeypatch.setenv("HOME", str(storage))
    monkeypatch.setenv("CAMPAIGN_STORAGE", "~")
    assert cli("status", "first").code == 0
    assert cli("status", "first", "--storage=~/.").code == 0


def test_report_shows_the_command_that_made_the_sweep(
    make_sweep: Callable[..., Any], cli: Cli, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["campaign", "sweep", "made-by-this"])
    record_provenance(make_sweep().folder.path)
    assert cli("report", "first", "--storage", storage).code == 0
    page = (storage / "sweeps" / "first" / "report.html").read_text(encoding="utf-8")
    assert "<code>campaign sweep made-by-this</code>" in page


def test_ui_prints_the_address_of_each_experiments_runs(
    cli: Cli, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment_id = ensure_experiment(resolve_store(storage), "first")
    served: list[list[str]] = []
    monkeypatch.setattr("os.execve", lambda _, command, __: served.append(command))
    ran = cli("ui", "--storage", storage, "--port", "5001")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.splitlines() == [
        "MLflow answers at http://127.0.0.1:5001 in a few seconds; stop it with Ctrl-C",
        f"runs of first: http://127.0.0.1:5001/#/experiments/{experiment_id}/runs",
    ]
    assert [word for word in ("--host", "127.0.0.1", "--port", "5001") if word not in served[0]] == []


FIRST_STORE = """
import sys
from pathlib import Path
from orchestrator.cli.output import log_to_stderr
from orchestrator.tracking import ensure_experiment, resolve_store
log_to_stderr(verbose=sys.argv[2] == "True")
ensure_experiment(resolve_store(Path(sys.argv[1])), "first")
"""


@pytest.mark.parametrize("verbose", [False, True])
def test_mlflow_tells_of_its_tables_only_where_more_is_asked_for(verbose: bool, storage: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_LOGGING_LEVEL"}
    command = [sys.executable, "-c", FIRST_STORE, str(storage), str(verbose)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert ("INFO" in ran.stderr) == verbose
    assert (ran.stderr == "") != verbose


def test_end_of_a_sweep_says_where_its_runs_are_and_what_failed(
    make_sweep: Callable[..., Any], cli: Cli, storage: Path
) -> None:
    sweep = make_sweep(num_trials=1)
    sweep.start("0000", epochs=1)
    sweep.folder.trial("0000").finish("OSError: full")
    ran = cli("resume", "first", "--storage", storage)
    assert ran.code == 1
    assert ran.err.splitlines() == [
        f"sweep first in {storage / 'sweeps' / 'first'}, tracked in sqlite:///{storage / 'mlflow.db'}",
        "runs in MLflow: campaign ui, then http://127.0.0.1:5000/#/experiments/1/runs",
        "1 trial failed; try again with: campaign resume first --retry-failed",
    ]
