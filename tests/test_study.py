"""Simulation studies: the same numbers everywhere, kept in a file, true to closed forms."""

import ast
import inspect
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import glmmtools as gt
from glmmtools.inference import replicates
from glmmtools.inference.refit import refit
from glmmtools.studies.options import StudyOptions
from glmmtools.studies.plan import plan_study
from tests.slow import some_slow

LAYOUT = gt.designs.repeated(8, times=range(3), treatments=["old", "new"], time="day")
FORMULA = "count ~ treatment + day + (1 | subject)"
TRUTH = {"coef": {"Intercept": 1.0, "treatment[T.new]": 0.6, "day": 0.1}, "sd": 0.4}
GRID = {"along": "subject", "sizes": [6, 12]}


def counts(study=gt.power, n=30, **options):
    options = {"terms": ["treatment[T.new]", "day"], **GRID, "n": n, **options}
    return study(FORMULA, LAYOUT, "poisson", **TRUTH, **options)


def same(one, other):
    pd.testing.assert_frame_equal(one.replicates, other.replicates, check_exact=True)
    pd.testing.assert_frame_equal(one.frame, other.frame, check_exact=True)


def frames_of(formula, layout, along=None, within=None, sizes=None, **truth):
    """The frames that a study simulates on, by size."""
    options = StudyOptions(truth=truth, along=along, within=within, sizes=sizes)
    plan = plan_study(formula, layout, "normal", options)
    return [each.problem.design.frame for each in plan.sources]


# ------------------------------------------------------------------------------ everywhere the same


def test_two_processes_give_the_numbers_of_one():
    same(counts(n_jobs=1), counts(n_jobs=2))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_dask_cluster_of_two_workers_gives_the_numbers_of_one_process():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(host="127.0.0.1", **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        before = client.run(lambda: __import__("os").getpid())
        assert len(set(before.values())) == 2
        with joblib.parallel_config(backend="dask"):
            found = counts()
        done = client.run(lambda dask_worker: dask_worker.state.executed_count)
    assert all(each > 0 for each in done.values())
    same(found, counts())


def test_the_first_replicates_of_a_longer_run_are_those_of_a_shorter_one():
    short, long = counts(n=5), counts(n=8)
    pd.testing.assert_frame_equal(short.replicates, long.replicates[:10], check_exact=True)
    assert not counts(n=5, seed=1).replicates.equals(short.replicates)


# ------------------------------------------------------------------------------ the file


def test_a_stopped_study_goes_on_from_its_file_to_the_same_numbers(tmp_path, monkeypatch):
    path = tmp_path / "study.csv"
    monkeypatch.setattr(replicates, "_BATCH", 10)
    monkeypatch.setattr(replicates, "_CHUNK", 2)
    whole = counts(n=8)
    calls = iter(range(1000))

    def interrupted(model, y):
        if next(calls) == 13:
            raise KeyboardInterrupt
        return refit(model, y)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(replicates, "refit", interrupted)
        counts(n=8, path=path)
    assert len(path.read_text().splitlines()) == 12  # whose it is, names, a batch of 10 fits
    same(counts(n=8, path=path), whole)
    before = path.stat().st_mtime_ns
    same(counts(n=8, path=path, alpha=0.05), whole)
    assert path.stat().st_mtime_ns == before  # read, not run again
    same(counts(n=9, path=path), counts(n=9))  # a longer study appends


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seed": 1}, "holds another power study: its seed is 0, not 1; give another path"),
        ({"sizes": [6, 24]}, r"its sizes is .*12.*, not .*24"),
        ({"terms": ["day"]}, "holds other statistics"),
        ({"analysis": {"formula": "count ~ treatment + day"}}, "its analysis is 'count ~ treatm"),
        ({"study": gt.coverage}, "its kind is 'power study', not 'coverage study'"),
    ],
)
def test_a_file_of_another_study_is_refused(change, sentence, tmp_path):
    path = tmp_path / "study.csv"
    counts(n=1, path=path)
    with pytest.raises(ValueError, match=sentence):
        counts(n=1, path=path, **change)


def test_a_file_that_is_no_study_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="is not the file of a simulation run"):
        counts(n=1, path=path)
    assert path.read_text() == "a,b\n1,2\n"


