"""How many trials fit, worked out by hand."""

import pytest

from orchestrator.cluster.capacity import capacity, driver_demand, trial_demand
from orchestrator.cluster_file.driver_resource import DRIVER, DRIVER_SHARE
from trainables.config import ConfigError, Resources

LAPTOP = {"CPU": 2.0, DRIVER: 1.0, "memory": 1e9}


@pytest.mark.parametrize(
    ("resources", "available", "concurrent"),
    [
        (Resources(), LAPTOP, 2),
        (Resources(cpus=1.5), LAPTOP, 1),
        (Resources(cpus=0.5), LAPTOP, 4),
        (Resources(cpus=0.1), {"CPU": 0.3}, 3),
        (Resources(gpus=0.25), {"CPU": 16.0, "GPU": 2.0}, 8),
        (Resources(gpus=0.3), {"CPU": 16.0, "GPU": 1.0}, 3),
        (Resources(cpus=4, gpus=0.25), {"CPU": 16.0, "GPU": 2.0}, 4),
        (Resources(workers=2), LAPTOP, 1),
        (Resources(workers=1), LAPTOP, 2),
        (Resources(workers=2, gpus=1), {"CPU": 64.0, "GPU": 8.0, DRIVER: 1.0}, 4),
        (Resources(workers=1, cpus=0.001), LAPTOP, 100),
        (Resources(workers=2), {"CPU": 4.0}, 1),
        (Resources(workers=2), {"CPU": 4.02}, 2),
    ],
)
def test_as_many_run_as_the_scarcest_resource_holds(
    resources: Resources, available: dict[str, float], concurrent: int
) -> None:
    assert capacity(resources, [available]).concurrent == concurrent


def test_limit_lowers_the_number_and_never_raises_it() -> None:
    assert capacity(Resources(), [LAPTOP], limit=1).concurrent == 1
    assert capacity(Resources(), [LAPTOP], limit=9).concurrent == 2


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("driver", [0.0, 1.0])
@pytest.mark.parametrize("cpus", [8.0, 8.05, 9.0, 64.0])
def test_drivers_of_all_concurrent_trials_leave_cpus_for_their_workers(
    workers: int, driver: float, cpus: float
) -> None:
    available = {"CPU": cpus} | ({DRIVER: driver} if driver else {})
    resources = Resources(workers=workers)
    found = capacity(resources, [available]) if workers < 8 or driver or cpus > 8 else None
    if found is None:
        with pytest.raises(ConfigError):
            capacity(resources, [available])
        return
    taken = {"CPU": found.concurrent * float(workers), DRIVER: 0.0}
    taken[next(iter(driver_demand([available])))] += found.concurrent * DRIVER_SHARE
    assert all(taken[name] <= available.get(name, 0) + 1e-9 for name in taken)


def test_driver_takes_the_driver_resource_where_there_is_one() -> None:
    assert trial_demand(Resources(workers=2, gpus=1), [{DRIVER: 1.0}]) == {"CPU": 2.0, "GPU": 2.0, DRIVER: DRIVER_SHARE}
    assert trial_demand(Resources(workers=2), [{}]) == {"CPU": 2.0 + DRIVER_SHARE}
    assert trial_demand(Resources(cpus=3, gpus=0.5), [{DRIVER: 1.0}]) == {"CPU": 3.0, "GPU": 0.5}


