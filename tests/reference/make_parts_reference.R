# Reference for the parts of a model, extra zeros and dispersion: glmmTMB's tables of coefficients,
# predictions with standard errors, and emmeans' means of each part. Written to
# tests/reference/parts.json. See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_parts_reference.R      (from the root of the repository)
#
# Needs R with glmmTMB, emmeans, numDeriv and jsonlite (Debian: r-cran-*).

suppressPackageStartupMessages({
  library(glmmTMB)
  library(emmeans)
})
options(warn = 1, digits = 12, contrasts = c("contr.treatment", "contr.poly"))
HERE <- "tests/reference"
zeros <- read.csv(file.path(HERE, "data", "zeros.csv"), stringsAsFactors = TRUE)
zeros$group <- factor(zeros$group)
rows <- c(1, 2, 50, 101)
at <- data.frame(x = 0.25, treatment = c("a", "b"), group = NA)
TIGHT <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-14))

# glmmTMB's dispersion of nbinom2 is theta = 1 / phi, so that log phi has the other sign
coefficients_of <- function(fit, component, sign) {
  table <- summary(fit)$coefficients[[component]]
  list(names = rownames(table), estimate = sign * unname(table[, 1]), std_error = unname(table[, 2]),
       statistic = sign * unname(table[, 3]), p_value = unname(table[, 4]))
}

# Wald chi-squares, type II, of terms that no other contains
chi_squares <- function(fit, component) {
  V <- vcov(fit)[[component]]
  beta <- fixef(fit)[[component]]
  formula <- formula(fit, component = component)
  of <- attr(model.matrix(formula, zeros), "assign")
  terms <- attr(terms(formula), "term.labels")
  test <- function(k) {
    own <- of == k
    c(drop(beta[own] %*% solve(V[own, own, drop = FALSE], beta[own])), sum(own))
  }
  tests <- sapply(seq_along(terms), test)
  list(terms = terms, statistic = tests[1, ], df = tests[2, ])
}

predictions <- function(fit, type, newdata, population = FALSE) {
  found <- predict(fit, newdata, type = type, se.fit = TRUE, re.form = if (population) NA else NULL)
  list(estimate = unname(found$fit), std_error = unname(found$se.fit))
}

means_of <- function(fit, component, factor, to_phi = FALSE) {
  grid <- emmeans(fit, factor, component = component, df = Inf)
  table <- summary(grid, type = "response")
  pairs <- summary(contrast(grid, "pairwise"), type = "response", infer = c(TRUE, TRUE))
  ends <- c("asymp.LCL", "asymp.UCL")
  take <- function(s, name) {
    value <- as.numeric(s[[name]])
    ends <- as.matrix(as.data.frame(s)[, c("asymp.LCL", "asymp.UCL")])
    if (!to_phi) return(list(estimate = I(value), std_error = I(s$SE), conf_low = I(ends[, 1]), conf_high = I(ends[, 2])))
    list(estimate = I(1 / value), std_error = I(s$SE / value^2), conf_low = I(1 / ends[, 2]), conf_high = I(1 / ends[, 1]))
  }
  list(factor = factor, means = take(table, attr(table, "estName")), contrast = take(pairs, attr(pairs, "estName")))
}

