"""Run what docs/results.md shows, keep the results as JSON, and write the page from those files.

python -m benchmarks.results sweep digits-background-weight --trials 8
python -m benchmarks.results sweep pets-species --data-root ../shared/data
python -m benchmarks.results study digits-shortcut
python -m benchmarks.results study digits-shortcut --as weak-shortcut --set data.correlation=0.9
python -m benchmarks.results cost digits-shortcut
python -m benchmarks.results evaluation CROSS_ENTROPY_RUN CONTRASTIVE_RUN --data-root ../shared/data
python -m benchmarks.results page
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import evaluation, study_section, sweep_section
from benchmarks.arm_cost import step_ratios
from benchmarks.mask_curve import mask_table
from benchmarks.protocol import EARLIER, is_earlier
from orchestrator.files.provenance import collect_provenance
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.results.formatting import objective_group
from orchestrator.results.trial_rows import row_of
from trainables.config import supervision
from trainables.metric_names import current_metric, with_current_metrics
from trainables.trial_folder import TrialFolder

HERE = Path(__file__).parent
RESULTS = HERE / "results"
EARLIER_RESULTS = RESULTS / "earlier"
"""What is shown until it is run anew, and then compared with."""
PAGE = HERE.parent / "docs" / "results.md"
SECTIONS = {"sweep": sweep_section.section, "study": study_section.section, "evaluation": evaluation.section}
"""Beginning of a file's name -> what makes its section, in the order of the page."""
MASKS = "-masks"
"""Ends the name of a study with shares of the masks, whose arms have all of them in the study without it."""
CHANGES = {"sweep": sweep_section.changes, "study": study_section.changes}
HEAD = """# Results

`python -m benchmarks.results page` writes this page from the files in `benchmarks/results`. Each section has the
command that runs it again. `../shared/data` stands for a folder with the real images, each data set in its own layout.
It is not part of the repository. Its images are a cut: Oxford-IIIT Pet has the first six breeds, with 410 training and
178 test images. Dogs vs Cats has 1007 images. The shorter side of all is 160 px at most. Other images give other
numbers.

[evaluation.md](evaluation.md) defines the metrics, and [objectives.md](objectives.md) what arms are trained with.
[data.md](data.md#compose-a-data-set) has the shifted sets of composed images, and [studies.md](studies.md) intervals
and stars.

Trials are chosen on validation images and reported on test images. A section of the earlier protocol says so in its
first line. It stays until it is run anew, and is then compared with."""


class Campaign:
    """The command `campaign` on one storage folder."""

    def __init__(self, storage: Path, data_root: str | None, settings: Sequence[str] = ()) -> None:
        self.storage = storage
        self.data_root = data_root
        self.roots = [] if data_root is None else ["--set", f"data.root={data_root}"]
        self.settings = [word for setting in settings for word in ("--set", setting)]

    def run(self, *arguments: str) -> Any:
        """Run a command and return its JSON document."""
        program = Path(sys.executable).with_name("campaign")
        command = [str(program), *arguments, "--storage", str(self.storage), "--json"]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)

    def trial(self, sweep: str, trial_id: str) -> TrialFolder:
        """Return the folder of a trial."""
        return SweepFolder.find(self.storage, sweep).trial(trial_id)


def search(campaign: Campaign, space: str, seed: int, options: Sequence[str]) -> dict[str, Any]:
    """Run a sweep, or continue it, measure the trials that are shown on the test images, and return its document."""
    command = ["sweep", space, *options, *campaign.roots, "--seed", str(seed), "--set", f"seed={seed}"]
    found = campaign.run(*command)
    shown = dict.fromkeys(trial["trial_id"] for trial in sweep_section.chosen(found).values())
    campaign.run("evaluate", *(f"{found['sweep']}/{trial_id}" for trial_id in shown))
    return {"command": shlex.join(["campaign", *command]), **campaign.run("leaderboard", found["sweep"])}