def test_the_bar_is_on_stderr_and_a_switch_silences_it(capsys, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "0")
    counts(n=2)
    shown = capsys.readouterr()
    assert "power study [########################] 4 of 4" in shown.err and shown.out == ""
    monkeypatch.setenv("TQDM_DISABLE", "1")
    counts(n=2)
    assert capsys.readouterr().err == ""


def test_in_a_notebook_the_bar_is_a_plain_line_and_a_stored_study_says_nothing(
    capsys, monkeypatch, tmp_path
):
    notebook = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setenv("TQDM_DISABLE", "0")
    path = tmp_path / "study.csv"
    counts(n=2, path=path)
    shown = capsys.readouterr()
    assert "power study [########################] 4 of 4" in shown.out and shown.err == ""
    counts(n=2, path=path)
    assert tuple(capsys.readouterr()) == ("", "")


# ------------------------------------------------------------------------------ the numbers


@pytest.mark.parametrize("size", some_slow([16, 40], lambda size: size > 16))
def test_the_power_of_a_two_group_trial_is_that_of_the_noncentral_t(size):
    layout = gt.designs.crd(["A", "B"], replicates=5)
    study = gt.power(
        "y ~ treatment", layout, coef=[10, 1.5], phi=4.0, along="plot", sizes=[size], n=1000
    )
    row = study.frame.iloc[0]
    df, shift = size - 2, 1.5 / (2.0 * np.sqrt(4 / size))
    critical = stats.t.ppf(0.975, df)
    exact = stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)
    assert abs(row["power"] - exact) < 3 * np.sqrt(exact * (1 - exact) / 1000)
    assert row["conf_low"] < row["power"] < row["conf_high"]


@pytest.mark.slow
def test_t_intervals_of_a_balanced_block_trial_cover_as_often_as_they_say():
    layout = gt.designs.rcbd(["A", "B", "C"], blocks=8)
    study = gt.coverage(
        "y ~ treatment + (1 | block)", layout, coef=[5, 1, 0], sd=2.0, n=400,
        terms=["treatment[T.B]", "treatment[T.C]"], analysis={"reml": True},
    )  # fmt: skip
    assert study.frame["coverage"].between(0.95 - 3 * 0.0109, 0.95 + 3 * 0.0109).all()


@pytest.mark.slow
def test_wald_intervals_of_a_poisson_glmm_with_many_groups_cover_as_often_as_they_say():
    layout = gt.designs.repeated(120, range(4), ["old", "new"], time="day")
    study = gt.coverage(FORMULA, layout, "poisson", **TRUTH, n=1000, n_jobs=2)
    assert study.n_failed == 0
    assert study.frame["coverage"].between(0.95 - 3 * 0.0069, 0.95 + 3 * 0.0069).all()


def test_recovery_finds_no_bias_in_least_squares_and_the_right_standard_error():
    layout = gt.designs.crd(["A", "B"], replicates=10)
    frame = gt.recovery_study("y ~ treatment", layout, coef=[10, 2], phi=4.0, n=400).frame
    row = frame.set_index("effect").loc["treatment[T.B]"]
    exact = 2 * np.sqrt(2 / 10)
    assert row["conf_high"] - row["bias"] == pytest.approx(1.96 * exact / np.sqrt(400), rel=0.1)
    assert abs(row["bias"]) < 3 * exact / np.sqrt(400)
    assert abs(row["sd"] - exact) < 3 * row["sd_error"]
    assert row["mean_std_error"] == pytest.approx(exact, rel=0.03)


def test_profile_intervals_cover_variances_too():
    layout = gt.designs.rcbd(["A", "B"], blocks=6, replicates=2)
    study = gt.coverage(
        "y ~ treatment + (1 | block)", layout, coef=[5, 1], sd=1.0, n=5, method="profile"
    )
    assert list(study.frame["effect"]) == [
        "Intercept", "treatment[T.B]", "sd block Intercept", "residual sd"
    ]  # fmt: skip


def test_the_wrong_analysis_finds_effects_that_are_not_there():
    layout = gt.designs.nested({"pen": 8, "pig": 6}, ["A", "B"], "pen")
    truth = {"coef": [10, 0], "sd": 2.0, "phi": 1.0, "n": 100, "terms": "treatment[T.B]"}
    formula = "y ~ treatment + (1 | pen)"
    right = gt.power(formula, layout, **truth, analysis={"reml": True})
    wrong = gt.power(formula, layout, **truth, analysis={"formula": "y ~ treatment"})
    assert right.frame["power"].item() < 0.15 and wrong.frame["power"].item() > 0.4


