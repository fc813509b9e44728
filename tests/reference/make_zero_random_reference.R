# Reference fits of models with random terms in the zero part, by glmmTMB; written to
# tests/reference/zero_random.json with their data. See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_zero_random_reference.R     (from the root of the repository)
#
# Needs R with glmmTMB and jsonlite (Debian: r-cran-*).

suppressPackageStartupMessages(library(glmmTMB))
options(warn = 1, digits = 10)

# ------------------------------------------------------------------ data

# 40 sites of 12 years: each has effects of its own in the mean and, independent of these, in the zeros.
set.seed(20261129)
sites <- 40
years <- 12
n <- sites * years
s <- rep(seq_len(sites), each = years)
t <- rep(seq_len(years), sites)
d <- data.frame(
  site = paste0("s", s), year = paste0("y", t), x = round(rnorm(n), 2), f = rep(c("a", "b"), length.out = n)
)
eta <- 1 + 0.4 * d$x + 0.3 * (d$f == "b") + rnorm(sites, 0, 0.5)[s]
zeta <- -0.7 + 0.5 * d$x + rnorm(sites, 0, 0.9)[s] + rnorm(years, 0, 0.6)[t] + rnorm(sites, 0, 0.6)[s] * d$x
zero <- runif(n) < plogis(zeta)

above_zero <- function(draw) {
  y <- draw(n)
  while (any(y == 0)) y <- ifelse(y == 0, draw(n), y)
  y
}
between <- function(mu, phi) pmin(pmax(round(rbeta(n, phi * mu, phi * (1 - mu)), 4), 1e-4), 1 - 1e-4)
d$count <- ifelse(zero, 0, rpois(n, exp(eta)))
d$clustered <- ifelse(zero, 0, rnbinom(n, mu = exp(eta), size = 1 / 0.4))
d$caught <- ifelse(zero, 0, above_zero(function(n) rpois(n, exp(eta))))
d$catch <- ifelse(zero, 0, above_zero(function(n) rnbinom(n, mu = exp(eta), size = 1 / 0.4)))
d$biomass <- ifelse(zero, 0, round(rgamma(n, 3, 3 / exp(eta)), 4))
d$share <- ifelse(zero, 0, between(plogis(eta - 1.5), 8))

# ------------------------------------------------------------------ models

model <- function(id, response, right, zero, family, link = "log", dispersion = NULL, r_right = right, r_zero = zero) {
  list(id = id, response = response, right = right, zero_inflation = zero, family = family, link = link,
       dispersion_formula = dispersion, r_right = r_right, r_zero = r_zero)
}
MODELS <- list(
  model("poisson_both", "count", "x + f + (1 | site)", "~ x + (1 | site)", "poisson"),
  model("poisson_zero_only", "count", "x + f", "~ x + (1 | site)", "poisson"),
  model("poisson_other_group", "count", "x + f + (1 | site)", "~ x + (1 | year)", "poisson"),
  model("poisson_two_groups", "count", "x + f + (1 | site)", "~ x + (1 | site) + (1 | year)", "poisson"),
  model("poisson_slopes", "count", "x + f + (1 | site)", "~ x + (x | site)", "poisson"),
  model("nbinom2_both", "clustered", "x + f + (1 | site)", "~ x + (1 | site)", "negative_binomial"),
  model("nbinom2_zero_only", "clustered", "x + f", "~ 1 + (1 | site)", "negative_binomial"),
  model("nbinom2_dispersion", "clustered", "x + f + (1 | site)", "~ x + (1 | site)", "negative_binomial",
        dispersion = "~ f"),
  model("hurdle_poisson", "caught", "x + f + (1 | site)", "~ x + (1 | site)", "truncated_poisson"),
  model("hurdle_nbinom2", "catch", "x + f + (1 | site)", "~ x + (x || site)", "truncated_negative_binomial",
        r_zero = "~ x + (1 | site) + (0 + x | site)"),
  model("gamma", "biomass", "x + f + (1 | site)", "~ x + (1 | site)", "gamma"),
  model("gamma_inverse", "biomass", "x", "~ x + (1 | site)", "gamma", "inverse"),
  model("beta", "share", "x + f + (1 | site)", "~ x + (1 | site)", "beta", "logit"),
  model("beta_other_group", "share", "x + f + (1 | site)", "~ x + (1 | year)", "beta", "logit")
)
IN_R <- c(
  poisson = "poisson", negative_binomial = "nbinom2", truncated_poisson = "truncated_poisson",
  truncated_negative_binomial = "truncated_nbinom2", gamma = "ziGamma", beta = "beta_family"
)

# ------------------------------------------------------------------ fits

source("tests/reference/polish.R")

# Logarithms of the standard deviations come first; of (x | g) a third parameter is that of the correlation.
sds_of <- function(theta, right) {
  if (!grepl("(x |", right, fixed = TRUE) || grepl("(x ||", right, fixed = TRUE)) return(list(sds = exp(theta)))
  list(sds = exp(theta[1:2]), corr = theta[3] / sqrt(1 + theta[3]^2))
}

# Predictions of the first rows with their standard errors: conditional, on the response scale.
ROWS <- 1:5
predicted <- function(fit, type) {
  p <- predict(fit, newdata = d[ROWS, ], type = type, se.fit = TRUE)
  list(estimate = unname(p$fit), se = unname(p$se.fit))
}

phi_of <- function(m, sigma) {
  switch(m$family, poisson = NULL, truncated_poisson = NULL, gamma = sigma^2, beta = sigma, 1 / sigma)
}

fit <- function(m) {
  formula <- as.formula(paste(m$response, "~", m$r_right))
  disp <- if (is.null(m$dispersion_formula)) ~1 else as.formula(m$dispersion_formula)
  family <- get(IN_R[[m$family]])(link = m$link)
  start <- if (m$link == "inverse") list(beta = c(0.4, 0)) else NULL
  fitted <- glmmTMB(formula, d, family, ziformula = as.formula(m$r_zero), dispformula = disp, start = start,
                    control = CONTROL)
  found <- polish(fitted)
  result <- list(llf = found$llf, beta = of(found, "beta"), zero = of(found, "betazi"))
  fitted$fit$par <- found$par
  if (is.null(m$dispersion_formula)) result$phi <- phi_of(m, sigma(fitted))
  else result$dispersion <- of(found, "betad")
  theta <- of(found, "theta")$estimate
  if (length(theta)) result$mean_effects <- sds_of(theta, m$right)
  result$zero_effects <- sds_of(of(found, "thetazi")$estimate, m$zero_inflation)
  modes <- ranef(fitted)$zi
  result$zero_modes <- lapply(modes, function(each) list(level = rownames(each), value = each[[1]]))
  result$predicted <- lapply(c(response = "response", mean = "conditional", zero = "zprob"), predicted, fit = fitted)
  c(m, result)
}

models <- lapply(MODELS, function(m) {
  cat(m$id, "\n")
  fit(m)
})
out <- list(version = paste("glmmTMB", packageVersion("glmmTMB")), data = d, models = models)
writeLines(jsonlite::toJSON(out, digits = NA, auto_unbox = TRUE, dataframe = "columns", null = "null"),
           "tests/reference/zero_random.json")
