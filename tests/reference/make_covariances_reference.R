# Reference fits with a covariance of the levels of a factor: general, Toeplitz, unequal variances,
# continuous time. Written to tests/reference/covariances.json. See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_covariances_reference.R      (from the root of the repository)
#
# Needs R with glmmTMB and jsonlite (Debian: r-cran-glmmtmb, r-cran-jsonlite).

suppressPackageStartupMessages(library(glmmTMB))
options(warn = 1, digits = 10, contrasts = c("contr.treatment", "contr.poly"))
HERE <- "tests/reference"
source(file.path(HERE, "load_data.R"))

CONTROL <- glmmTMBControl(optCtrl = list(iter.max = 2000, eval.max = 2000, rel.tol = 1e-14), profile = FALSE)

series <- read.csv(file.path(HERE, "data", "series.csv"))
epilepsy <- load_data("epilepsy")
pigs <- load_data("pigs")

# glmmTMB's toep has a variance for each time: one number for all of them is ours
one_variance <- function(q) list(theta = factor(c(rep(1, q), 1 + seq_len(q - 1))))

models <- list()
M <- function(id, data, formula, r_formula, family, r_family, dispformula = ~1, map = list()) {
  d <- get(data)
  fit <- glmmTMB(r_formula, d, family = r_family, dispformula = dispformula, map = map, control = CONTROL)
  objective <- fit$obj
  point <- fit$fit$par
  for (step in 1:3) { # Newton's steps to the maximum
    hessian <- optimHess(point, objective$fn, objective$gr)
    point <- point - solve(hessian, objective$gr(point))
  }
  hessian <- optimHess(point, objective$fn, objective$gr)
  p <- length(fixef(fit)$cond)
  models[[id]] <<- list(
    data = data, formula = formula, family = family, names = names(fixef(fit)$cond), llf = -objective$fn(point),
    estimate = unname(point[seq_len(p)]), std_error = unname(sqrt(diag(solve(hessian)))[seq_len(p)])
  )
}

M("epilepsy_us", "epilepsy", "seizures ~ log(base / 4) + treatment + us(period | subject)",
  seizures ~ log(base / 4) + treatment + us(0 + factor(period) | subject), "poisson", poisson())
M("epilepsy_toep", "epilepsy", "seizures ~ log(base / 4) + treatment + toep(period | subject)",
  seizures ~ log(base / 4) + treatment + toep(0 + factor(period) | subject), "poisson", poisson(), map = one_variance(4))
M("epilepsy_hcs", "epilepsy", "seizures ~ log(base / 4) + treatment + hcs(period | subject)",
  seizures ~ log(base / 4) + treatment + cs(0 + factor(period) | subject), "poisson", poisson())
M("epilepsy_us_random", "epilepsy", "seizures ~ treatment * period + us(period | subject)",
  seizures ~ treatment * period + us(0 + factor(period) | subject), "poisson", poisson())
M("series_ou_gamma", "series", "amount ~ x + ou(time | series)",
  amount ~ x + ou(0 + numFactor(time) | series), "gamma", Gamma("log"))
M("series_ou_poisson", "series", "count ~ x + ou(time | series) + (0 + x | series)",
  count ~ x + ou(0 + numFactor(time) | series) + (0 + x | series), "poisson", poisson())
M("pigs_ou_litter", "pigs", "weight ~ week + ou(week | pig) + (1 | litter)",
  weight ~ week + ou(0 + numFactor(week) | pig) + (1 | litter), "normal", gaussian())
# a residual variance beside these is no parameter more: glmmTMB has it at zero
M("pigs_us", "pigs", "weight ~ week + us(week | pig)",
  weight ~ week + us(0 + factor(week) | pig), "normal", gaussian(), dispformula = ~0)

version <- c(R = R.version.string, glmmTMB = as.character(packageVersion("glmmTMB")))
writeLines(jsonlite::toJSON(list(version = as.list(version), models = models), auto_unbox = TRUE, digits = NA, pretty = 1),
  file.path(HERE, "covariances.json"))