def test_a_fitted_model_gives_its_truth_and_single_effects_can_be_replaced():
    data = gt.load_data("herds")
    m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", data, "binomial")
    study = gt.recovery_study(m, n=2, coef={"period[T.2]": -0.5})
    true = study.true
    assert true["period[T.2]"] == -0.5 and true["period[T.3]"] == m.params["period[T.3]"]
    assert true["sd herd Intercept"] == pytest.approx(m.variance_components["sd"].item())
    drawn = gt.power(m, n=3, along="herd", sizes=[30], terms=["period", "period[T.4]"])
    assert list(drawn.frame["effect"]) == ["period", "period[T.4]"]


@pytest.mark.parametrize(
    ("formula", "family", "truth"),
    [
        ("y ~ treatment", "poisson", {"coef": [1, 0.5]}),
        ("prop(y, n) ~ treatment + (1 | subject)", "binomial", {"sd": 0.5, "trials": 8}),
        ("y ~ treatment + (day | subject)", "normal", {"sd": {"subject": [1, 0.3]}, "corr": 0.3}),
        ("y ~ treatment + ar1(day | subject)", "normal", {"sd": 1.0, "rho": 0.5, "phi": 0.2}),
        ("y ~ treatment + (1 | subject)", "negative_binomial",
         {"coef": [2, 0.3], "sd": 0.3, "phi": 0.5, "zero": 0.2}),
        ("y ~ treatment + (1 | subject)", "t", {"sd": 1.0, "phi": 0.5, "df": 5}),
    ],
)  # fmt: skip
def test_every_kind_of_model_can_be_studied(formula, family, truth):
    study = gt.recovery_study(
        formula, LAYOUT, family, along="subject", within="day",
        sizes={"subject": [20], "day": [4]}, n=3, **truth,
    )  # fmt: skip
    assert study.n_failed < 3
    assert study.frame["true"].notna().all()


# ------------------------------------------------------------------------------ failures


def test_failures_count_as_trials_that_found_nothing_and_singular_fits_are_counted():
    """Eight subjects with rare events: no event in a group, or no variance between subjects."""
    study = gt.power(
        "prop(y, n) ~ treatment + (1 | subject)", LAYOUT, "binomial", trials=1, n=60,
        coef=[-2.5, 0], sd=0.5,
    )  # fmt: skip
    row = study.frame.iloc[0]
    failed = study.replicates["failure"] != ""
    assert 0 < study.n_failed == failed.sum() == row["n_failed"] < 60
    assert 0 < study.n_singular == row["n_singular"]
    assert row["n"] == len(study.replicates) == 60
    found = (study.replicates["treatment[T.new]"] < 0.05).sum()
    assert row["power"] == found / 60
    assert f"60 fits, {study.n_failed} failed, {study.n_singular} singular" in repr(study)
    assert study.replicates.loc[failed, "treatment[T.new]"].isna().all()


# ------------------------------------------------------------------------------ sizes


SWINE = gt.designs.repeated(
    gt.designs.nested({"room": 4, "pen": 4, "pig": 3}, ["A", "B"], "pen"), range(5), time="day"
)
SWINE_FORMULA = "y ~ treatment + day + (1 | room) + (1 | pen) + (1 | pig)"
SWINE_TRUTH = {"sd": {"room": 1, "pen": 1, "pig": 1}}


