import numpy as np
import pytest

import glmmtools as gt
from tests import exact

RNG_SEED = 20


def example(family, n=60, seed=RNG_SEED):
    """Means, shape parameters (with trials) and a draw for one family."""
    rng = np.random.default_rng(seed)
    mu = rng.uniform(0.1, 0.9, n) if family.mean_interval[1] == 1 else rng.uniform(0.5, 6, n)
    shape = {name: rng.uniform(0.5, 3, n) for name in family.shape}
    shape |= {name: rng.uniform(0.05, 0.6, n) for name in ("odds0", "odds1") if name in shape}
    if "df" in shape:
        shape["df"] += 4
    if family.takes_trials:
        shape["trials"] = rng.integers(1, 12, n)
    return mu, shape, np.asarray(family.sample(mu, rng, **shape), float)


FAMILIES = pytest.mark.parametrize("family", gt.FAMILIES.values(), ids=list(gt.FAMILIES))
FAMILY_LINKS = pytest.mark.parametrize(
    ("family", "link"),
    [(f, gt.link(name)) for f in gt.FAMILIES.values() for name in f.links],
    ids=lambda x: x.name,
)


@FAMILIES
def test_log_density_is_scipys(family):
    mu, shape, y = example(family)
    scipys = family.distribution(mu, **shape)
    expected = scipys.logpmf(y) if family.discrete else scipys.logpdf(y)
    np.testing.assert_allclose(family.log_density(y, mu, **shape), expected, rtol=1e-10, atol=1e-11)


@FAMILIES
def test_mean_and_variance_are_scipys(family):
    mu, shape, _ = example(family)
    scipys = family.distribution(mu, **shape)
    np.testing.assert_allclose(family.mean(mu, **shape), scipys.mean(), rtol=1e-10)
    np.testing.assert_allclose(family.variance(mu, **shape), scipys.var(), rtol=1e-10)


@FAMILIES
def test_draws_have_the_mean_and_the_variance_of_the_card(family):
    """Within 5 Monte-Carlo standard errors of 300,000 draws."""
    rng, n = np.random.default_rng(1), 300_000
    mu = 0.3 if family.mean_interval[1] == 1 else 3.0
    shape = {"phi": 0.4, "df": 12.0, "trials": 8, "odds0": 0.3, "odds1": 0.1}
    names = [*family.shape, *(["trials"] if family.takes_trials else [])]
    shape = {name: shape[name] for name in names}
    y = family.sample(np.full(n, mu), rng, **shape)
    mean, variance = family.mean(mu, **shape), family.variance(mu, **shape)
    centred = (y - mean) ** 2
    assert abs(y.mean() - mean) < 5 * np.sqrt(variance / n)
    assert abs(centred.mean() - variance) < 5 * centred.std() / np.sqrt(n)
    assert not family.outside_support(y[:1000].astype(float), np.full(1000, 8)).any()


@FAMILY_LINKS
def test_derivatives_in_eta_and_shape_agree_with_differences(family, link):
    mu, shape, y = example(family)
    eta, step = link(mu), 1e-5

    def at(shift=0.0, **change):
        values = {**shape, **change}
        density = family.log_density(y, link.inverse(eta + shift), **values)
        return (density, *family.eta_derivatives(y, eta + shift, link, **values))

    def close(exact, above, below):
        scale = 1 + np.abs(exact)
        np.testing.assert_allclose(exact / scale, (above - below) / (2 * step) / scale, atol=2e-6)

    above, below = at(step), at(-step)
    for order in range(3):
        close(at()[order + 1], above[order], below[order])
    for name, derivatives in family.shape_eta_derivatives(y, eta, link, **shape).items():
        above = at(**{name: shape[name] * np.exp(step)})
        below = at(**{name: shape[name] * np.exp(-step)})
        for order in range(3):
            close(derivatives[order], above[order], below[order])


@pytest.mark.parametrize("phi", [1e-12, 1e-6, 1e6])
def test_negative_binomials_tend_to_the_poisson_without_losing_digits(phi):
    y, mu = np.arange(0.0, 30), np.linspace(0.5, 20, 30)
    for name in ("negative_binomial", "nbinom1"):
        values = gt.family(name).log_density(y, mu, phi=phi)
        assert np.all(np.isfinite(values))
        if phi < 1e-3:
            poisson = gt.family("poisson").log_density(y, mu)
            np.testing.assert_allclose(values, poisson, rtol=max(1e3 * phi, 1e-10))