def sweep(campaign: Campaign, space: str, seeds: Sequence[int], trials: int | None) -> dict[str, Any]:
    """Search a space once a seed, and return the results without the ids and paths of this machine."""
    options = [] if trials is None else ["--trials", str(trials)]
    sweeps = [search(campaign, space, seed, options) for seed in seeds]
    runs = {
        objective_group(trial): campaign.trial(found["sweep"], trial["trial_id"])
        for found in sweeps
        for trial in sweep_section.chosen(found).values()
    }
    for found in sweeps:
        for trial in found["trials"]:
            trial["config"] = {key: value for key, value in trial["config"].items() if not key.endswith("root")}
            trial["run_id"] = None
        found["best"] = [trial["trial_id"] for trial in found["best"]]
        found["experiment_id"] = found["parent_run_id"] = None
    own = ["python", "-m", "benchmarks.results", "sweep", space, *options, "--seeds", ",".join(map(str, seeds))]
    roots = [] if campaign.data_root is None else ["--data-root", campaign.data_root]
    return {"command": shlex.join([*own, *roots]), "sweeps": sweeps, **facts(runs)}


def study(campaign: Campaign, name: str, seeds: Sequence[int], options: Sequence[str] = ()) -> dict[str, Any]:
    """Run a study, or continue it, and return its result."""
    command = ["study", name, *options, "--seeds", ",".join(map(str, seeds)), *campaign.roots, *campaign.settings]
    found = campaign.run(*command)["study"]
    arms = {arm["arm"]: arm["trials"][0]["trial_id"] for arm in found["arms"]}
    runs = {arm: campaign.trial(found["sweep"], trial_id) for arm, trial_id in arms.items()}
    return {"command": shlex.join(["campaign", *command]), "study": found, **facts(runs)}