@pytest.mark.parametrize("size", [6, 8, 16, 20, 32])
def test_more_units_keep_the_treatments_balanced_and_bring_their_own_subunits(size):
    (frame,) = frames_of(SWINE_FORMULA, SWINE, "pen", None, [size], **SWINE_TRUTH)
    by_pen = frame.drop_duplicates("pen")
    assert len(by_pen) == size and set(by_pen["treatment"].value_counts()) == {size // 2}
    assert frame["pig"].nunique() == 3 * size and len(frame) == 15 * size
    assert (frame.groupby("pig", observed=True)["pen"].nunique() == 1).all()
    assert frame["room"].nunique() <= 4


@pytest.mark.parametrize("mark", ["", " ", ".", ":", ",", "|", "~~", "\x1f"])
def test_combinations_are_told_apart_by_their_labels_whatever_these_hold(mark):
    """One text for both labels would make one of (a, b·c) and (a·b, c), joined by any mark."""
    dose, place = ["a", f"a{mark}b"], [f"b{mark}c", "c"]
    layout = pd.DataFrame(
        [(d, p) for d in dose for p in place for _ in range(4)], columns=["dose", "place"]
    ).assign(plot=[f"plot {i}" for i in range(16)])
    (frame,) = frames_of("y ~ dose + place", layout, "plot", None, [4])
    assert len(frame[["dose", "place"]].drop_duplicates()) == 4


def test_no_module_marks_labels_with_a_nul_character():
    """The hash table of pandas 2 reads a text to its first NUL: what follows is lost."""
    root = Path(gt.__file__).parent
    texts = [
        (path.relative_to(root).as_posix(), node.lineno)
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\0" in node.value
    ]
    assert texts == []


@pytest.mark.parametrize("size", [6, 9, 15, 40])
def test_plots_of_a_field_are_taken_by_treatment_not_by_place(size):
    layout = gt.designs.crd({"variety": ["A", "B", "C"]}, replicates=4, seed=3)
    (frame,) = frames_of("y ~ variety", layout, "plot", None, [size])
    counts_of = frame["variety"].value_counts()
    assert len(frame) == frame["plot"].nunique() == size
    assert counts_of.max() - counts_of.min() <= (size % 3 > 0)


def test_offsets_trials_weights_zeros_and_dispersions_follow_their_rows():
    rng = np.random.default_rng(1)
    data = LAYOUT.assign(time=rng.uniform(1, 5, len(LAYOUT)))
    y = gt.simulate(
        "y ~ treatment + offset(log(time)) + (1 | subject)", data, "negative_binomial",
        coef=[1, 0.3], sd=0.3, phi=0.2,
    )  # fmt: skip
    extra = np.log(np.arange(1, len(data) + 1))
    with gt.printed_warnings():
        m = gt.fit(
            "y ~ treatment + offset(log(time)) + (1 | subject)", y, "negative_binomial",
            offset=extra, zero_inflation="~ treatment", dispersion_formula="~ day",
        )  # fmt: skip
    plan = plan_study(m, None, None, StudyOptions(truth={}, along="subject", sizes=[16]))
    problem = plan.sources[0].problem
    frame = problem.design.frame
    totals = np.log(data["time"]) + extra
    row_of = {(t, round(o, 9)) for t, o in zip(data["time"], totals, strict=True)}
    drawn = {(t, round(o, 9)) for t, o in zip(frame["time"], problem.design.offset, strict=True)}
    assert drawn == row_of and len(frame) == 2 * len(data)
    np.testing.assert_array_equal(problem.dispersion.X[:, 1], frame["day"])
    np.testing.assert_array_equal(problem.zero.X[:, 1], frame["treatment"] == "new")


def test_more_rows_within_units_go_on_in_the_steps_of_the_column():
    grid = frames_of(
        SWINE_FORMULA, SWINE, "pig", "day", {"pig": [24, 96], "day": [3, 7]}, **SWINE_TRUTH
    )
    assert [len(each) for each in grid] == [72, 168, 288, 672]
    assert sorted(grid[1]["day"].unique()) == [0, 1, 2, 3, 4, 5, 6]
    assert [each["pig"].nunique() for each in grid] == [24, 24, 96, 96]


def test_the_layout_itself_is_one_of_its_sizes():
    (frame,) = frames_of(SWINE_FORMULA, SWINE, "pen", None, [16], **SWINE_TRUTH)
    columns = ["room", "pen", "pig", "day", "treatment"]
    ordered = [each[columns].astype(str).sort_values(columns).to_numpy() for each in (frame, SWINE)]
    assert (ordered[0] == ordered[1]).all()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"along": "pigs", "sizes": [9]}, r"along='pigs' is no column .*did you mean 'pig'"),
        ({"along": "treatment", "sizes": [9]}, "coefficients in the fixed part.*units: room, pen"),
        ({"within": "treatment", "sizes": [9]}, "coefficients in the fixed part"),
        ({"along": "pen", "within": "room", "sizes": {"pen": [9], "room": [2]}}, "does not vary"),
        ({"along": "pen"}, r"give the numbers of pen to study, as sizes="),
        ({"sizes": [9]}, "sizes= needs the column that they count"),
        ({"along": "pen", "within": "day", "sizes": [9]}, r"sizes=\{'pen': \[10, 20\], 'day'"),
        ({"along": "pen", "sizes": {"pens": [9]}}, r"sizes names 'pens' \(did you mean 'pen'"),
        ({"along": "pen", "sizes": [8, 8]}, r"must be distinct, and one at least; got \[8, 8\]"),
        ({"along": "pen", "sizes": [8.5]}, "whole numbers, 1 or more; got 8.5"),
        ({"along": "pen", "sizes": [1]}, "with 1 of pen: .*'room' has one level only"),
        ({"terms": "treat"}, "terms names 'treat', which .*did you mean 'treatment'"),
        ({"alpha": 5}, r"alpha must lie strictly between 0 and 1; got 5\. Use 0\.05"),
        ({"effects": "treatment"}, r"terms=, no longer effects=: terms='treatment'"),
        ({"n": 0}, "n is the number of replicates"),
        ({"coeff": [1, 2, 3]}, r"'coeff' is no argument of a study \(did you mean 'coef'"),
        ({"missing": 0.2}, "departures such as missing= are for gt.simulate"),
        ({"coef": {"treatment": 1}}, r"coef names 'treatment'.*did you mean 'treatment\[T.B\]'"),
        ({"analysis": {"formule": "y ~ 1"}}, r"got 'formule' \(did you mean 'formula'"),
        ({"analysis": {"formula": "z ~ treatment"}}, "must be that of the data, 'y'"),
    ],
)
def test_what_cannot_be_studied_is_said(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        gt.power(SWINE_FORMULA, SWINE, **SWINE_TRUTH, **options)


@pytest.mark.parametrize(
    ("family", "truth", "sentence"),
    [
        ("poisson", {"coef": [-1], "link": "identity"}, "row 0 has the mean -1, but poisson needs"),
        ("normal", {"zero": 0.1}, "zero is for counts without an upper limit; normal is not"),
        ("normal", {"phi": np.ones(24)}, "phi of a study is one number"),
        ("normal", {"trials": 5}, "trials= is for successes out of trials"),
    ],
)
def test_a_truth_that_cannot_be_simulated_cannot_be_studied(family, truth, sentence):
    with pytest.raises(ValueError, match=sentence):
        gt.power("y ~ 1", LAYOUT, family, **truth)


@pytest.mark.parametrize("study", [gt.power, gt.coverage, gt.recovery_study])
def test_help_shows_every_argument_of_a_study(study):
    names = list(inspect.signature(study).parameters)
    assert names[:4] == ["model", "layout", "family", "terms"]
    assert {"coef", "sd", "link", "along", "sizes", "n", "seed", "path", "analysis"} < set(names)
    assert "options" not in names


def test_a_column_without_a_step_does_not_go_on():
    layout = gt.designs.repeated(6, times=[0, 1, 4], treatments=["A", "B"])
    with pytest.raises(ValueError, match=r"3 values, 0, 1, 4, without a step .* go on to 5"):
        frames_of("y ~ time + (1 | subject)", layout, None, "time", [5], sd=1.0)


def test_a_formula_needs_a_layout_and_a_fitted_model_brings_its_own():
    with pytest.raises(ValueError, match="a formula needs the layout"):
        gt.power("y ~ x")
    m = gt.fit("reaction ~ days + (1 | subject)", gt.load_data("sleep"))
    with pytest.raises(ValueError, match="brings its layout and family"):
        gt.power(m, LAYOUT)
    with pytest.raises(ValueError, match="link= is for a study from a formula"):
        gt.power(m, link="log")


# ------------------------------------------------------------------------------ the plot


def test_the_plot_has_a_line_for_each_effect_and_says_what_it_shows():
    study = counts(n=3)
    ax = study.plot()
    assert ax.get_xlabel() == "subject (number of levels)" and "p < 0.05" in ax.get_ylabel()
    assert [each.get_text() for each in ax.get_legend().get_texts()] == ["treatment[T.new]", "day"]
    assert list(ax.get_xticks()) == [6, 12]
    assert study.plot(ax=ax) is ax
    alone = counts(n=3, along=None, sizes=None, study=gt.coverage).plot()
    assert [each.get_text() for each in alone.get_yticklabels()] == ["treatment[T.new]", "day"]
    assert "bias" in counts(n=3, study=gt.recovery_study).plot().get_ylabel()


def test_the_identity_in_the_file_is_readable(tmp_path):
    path = tmp_path / "study.csv"
    counts(n=1, path=path)
    head = json.loads(path.read_text().splitlines()[0].removeprefix("# "))
    assert head["formula"] == FORMULA and head["sizes"] == [{"subject": 6}, {"subject": 12}]
    table = pd.read_csv(path, comment="#")
    assert list(table) == ["replicate", "treatment[T.new]", "day", "failure", "warnings"]


# ------------------------------------------------------------------------------ residuals

PAIRS = gt.designs.rcbd(["A", "B"], blocks=8)
PAIRED = {"residual": "cs(treatment | block)", "sd": 2, "rho": 0.5, "coef": [10, 2]}


@pytest.mark.slow
def test_power_beside_correlated_residuals_is_that_of_the_paired_t_test():
    """The difference of two rows has the variance 2 sd² (1 - rho); t on n - 1."""
    study = gt.power("y ~ treatment", PAIRS, **PAIRED, n=600, analysis={"reml": True}, seed=2)
    shift, df = 2 / np.sqrt(2 * 4 * 0.5 / 8), 7
    critical = stats.t.ppf(0.975, df)
    exact = stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)
    row = study.frame.iloc[0]
    assert row["n_failed"] == 0
    assert abs(row["power"] - exact) < 4 * np.sqrt(exact * (1 - exact) / 600)


