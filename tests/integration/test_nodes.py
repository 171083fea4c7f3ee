"""A cluster of a head and two nodes: commands as jobs, MLflow over HTTP, and nodes and drivers that go away."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray._raylet import PlacementGroupID
from ray.util.placement_group import PlacementGroup

from orchestrator.cluster.leftovers import remove_groups_of_dead_actors, remove_leftovers
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.tracking import Store, connect, resolve_store
from tests.harness.counted_epochs import CountEpochs, epochs_in_files, epochs_in_mlflow
from tests.harness.fault_message import NoteMessage
from tests.integration.conftest import Ran, Shell, epochs, wait, wait_until
from tests.integration.many_nodes import ManyNodes, free_port
from tests.integration.postgres import postgres, what_is_missing
from trainables.outcome import Outcome
from trainables.trial_folder import TrialFolder

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(2400)]

Cli = Callable[..., Any]
LONG_S = 1200
MANY_EPOCHS = 40
"""So that a trial still runs when its sweep has been cut off and looked at."""
SPACE = "digits-background-weight"
PAIR = (
    "--set=data.num_train=128",
    "--set=data.num_test=32",
    "--set=model.width=4",
    "--set=evaluation.panel_images=1",
    "--set=evaluation.shift_every_epoch=false",
    "--set=resources.workers=2",
)


class Laboratory:
    """A cluster, an MLflow server in front of it, and a shell that submits to it."""

    def __init__(self, shell: Shell, cluster: ManyNodes, tracking_uri: str, database: str | None) -> None:
        self.shell = shell
        self.database = database
        """Where the server keeps its runs; None for its own sqlite file."""
        self.cluster = cluster
        self.tracking_uri = tracking_uri
        self._env = ("--env", f"CAMPAIGN_TRACKING_URI={tracking_uri}", "--env", "CAMPAIGN_STORAGE")

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Start the command as a job, and follow it."""
        return self.shell.start("submit", "--address", self.cluster.dashboard, *self._env, "--", *command)

    def submit(self, *command: str) -> Ran:
        """Run the command as a job, to its end."""
        return self._jobs("--json", *self._env, "--", *command)

    def detach(self, *command: str) -> str:
        """Start the command as a job and return the job's id."""
        ran = self._jobs("--detach", *self._env, "--", *command)
        assert ran.code == 0, ran.err
        return ran.out.strip()

    def follow(self, job_id: str) -> Ran:
        return self._jobs("--logs", job_id)

    def stop(self, job_id: str) -> Ran:
        return self._jobs("--stop", job_id, "--json")

    def status(self, job_id: str) -> dict[str, Any]:
        return self._jobs("--status", job_id, "--json").document

    def wait_until(self, condition: Callable[[], bool], job_id: str) -> None:
        """Return as soon as `condition` holds; fail when the job ends before that."""
        deadline, asked = time.monotonic() + LONG_S, time.monotonic()
        while not condition():
            if time.monotonic() - asked > 60:
                asked = time.monotonic()
                status = self.status(job_id)
                assert status["status"] in ("PENDING", "RUNNING"), self.follow(job_id)
            assert time.monotonic() < deadline, self.follow(job_id)
            time.sleep(0.05)

    @property
    def store(self) -> Store:
        return resolve_store(self.shell.storage, self.tracking_uri)

    def states(self, sweep: SweepFolder) -> set[str]:
        client = connect(self.store)
        experiment = client.get_experiment_by_name(sweep.config().campaign)
        assert experiment is not None
        query = f"tags.`campaign.sweep` = '{sweep.config().name}'"
        return {run.info.status for run in client.search_runs([experiment.experiment_id], query)}

    def _jobs(self, *arguments: str) -> Ran:
        return wait(self.shell.start("submit", "--address", self.cluster.dashboard, *arguments), LONG_S)