@pytest.mark.parametrize(
    ("resources", "available", "message"),
    [
        (Resources(cpus=4), LAPTOP, "needs 4 CPU where the cluster has 2: lower .* resources.cpus = 4 "),
        (Resources(gpus=1), LAPTOP, "needs 1 GPU where the cluster has 0: .* resources.gpus = 1,"),
        (Resources(workers=3), LAPTOP, "needs 3 CPU where the cluster has 2: lower resources.workers = 3"),
        (Resources(workers=2), {"CPU": 2.0}, "needs 2.01 CPU where the cluster has 2"),
        (Resources(cpus=4, gpus=1), {"CPU": 2.0, "GPU": 0.5}, "4 CPU .* has 2 and 1 GPU where the cluster has 0.5"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(resources: Resources, available: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        capacity(resources, [available])


def test_description_says_trials_and_shares() -> None:
    assert capacity(Resources(), [LAPTOP]).describe() == "2 trials at a time: each takes 1 CPU of 2"
    assert capacity(Resources(cpus=2), [LAPTOP]).describe() == "1 trial at a time: each takes 2 CPU of 2"


HEAD = {"CPU": 0.0, DRIVER: 1.0}
SMALL = {"CPU": 2.0}
WITH_GPU = {"CPU": 8.0, "GPU": 4.0}


@pytest.mark.parametrize(
    ("resources", "nodes", "concurrent"),
    [
        (Resources(), [HEAD, SMALL, SMALL], 4),
        (Resources(cpus=1.5), [HEAD, SMALL, SMALL], 2),
        (Resources(workers=2), [HEAD, SMALL, SMALL], 2),
        (Resources(workers=3), [HEAD, SMALL, SMALL], 1),
        (Resources(workers=4), [HEAD, SMALL, SMALL], 1),
        (Resources(workers=2, cpus=1.5), [HEAD, SMALL, SMALL, SMALL], 1),
        (Resources(workers=2, cpus=3, gpus=1), [HEAD, WITH_GPU, SMALL], 1),
        (Resources(workers=2, cpus=2, gpus=1), [HEAD, WITH_GPU, WITH_GPU], 4),
        (Resources(gpus=0.5), [HEAD, WITH_GPU, SMALL], 8),
        # Without the driver resource: workers of 1.5 leave half a CPU on each node for drivers,
        (Resources(workers=2, cpus=1.5), [SMALL, SMALL], 1),
        # workers of 1 leave none, and drivers replace one of the four,
        (Resources(workers=2), [SMALL, SMALL], 1),
        (Resources(workers=1), [SMALL, SMALL], 3),
        # and a node for the drivers alone is enough.
        (Resources(workers=2), [SMALL, SMALL, {"CPU": 0.02}], 2),
    ],
)
def test_trials_are_counted_node_by_node(resources: Resources, nodes: list[dict[str, float]], concurrent: int) -> None:
    assert capacity(resources, nodes).concurrent == concurrent


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (
            Resources(cpus=4),
            "4 CPU, all on one node, and the nodes are 1 of 0 CPU, 2 of 2 CPU, 1 of 2 CPU and 4 GPU",
        ),
        (Resources(workers=2, cpus=2.5), "needs 2 workers of 2.5 CPU, each on one node, and the nodes are 1 of 0 CPU"),
        (Resources(cpus=2, gpus=8), "needs 8 GPU where the cluster has 4: "),
    ],
)
def test_what_fits_the_sum_and_no_node_is_refused(resources: Resources, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        capacity(resources, [HEAD, SMALL, SMALL, {"CPU": 2.0, "GPU": 4.0}])


def test_limit_says_how_far_a_cluster_grows() -> None:
    found = capacity(Resources(workers=2), [HEAD, SMALL], limit=3, grows=True)
    assert (found.concurrent, found.fitting) == (3, 1)
    assert found.describe().endswith("on 2 nodes; on the present nodes: 1")
    assert capacity(Resources(), [HEAD], limit=2, grows=True).concurrent == 2
    assert capacity(Resources(), [HEAD, SMALL], limit=1, grows=True).concurrent == 1
    assert capacity(Resources(), [HEAD, SMALL], grows=True).concurrent == 2


def test_drivers_that_take_cpus_do_not_wait_for_nodes() -> None:
    assert capacity(Resources(workers=1), [SMALL], limit=9, grows=True).concurrent == 1
    with pytest.raises(
        ConfigError,
        match=r"a cluster that adds nodes does so for --concurrent trials; .* the resource `driver`",
    ):
        capacity(Resources(workers=3), [SMALL], limit=9, grows=True)


def test_description_counts_the_nodes() -> None:
    found = capacity(Resources(workers=2), [HEAD, SMALL, SMALL])
    assert found.describe() == "2 trials at a time: each takes 2 CPU of 4, 0.01 driver of 1 on 3 nodes"