def test_a_study_recovers_the_residuals_that_make_its_data():
    layout = gt.designs.repeated(40, times=range(3), time="week")
    study = gt.recovery_study(
        "y ~ week", layout, residual="har1(week | subject)", sd=[1, 2, 3], rho=0.5, coef=[3, 1],
        n=60, along="subject", sizes=[80],
    )  # fmt: skip
    frame = study.frame.set_index("effect")
    assert list(frame.index[2:]) == [
        *(f"sd Residual week[{k}]" for k in range(3)), "corr Residual har1(week)"
    ]  # fmt: skip
    np.testing.assert_allclose(frame["true"], [3, 1, 1, 2, 3, 0.5])
    assert (frame["bias"].abs() / (frame["sd"] / np.sqrt(60))).max() < 4


def test_residuals_can_be_analysed_as_what_they_are_not():
    """As independent rows: the variance of the difference is then taken to be 2 sd², not half."""
    options = {"n": 200, "seed": 3, "terms": "treatment[T.B]"}
    right = gt.coverage("y ~ treatment", PAIRS, **PAIRED, **options, analysis={"reml": True})
    ratios = {}
    for residual in (None, "hcs(treatment | block)"):
        frame = gt.recovery_study("y ~ treatment", PAIRS, **PAIRED, **options,
                                  analysis={"residual": residual, "reml": True}).frame  # fmt: skip
        ratios[residual] = frame["mean_std_error"].item() / frame["sd"].item()
    assert right.frame["coverage"].item() == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / 200))
    assert list(ratios.values()) == pytest.approx([np.sqrt(2), 1], rel=0.2)