@contextmanager
def served(shell: Shell, *options: str) -> Iterator[str]:
    """Yield the address that `campaign tracking serve` prints, and end it as a service manager does."""
    process = shell.start("tracking", "serve", f"--port={free_port()}", *options)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("CAMPAIGN_TRACKING_URI="):
        pytest.fail(f"no server: {wait(process)}")
    family = psutil.Process(process.pid).children(recursive=True)
    try:
        yield line.strip().partition("=")[2]
    finally:
        process.send_signal(signal.SIGTERM)
        ended = wait(process, 60)
        gone, alive = psutil.wait_procs(family, timeout=20)
        assert ended.code == 0, ended.err
        assert gone
        assert alive == []


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManyNodes]:
    cluster = ManyNodes.start(tmp_path_factory.mktemp("nodes") / "log")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def laboratory(remote: Shell, cluster: ManyNodes) -> Iterator[Laboratory]:
    with ExitStack() as stack:
        database = stack.enter_context(postgres()) if what_is_missing() is None else None
        options = () if database is None else (f"--backend-store-uri={database}",)
        yield Laboratory(remote, cluster, stack.enter_context(served(remote, *options)), database)


def rows_of(sweep: SweepFolder) -> dict[str, list[dict[str, float]]]:
    return {trial_id: sweep.trial(trial_id).rows() for trial_id in sweep.trial_ids()}


@pytest.fixture
def assert_every_epoch_once(laboratory: Laboratory, count_epochs: CountEpochs) -> Callable[[SweepFolder, int], None]:
    """Return a check of files and MLflow alike: no epoch is missing, and none is there twice."""

    def check(sweep: SweepFolder, num_epochs: int) -> None:
        in_mlflow = epochs_in_mlflow(laboratory.store, sweep.config().name)
        assert sorted(in_mlflow) == sweep.trial_ids()
        count_epochs(epochs_in_files(map(sweep.trial, sweep.trial_ids())), num_epochs)
        count_epochs(in_mlflow, num_epochs)

    return check


def nodes_of_workers(cluster: ManyNodes) -> set[str]:
    """Return the nodes on which Ray Train's workers have run."""
    from ray.util.state import list_actors

    actors = list_actors(cluster.dashboard, filters=[("class_name", "=", "RayTrainWorker")], detail=True, limit=1000)
    return {actor.node_id for actor in actors if actor.node_id}


@dataclass(frozen=True)
class Moved:
    """A trial of two workers whose first node was taken away with notice, and whose next one was killed."""

    sweep: SweepFolder
    at_first: set[str]
    """The nodes on which its workers were at first."""
    nodes: set[str]
    """All nodes, at that time."""
    written: set[str]
    """The checkpoints that were written within the notice."""
    at_notice: list[dict[str, float]]
    """Its rows once a partial epoch was written, or the notice was over."""
    at_kill: list[dict[str, float]]
    ended: Ran


MOVED_EPOCHS = 40
NOTICE_S = 20.0


@pytest.fixture(scope="module")
def moved(laboratory: Laboratory) -> Moved:
    sweep, cluster = laboratory.shell.sweep("moved"), laboratory.cluster
    settings = (*PAIR, "--set=data.num_train=1024", f"--set=training.epochs={MOVED_EPOCHS}")
    job_id = left_by(signal.SIGTERM, laboratory, sweep, "sweep", SPACE, "--name=moved", "--trials=1", *settings)
    laboratory.wait_until(lambda: epochs(sweep).get("0000", 0) >= 1, job_id)
    at_first, nodes = nodes_of_workers(cluster), cluster.nodes()
    trial = sweep.trial("0000")
    assert not trial.checkpoints.partial_epoch_path.exists()
    cluster.drain(nodes[0], NOTICE_S)
    coming, written = watch_notice(cluster, trial)
    at_notice = trial.rows()
    laboratory.wait_until(lambda: coming in nodes_of_workers(cluster), job_id)
    cluster.kill(nodes[0])
    laboratory.wait_until(lambda: len(trial.rows()) > len(at_notice) + 1, job_id)
    cluster.kill(nodes[1])
    at_kill = trial.rows()
    cluster.add()
    return Moved(sweep, at_first, set(nodes), written, at_notice, at_kill, laboratory.follow(job_id))