def cost(campaign: Campaign, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a study's stored result with what a training step of each arm costs on this machine, which is quiet."""
    found = result["study"]
    configs = {
        arm["arm"]: campaign.trial(found["sweep"], arm["trials"][0]["trial_id"]).config() for arm in found["arms"]
    }
    return {**result, "step_ratios": step_ratios(configs, found["reference"])}


def facts(runs: Mapping[str, TrialFolder]) -> dict[str, Any]:
    """Return which trainings use masks, and on how many images each accuracy is measured."""
    row = row_of(next(iter(runs.values())), "", run_id=None, outcome=None)
    given = {name: supervision(folder.config()) for name, folder in runs.items()}
    return {
        "uses_masks": {name: "masks" in uses for name, uses in given.items()},
        "uses_groups": {name: "groups" in uses for name, uses in given.items()},
        "num_images": {metric: number for metric, number in row["num_images"].items() if metric.endswith("/accuracy")},
    }


def write(name: str, result: Mapping[str, Any]) -> None:
    """Write a result to its file, with the versions and the machine that made it."""
    tags = collect_provenance().tags
    made = {key.removeprefix("campaign."): value for key, value in tags.items() if key != "campaign.command"}
    (RESULTS / f"{name}.json").write_text(json.dumps({"made": made, **result}, indent=1) + "\n")


def read(path: Path) -> dict[str, Any]:
    """Return the result in a file, with the metrics of earlier versions under the names of today."""
    found: dict[str, Any] = json.loads(path.read_text(), object_pairs_hook=_renamed)
    return found


def _renamed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = with_current_metrics(dict(pairs))
    return {key: current_metric(value) if key == "metric" else value for key, value in named.items()}


def page() -> str:
    """Return docs/results.md, made from the files; a result of today takes the place of an earlier one."""
    names = {path.stem for folder in (RESULTS, EARLIER_RESULTS) for path in folder.glob("*.json")}
    kinds = list(SECTIONS)
    order = sorted(names, key=lambda name: (kinds.index(kind_of(name)), name))
    return "\n\n".join([HEAD, *map(stored_section, order)]) + "\n"


def kind_of(name: str) -> str:
    return name.partition("-")[0]


def stored_section(name: str) -> str:
    """Return the section of a result by its file's name, with remarks on it, and those on any result of that name."""
    path, before = RESULTS / f"{name}.json", EARLIER_RESULTS / f"{name}.json"
    if not path.exists():
        path, before = before, path
    remarks = dict.fromkeys((RESULTS / f"{name}.md", path.with_suffix(".md")))
    result, whole = read(path), RESULTS / f"{name.removesuffix(MASKS)}.json"
    curve = [mask_table(result, read(whole))] if name.endswith(MASKS) else []
    return section(
        kind_of(name),
        result,
        before=read(before) if before.exists() else None,
        remarks=curve + [remark.read_text() for remark in remarks if remark.exists()],
    )


def section(kind: str, result: Mapping[str, Any], *, before: Mapping[str, Any] | None, remarks: Sequence[str]) -> str:
    """Return a result's section, with the protocol of an earlier one, or what has changed since."""
    title, _, body = SECTIONS[kind](result).partition("\n\n")
    protocol = EARLIER if is_earlier(result) else ""
    changed = CHANGES[kind](before, result) if before is not None and kind in CHANGES else ""
    parts = [title, protocol, body, changed, *map(str.strip, remarks), made_line(result)]
    return "\n\n".join(filter(None, parts))


def made_line(result: Mapping[str, Any]) -> str:
    """Say with which versions and on which machine a result was made."""
    made = result["made"]
    versions = ", ".join(
        f"{key.removeprefix('version.')} {value}" for key, value in made.items() if key.startswith("version.")
    )
    hardware = ", ".join(f"{key.removeprefix('hardware.')} {value}" for key, value in made.items() if "hardware" in key)
    return f"Made with {versions}. Machine: {hardware}."


def parse() -> argparse.Namespace:
    """Read the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data-root", help="folder of the images")
    common.add_argument("--storage", type=Path, default=Path("campaign-data"), help="where the runs lie")
    seeds = argparse.ArgumentParser(add_help=False)
    seeds.add_argument("--seeds", type=_numbers, default=(0, 1, 2), help="joined by commas")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    sweep_parser = commands.add_parser("sweep", parents=[common, seeds], help="search a space once a seed")
    sweep_parser.add_argument("name", metavar="SPACE")
    sweep_parser.add_argument("--trials", type=int, help="instead of the space's own number")
    study_parser = commands.add_parser("study", parents=[common, seeds], help="run a study")
    study_parser.add_argument("name", metavar="STUDY")
    study_parser.add_argument("--as", dest="title", help="its name on the page, where the study is there twice")
    study_parser.add_argument("--arms", help="some of the arms, joined by commas")
    study_parser.add_argument("--reference", help="the arm that the others are compared with")
    study_parser.add_argument("--set", action="append", default=[], dest="settings", metavar="FIELD=VALUE")
    cost_parser = commands.add_parser("cost", parents=[common], help="time the steps of a study that has run")
    cost_parser.add_argument("name", metavar="STUDY")
    runs = commands.add_parser("evaluation", parents=[common], help="evaluate two runs by the whole suite")
    runs.add_argument("runs", nargs=2, metavar="RUN")
    commands.add_parser("page", help="write the page alone")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def main() -> None:
    arguments = parse()
    match arguments.command:
        case "sweep":
            campaign = Campaign(arguments.storage, arguments.data_root)
            found = sweep(campaign, arguments.name, arguments.seeds, arguments.trials)
            write(f"sweep-{Path(arguments.name).stem}", found)
        case "study":
            campaign = Campaign(arguments.storage, arguments.data_root, arguments.settings)
            given = {"--reference": arguments.reference, "--arms": arguments.arms}
            options = [word for option, value in given.items() if value is not None for word in (option, value)]
            title = arguments.title or Path(arguments.name).stem
            found = study(campaign, arguments.name, arguments.seeds, options)
            write(f"study-{title}", {"title": title, **found})
        case "cost":
            path = RESULTS / f"study-{Path(arguments.name).stem}.json"
            with_cost = cost(Campaign(arguments.storage, arguments.data_root), read(path))
            path.write_text(json.dumps(with_cost, indent=1) + "\n")
        case "evaluation":
            write("evaluation", evaluation.measure(arguments.runs, arguments.storage, arguments.data_root))
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