EXTREMES = (1e-12, 0.7, 1e12)


def possible(family, y, mu, shape):
    at = np.array([float(y)])
    outside = family.outside_support(at, np.array([20.0]))[0]
    return not outside and np.isfinite(family.log_density(at, mu, **shape)).all()


def extreme_cases(family):
    """Responses with means and dispersions from 1e-12 to 1e12 (probabilities up to 1 - 1e-12)."""
    bounded = family.mean_interval[1] == 1
    for mu in (1e-12, 0.3, 1 - 1e-12) if bounded else EXTREMES:
        if family.takes_trials:
            responses = [0, 1, 13, 20]
        elif family.counts:
            responses = [0, 1, 2, 7, 1e6, round(mu * 1.001)]
        elif bounded:
            responses = [0, 1, 1e-12, 0.2, 1 - 1e-12, mu * 1.01 if mu < 0.5 else mu - 1e-13]
        else:
            responses = [3e-12, mu * 1.01, 1e11]
        for phi in EXTREMES if "phi" in family.shape else [None]:
            # not 1e12: there y - mu may be sqrt(df phi), where the second derivative of t is zero
            for df in (4.0, 3e12) if "df" in family.shape else [None]:
                shape = {"phi": phi, "df": df, "trials": 20 if family.takes_trials else None}
                shape |= {name: phi for name in ("odds0", "odds1") if name in family.shape}
                if shape.get("odds0") == 1e12:  # above 1 both are impossible
                    shape |= {"odds0": 3.0, "odds1": 1e-12}
                shape = {name: value for name, value in shape.items() if value is not None}
                yield from ((y, mu, shape) for y in responses if possible(family, y, mu, shape))


def assert_exact(found, truth, noise, scale=0):
    """Equal to 1e-10 relative to the truth or to `scale`."""
    found = exact.D(float(np.ravel(found)[0]))
    assert abs(found - truth) <= max(noise, exact.D("1e-10") * max(abs(truth), scale))


@FAMILIES
def test_densities_and_derivatives_are_exact_at_extreme_parameters(family):
    """To 1e-10 relative; a derivative in a shape also relative to what it is the derivative of."""
    for y, mu, shape in extreme_cases(family):
        at = np.array([float(y)])
        truth = exact.by_mu(family.name, y, mu, shape)
        noise = [exact.NOISE / abs(exact.D(mu)) ** order for order in range(4)]
        found = (family.log_density(at, mu, **shape), *family.mu_derivatives(at, mu, **shape))
        assert_exact(found[0], truth[0], noise[0], scale=1)
        for order in (1, 2, 3):
            assert_exact(found[order], truth[order], noise[order])
        for name, values in family.shape_derivatives(at, mu, **shape).items():
            by_shape = exact.by_log_shape(family.name, y, mu, shape, name)
            assert_exact(values[0], by_shape[0], noise[0], scale=1)
            for order in (1, 2):
                assert_exact(values[order], by_shape[order], noise[order], abs(truth[order]))


@FAMILIES
def test_draws_at_extreme_parameters_stay_in_the_support(family):
    rng = np.random.default_rng(3)
    for _, mu, shape in extreme_cases(family):
        y = np.asarray(family.sample(np.full(50, mu), rng, **shape), float)
        assert not family.outside_support(y, np.full(50, 20.0)).any()


@FAMILIES
def test_the_card_states_what_a_learner_needs(family):
    text = str(family.card())
    for row in (
        "notation",
        "support",
        "E(y)",
        "Var(y)",
        "default link",
        "typical",
        "SciPy",
        "in R",
    ):
        assert row in text
    assert family.links[0] in text
    assert "<table>" in family._repr_html_()


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("gaussian", "normal"),
        ("nbinom2", "negative_binomial"),
        ("student", "t"),
        ("Gamma", "gamma"),
    ],
)
def test_rs_names_work(alias, name):
    assert gt.family(alias) is gt.FAMILIES[name]


def test_an_unknown_family_names_the_valid_ones():
    with pytest.raises(ValueError, match=r"unknown family 'poison' \(did you mean 'poisson'\?\)"):
        gt.family("poison")


def test_a_link_that_does_not_go_with_the_family_is_refused_with_the_valid_ones():
    with pytest.raises(
        ValueError, match=r"poisson does not go with the logit link.*Valid links: log"
    ):
        gt.family("poisson").check_link("logit")