def watch_notice(cluster: ManyNodes, trial: TrialFolder) -> tuple[str, set[str]]:
    """Add a node; return its id, and the checkpoints written since then, up to a partial epoch or the notice's end."""
    start = time.time()
    coming = cluster.add()
    written: set[str] = set()
    while "partial_epoch.pt" not in written and time.time() < start + NOTICE_S:
        written |= {
            path.name for path in (trial.state_path, trial.checkpoints.partial_epoch_path) if is_newer(path, start)
        }
        time.sleep(0.01)
    return coming, written


def is_newer(path: Path, time_s: float) -> bool:
    try:
        return path.stat().st_mtime > time_s
    except FileNotFoundError:
        return False


def test_a_trials_workers_lie_on_all_nodes(moved: Moved) -> None:
    assert moved.at_first == moved.nodes


def test_store_is_postgresql_where_it_is_installed(laboratory: Laboratory, moved: Moved) -> None:
    if laboratory.database is None:
        pytest.skip(what_is_missing() or "")
    import psycopg

    with psycopg.connect(laboratory.database) as connection:
        query = "SELECT count(*) FROM tags WHERE key = 'campaign.sweep' AND value = %s"
        ((num_runs,),) = connection.execute(query, [moved.sweep.config().name]).fetchall()
    assert num_runs == 2  # the trial's and the sweep's


@pytest.mark.fault("A node is taken away with 20 s notice in the middle of an epoch.", says=False)
def test_notice_is_time_for_a_checkpoint_and_the_trial_goes_on_elsewhere(
    moved: Moved, assert_every_epoch_once: Callable[[SweepFolder, int], None]
) -> None:
    assert "partial_epoch.pt" in moved.written  # the epoch that was under way, kept before its end
    assert len(moved.at_notice) < MOVED_EPOCHS
    assert moved.ended.code == 0, moved.ended.out
    assert moved.sweep.trial("0000").rows()[: len(moved.at_notice)] == moved.at_notice
    assert_every_epoch_once(moved.sweep, MOVED_EPOCHS)


@pytest.mark.fault("A node is killed while it trains.", says=False)
def test_trial_goes_on_from_its_last_epoch_when_a_node_is_killed(
    moved: Moved, assert_every_epoch_once: Callable[[SweepFolder, int], None]
) -> None:
    trial, kept = moved.sweep.trial("0000"), moved.at_kill
    assert len(kept) < MOVED_EPOCHS
    assert trial.outcome() == Outcome("completed", MOVED_EPOCHS)
    assert trial.rows()[: len(kept)] == kept  # none of them, with its times, was trained again
    assert_every_epoch_once(moved.sweep, MOVED_EPOCHS)


@pytest.mark.chaos
@pytest.mark.fault("The driver of a job is killed, then stopped.")
def test_ctrl_c_leaves_the_job_and_cut_off_drivers_are_resumed_with_the_same_trial(
    laboratory: Laboratory, assert_every_epoch_once: Callable[[SweepFolder, int], None], note_message: NoteMessage
) -> None:
    sweep = laboratory.shell.sweep("cut")
    command = ("sweep", SPACE, "--name=cut", "--trials=1", f"--set=training.epochs={MANY_EPOCHS}", *PAIR)
    job_id = left_by(signal.SIGINT, laboratory, sweep, *command)
    reached = sum(epochs(sweep).values())
    laboratory.wait_until(lambda: sum(epochs(sweep).values()) > reached, job_id)
    driver_of(*command).send_signal(signal.SIGKILL)
    killed = laboratory.follow(job_id)
    assert killed.code not in (0, 2)
    assert laboratory.status(job_id)["status"] == "FAILED"
    assert sweep.unfinished()
    at_kill = rows_of(sweep)

    job_id = laboratory.detach(*command)
    started = sum(epochs(sweep).values())
    laboratory.wait_until(lambda: sum(epochs(sweep).values()) > started, job_id)
    stopped = laboratory.stop(job_id)
    assert (stopped.code, stopped.document["status"]) == (0, "STOPPED")
    ended = laboratory.follow(job_id)
    assert ended.code == 130
    assert "interrupted; continue with: campaign resume cut\n" in ended.out
    note_message(line for line in ended.out.splitlines() if line.startswith("interrupted; "))
    assert laboratory.states(sweep) <= {"KILLED", "FINISHED"}
    at_stop = rows_of(sweep)

    resumed = laboratory.submit("resume", "cut")
    assert resumed.code == 0, resumed.err
    assert (resumed.document["status"], resumed.document["exit_code"]) == ("SUCCEEDED", 0)
    assert sweep.trial_ids() == ["0000"]
    for kept in (at_kill, at_stop):
        assert all(sweep.trial(trial_id).rows()[: len(rows)] == rows for trial_id, rows in kept.items())
    assert_every_epoch_once(sweep, MANY_EPOCHS)


