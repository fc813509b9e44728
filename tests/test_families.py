import numpy as np
import pytest

import glmmtools as gt

RNG_SEED = 20


def example(family, n=60, seed=RNG_SEED):
    """Means, shape parameters (with trials) and a draw for one family."""
    rng = np.random.default_rng(seed)
    mu = rng.uniform(0.1, 0.9, n) if family.mean_interval[1] == 1 else rng.uniform(0.5, 6, n)
    shape = {name: rng.uniform(0.5, 3, n) for name in family.shape}
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
    trials = {"trials": shape["trials"]} if family.takes_trials else {}
    np.testing.assert_allclose(family.mean(mu, **trials), scipys.mean(), rtol=1e-10)
    np.testing.assert_allclose(family.variance(mu, **shape), scipys.var(), rtol=1e-10)


@FAMILIES
def test_draws_have_the_mean_and_the_variance_of_the_card(family):
    """Within 5 Monte-Carlo standard errors of a million draws."""
    rng, n = np.random.default_rng(1), 1_000_000
    mu = 0.3 if family.mean_interval[1] == 1 else 3.0
    shape = {"phi": 0.4, "df": 12.0, "trials": 8}
    names = [*family.shape, *(["trials"] if family.takes_trials else [])]
    shape = {name: shape[name] for name in names}
    y = family.sample(np.full(n, mu), rng, **shape)
    trials = {"trials": 8} if family.takes_trials else {}
    mean, variance = family.mean(mu, **trials), family.variance(mu, **shape)
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
    for name, exact in family.shape_eta_derivatives(y, eta, link, **shape).items():
        above = at(**{name: shape[name] * np.exp(step)})
        below = at(**{name: shape[name] * np.exp(-step)})
        for order in range(3):
            close(exact[order], above[order], below[order])


@pytest.mark.parametrize("phi", [1e-12, 1e-6, 1e6])
def test_negative_binomials_tend_to_the_poisson_without_losing_digits(phi):
    y, mu = np.arange(0.0, 30), np.linspace(0.5, 20, 30)
    for name in ("negative_binomial", "nbinom1"):
        values = gt.family(name).log_density(y, mu, phi=phi)
        assert np.all(np.isfinite(values))
        if phi < 1e-3:
            poisson = gt.family("poisson").log_density(y, mu)
            np.testing.assert_allclose(values, poisson, rtol=max(1e3 * phi, 1e-10))


@pytest.mark.parametrize("mu", [1e-12, 1e-3, 1.0, 1e3, 1e12])
@pytest.mark.parametrize("phi", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("name", ["normal", "gamma", "poisson", "negative_binomial", "nbinom1"])
def test_extreme_parameters_give_finite_densities(name, mu, phi):
    family = gt.family(name)
    shape = {"phi": phi} if family.shape else {}
    y = np.array([1.0, 2.0, 1e6])
    eta = np.full(3, np.log(mu))
    assert np.all(np.isfinite(family.log_density(y, mu, **shape)))
    assert np.all(np.isfinite(family.eta_derivatives(y, eta, gt.link("log"), **shape)))


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
