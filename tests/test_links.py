import numpy as np
import pytest

import glmmtools as gt

ETA = np.linspace(-6, 6, 41)


@pytest.mark.parametrize("name", gt.LINKS)
def test_inverse_undoes_the_link(name):
    link = gt.link(name)
    _, high = link.mean_interval
    mu = np.linspace(0.01, 0.99, 50) if high == 1 else np.geomspace(0.01, 100, 50)
    np.testing.assert_allclose(link.inverse(link(mu)), mu, rtol=1e-12)


@pytest.mark.parametrize("name", gt.LINKS)
def test_derivatives_are_those_of_the_inverse(name):
    link, step = gt.link(name), 1e-5
    eta = ETA + 7 if name == "inverse" else ETA
    if name == "cloglog":
        eta = np.linspace(-6, 2.5, 41)
    below, above = eta - step, eta + step
    numeric = [
        (link.inverse(above) - link.inverse(below)) / (2 * step),
        (link.derivatives(above)[0] - link.derivatives(below)[0]) / (2 * step),
        (link.derivatives(above)[1] - link.derivatives(below)[1]) / (2 * step),
    ]
    for exact, approximate in zip(link.derivatives(eta), numeric, strict=True):
        np.testing.assert_allclose(exact, approximate, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["logit", "probit", "cloglog"])
def test_bounded_links_stay_finite_and_inside_for_extreme_predictors(name):
    mu = gt.link(name).inverse(np.array([-1e6, -40.0, 0.0, 40.0, 1e6]))
    assert np.all((mu >= 0) & (mu <= 1))
    assert all(np.all(np.isfinite(d)) for d in gt.link(name).derivatives([-1e3, -40.0, 40.0, 1e3]))


def test_an_unknown_link_names_the_valid_ones_and_the_nearest():
    with pytest.raises(ValueError, match=r"unknown link 'logt' \(did you mean 'log.*Valid links"):
        gt.link("logt")