def driver_of(*command: str) -> psutil.Process:
    """Return the process of a job's command: not the shell that started it, nor the one that submitted it."""
    found = [
        process
        for process in psutil.process_iter(["cmdline"])
        if (words := process.info["cmdline"] or [])[-len(command) :] == list(command) and "submit" not in words
    ]
    (driver,) = [process for process in found if "python" in Path(process.exe()).name]
    return driver


def left_by(number: signal.Signals, laboratory: Laboratory, sweep: SweepFolder, *command: str) -> str:
    """Submit the command, stop `submit` once the sweep has an epoch, and return the job's id as the message has it."""
    following = laboratory.start(*command)
    wait_until(lambda: any(epochs(sweep).values()), following)
    os.killpg(following.pid, number)
    ran = wait(following)
    assert ran.code == 128 + number
    assert "Traceback" not in ran.err
    job_id = ran.err.partition("--stop ")[2].split()[0]
    assert f"job {job_id} keeps running" in ran.err
    return job_id


LEAVE_A_GROUP = """
import sys

import ray

ray.init(sys.argv[1], namespace="leftovers", log_to_driver=False)

@ray.remote(num_cpus=0)
class Holder:
    def reserve(self, lifetime):
        group = ray.util.placement_group([{"driver": 0.1}], lifetime=lifetime)
        ray.get(group.ready())
        return group.id.hex()

names = [f"{sys.argv[2]}-{kind}" for kind in ("left", "detached")]
holders = [Holder.options(lifetime="detached", name=name).remote() for name in names]
print(ray.get(holders[0].reserve.remote(None)), ray.get(holders[1].reserve.remote("detached")))
"""