def test_replacing_the_truth_of_a_fit_replaces_that_of_its_residuals():
    data = gt.simulate("y ~ treatment", PAIRS, **PAIRED)
    m = gt.fit("y ~ treatment", data, residual="cs(treatment | block)", reml=True)
    plan = plan_study(m, None, None, StudyOptions(truth={"sd": 5, "rho": 0.25}))
    assert plan.true["sd Residual cs(treatment)"] == pytest.approx(5)
    assert plan.true["corr Residual cs(treatment)"] == pytest.approx(0.25)
    with pytest.raises(ValueError, match="residual= is for a study from a formula"):
        plan_study(m, None, None, StudyOptions(truth={"residual": "ar1(treatment | block)"}))


@pytest.mark.parametrize(
    ("analysis", "message"),
    [
        ({"residual": "us(treatment | blok)"}, "no column 'blok'"),
        ({"residual": "us(treatment)"}, "residual= is one structure"),
        ({"link": "log"}, "normal models with identity link"),
        ({"penalty": 2.5}, "goes with no penalty="),
        ({"formula": "y ~ treatment + (1 | block)"}, r"cannot tell \(1 \| block\) from residual"),
    ],
)
def test_an_analysis_that_its_residuals_do_not_allow_is_refused(analysis, message):
    with pytest.raises(ValueError, match=message):
        gt.power("y ~ treatment", PAIRS, **PAIRED, n=1, analysis=analysis)