results <- list()
for (m in list(
  list(id = "zip", r = poisson ~ x + treatment + (1 | group), family = poisson, zi = ~ x + treatment, ours = "poisson"),
  list(id = "zinb2", r = nb2 ~ x + (1 | group), family = nbinom2, zi = ~ x, disp = ~ x + treatment, ours = "negative_binomial")
)) {
  fit <- glmmTMB(m$r, zeros, m$family, ziformula = m$zi, dispformula = if (is.null(m$disp)) ~1 else m$disp, control = TIGHT)
  text <- function(formula) if (is.null(formula)) NULL else paste("~", as.character(formula)[2])
  found <- list(
    id = m$id, formula = paste(as.character(m$r)[c(2, 1, 3)], collapse = " "), family = m$ours,
    zero_inflation = text(m$zi), dispersion_formula = text(m$disp), rows = I(rows - 1),
    parts = list(zero = coefficients_of(fit, "zi", 1)), tests = list(zero = chi_squares(fit, "zi")),
    predictions = list(
      conditional = predictions(fit, "response", zeros[rows, ]),
      conditional_mean = predictions(fit, "conditional", zeros[rows, ]),
      population = predictions(fit, "response", at, population = TRUE),
      zero = predictions(fit, "zprob", zeros[rows, ])
    )
  )
  if (is.null(m$disp)) {
    found$means <- list(zero = means_of(fit, "zi", "treatment"), mean = means_of(fit, "cond", "treatment"))
  } else {
    found$parts$dispersion <- coefficients_of(fit, "disp", -1)
    found$tests$dispersion <- chi_squares(fit, "disp")
    disp <- predict(fit, zeros[rows, ], type = "disp")
    found$predictions$dispersion <- list(estimate = 1 / unname(disp))
    found$means <- list(dispersion = means_of(fit, "disp", "treatment", to_phi = TRUE))
  }
  results[[m$id]] <- found
}
# Means over the random effects, by quadrature, with standard errors by the delta method over all
# parameters (beta, log sd); and emmeans of a typical group, compared on the response scale.
marginal <- function(id, fit, X, inverse, labels, call) {
  V <- vcov(fit, full = TRUE)
  par <- c(fixef(fit)$cond, fit$fit$par["theta"])
  mean_of <- function(par, x) {
    eta <- sum(x * head(par, -1))
    integrate(function(u) inverse(eta + exp(tail(par, 1)) * u) * dnorm(u), -12, 12, rel.tol = 1e-11)$value
  }
  at <- function(par) apply(X, 1, function(x) mean_of(par, x))
  J <- numDeriv::jacobian(at, par)
  used <- c(seq_len(ncol(X)), which(grepl("theta", rownames(V))))
  V <- J %*% V[used, used] %*% t(J)
  m <- at(par)
  first <- function(change) sqrt(drop(change %*% V %*% change))
  pair <- c(1, -1, rep(0, nrow(X) - 2))
  list(id = id, call = call, labels = I(labels), estimate = m, std_error = sqrt(diag(V)), difference = m[1] - m[2],
       difference_se = first(pair), ratio = m[1] / m[2], ratio_se = m[1] / m[2] * first(pair / m))
}
typical <- function(fit, factor) {
  grid <- emmeans::regrid(emmeans(fit, factor, df = Inf, cov.keep = character(0)), "response")
  take <- function(s, what) list(contrast = as.character(s$contrast), estimate = s[[what]], std_error = s$SE, conf_low = s$asymp.LCL, conf_high = s$asymp.UCL)
  differences <- summary(contrast(grid, "pairwise", adjust = "none"), infer = c(TRUE, TRUE))
  ratios <- summary(contrast(emmeans::regrid(grid, "log"), "pairwise", adjust = "none"), type = "response", infer = c(TRUE, TRUE))
  list(differences = take(differences, "estimate"), ratios = take(ratios, "ratio"))
}
herds <- read.csv("data/herds.csv")
herds$period <- factor(herds$period)
fit <- glmmTMB(cbind(incidence, size - incidence) ~ period + (1 | herd), herds, binomial, control = TIGHT)
X <- cbind(1, rbind(0, diag(3)))
compared <- list(herds = c(marginal("herds", fit, X, plogis, levels(herds$period), "period"), typical(fit, "period")))
epilepsy <- read.csv("data/epilepsy.csv", stringsAsFactors = TRUE)
fit <- glmmTMB(seizures ~ treatment + age + (1 | subject), epilepsy, poisson, control = TIGHT)
X <- cbind(1, c(0, 1), mean(epilepsy$age))
compared$epilepsy <- c(marginal("epilepsy", fit, X, exp, levels(epilepsy$treatment), "treatment"), typical(fit, "treatment"))

versions <- sapply(c("glmmTMB", "TMB", "emmeans"), function(p) as.character(packageVersion(p)))
out <- list(versions = as.list(c(R = paste(R.version$major, R.version$minor, sep = "."), versions)), models = unname(results), compared = compared)
writeLines(jsonlite::toJSON(out, auto_unbox = TRUE, digits = 12, pretty = TRUE, null = "null"), file.path(HERE, "parts.json"))