def leave_groups(cluster: ManyNodes, script: Path) -> list[str]:
    """Run the script to its end, and return the ids of the group that it leaves and of the detached one."""
    script.write_text(LEAVE_A_GROUP, encoding="utf-8")
    command = [sys.executable, str(script), cluster.address, script.name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()[-2:]


def test_what_an_ended_campaign_has_left_is_removed_and_nothing_else(cluster: ManyNodes, tmp_path: Path) -> None:
    """A detached actor keeps its job's group, as Ray Train's cleaner does that was killed too early."""
    left, detached = leave_groups(cluster, tmp_path / "campaign")
    others = leave_groups(cluster, tmp_path / "other")
    import ray
    from ray.util.state import list_placement_groups

    ray.init(cluster.address, namespace="leftovers", log_to_driver=False)
    try:
        assert remove_leftovers() == 1
        states = {group.placement_group_id: group.state for group in list_placement_groups(cluster.address)}
        assert [states[group] for group in (left, detached, *others)] == ["REMOVED", "CREATED", "CREATED", "CREATED"]
        for group in (detached, *others):
            ray.util.remove_placement_group(PlacementGroup(PlacementGroupID(bytes.fromhex(group))))
        for name in ("campaign-left", "campaign-detached", "other-left", "other-detached"):
            ray.kill(ray.get_actor(name))
    finally:
        ray.shutdown()


def test_what_a_killed_driver_of_workers_has_left_is_removed_within_its_job(cluster: ManyNodes) -> None:
    """As Ray Train's controller does, an actor reserves for an actor that starts it."""
    import ray
    from ray.util.state import list_placement_groups

    @ray.remote(num_cpus=0)
    class Controller:
        def reserve(self) -> str:
            group = ray.util.placement_group([{"driver": 0.1}])
            ray.get(group.ready())
            return str(group.id.hex())

    @ray.remote(num_cpus=0)
    class Driver:
        def start(self) -> str:
            self.controller = Controller.remote()
            return str(ray.get(self.controller.reserve.remote()))

    ray.init(cluster.address, log_to_driver=False)
    try:
        killed, alive, own = Driver.remote(), Driver.remote(), ray.util.placement_group([{"driver": 0.1}])
        left, used = ray.get([killed.start.remote(), alive.start.remote()])
        assert remove_groups_of_dead_actors() == 0
        ray.kill(killed)
        deadline = time.monotonic() + 60
        while not remove_groups_of_dead_actors():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        states = {group.placement_group_id: group.state for group in list_placement_groups(cluster.address)}
        assert [states[group] for group in (left, used, own.id.hex())] == ["REMOVED", "CREATED", "CREATED"]
    finally:
        ray.shutdown()


def test_database_is_refused_as_the_store_of_several_nodes(cluster: ManyNodes, remote: Shell, cli: Cli) -> None:
    at = ("--storage", remote.storage, f"--address={cluster.address}")
    ran = cli("sweep", SPACE, "--name=own-database", *at, *PAIR)
    assert ran.code == 2
    assert "several nodes can only log over HTTP; start a server" in ran.err
    assert not remote.sweep("own-database").path.exists()


def test_storage_of_one_node_alone_is_refused_by_the_node(
    laboratory: Laboratory, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What `/proc/self/cwd` is depends on the process that asks.
    monkeypatch.chdir(laboratory.shell.storage)
    ran = cli(
        "sweep",
        SPACE,
        "--storage=/proc/self/cwd/mine",
        f"--tracking-uri={laboratory.tracking_uri}",
        f"--address={laboratory.cluster.address}",
        *PAIR,
    )
    assert ran.code == 2
    assert "does not share the storage folder /proc/self/cwd/mine (FileNotFoundError" in ran.err
    assert any(f"({node_id[:8]})" in ran.err for node_id in laboratory.cluster.nodes())


def test_unknown_job_is_named(laboratory: Laboratory, cli: Cli) -> None:
    ran = cli("submit", "--address", laboratory.cluster.dashboard, "--logs", "raysubmit_absent")
    assert ran.code == 2
    assert "no job raysubmit_absent at http://127.0.0.1:" in ran.err


def test_worker_that_fits_no_node_is_refused(cluster: ManyNodes, cli: Cli) -> None:
    ran = cli("plan", SPACE, "--no-measure", f"--address={cluster.address}", "--set=resources.cpus=2")
    assert ran.code == 2
    assert "a trial needs 2 CPU, all on one node, and the nodes are 1 of 0 CPU, 2 of 1 CPU" in ran.err


def test_what_is_no_dashboard_is_said_to_be_none(laboratory: Laboratory, cli: Cli) -> None:
    ran = cli("submit", "--address", laboratory.tracking_uri, "--", "status", "moved")
    assert ran.code == 2
    assert f"{laboratory.tracking_uri} answers, but is no Ray dashboard" in ran.err


def test_wrong_token_is_refused(tmp_path: Path, cli: Cli) -> None:
    cluster = ManyNodes.start(tmp_path / "log", num_nodes=0, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="a" * 64)
    try:
        arguments = ("submit", "--address", cluster.dashboard, "--", "status", "none")
        refused = cli(*arguments)
        assert refused.code == 2
        assert "refuses the token: set RAY_AUTH_MODE=token" in refused.err
        environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 64}
        accepted = wait(start_with(Shell(tmp_path), environment, *arguments))
        assert "no sweep 'none'" in accepted.out  # the command ran, and said so
        assert accepted.code == 2
    finally:
        cluster.stop()


def start_with(shell: Shell, environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        return shell.start(*arguments)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
