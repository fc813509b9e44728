# Reference fits of normal models whose residuals have a covariance structure, by nlme and glmmTMB.
# Written to tests/reference/residuals.json. See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_residuals_reference.R      (from the root of the repository)
#
# Needs R with nlme, glmmTMB and jsonlite (Debian: r-cran-nlme, r-cran-glmmtmb, r-cran-jsonlite).

suppressPackageStartupMessages({
  library(nlme)
  library(glmmTMB)
})
options(warn = 1, digits = 10, contrasts = c("contr.treatment", "contr.poly"))
HERE <- "tests/reference"
source(file.path(HERE, "load_data.R"))

GLS <- glsControl(maxIter = 500, msMaxIter = 2000, tolerance = 1e-12, msTol = 1e-14, apVar = FALSE)
LME <- lmeControl(maxIter = 500, msMaxIter = 2000, niterEM = 100, tolerance = 1e-12, msTol = 1e-14, apVar = FALSE)
TMB <- glmmTMBControl(optCtrl = list(iter.max = 2000, eval.max = 2000, rel.tol = 1e-14), profile = FALSE)

pigs7 <- subset(load_data("pigs"), week <= 7)
rats <- load_data("rats")
sleep <- load_data("sleep")
oats <- load_data("oats")
cake <- load_data("cake")
series <- read.csv(file.path(HERE, "data", "series.csv"))
pigs7$copper <- factor(pigs7$copper)
pigs7$weeks <- factor(pigs7$week)
oats$plot <- interaction(oats$block, oats$variety)
oats$nitrogen <- factor(oats$nitro)
oats$dose <- as.integer(oats$nitrogen)
cake$batch <- interaction(cake$replicate, cake$recipe)
cake$degrees <- factor(cake$temperature, ordered = FALSE)

models <- list()
kept <- function(id, data, formula, residual, reml, llf, df, estimate, std_error, by) {
  models[[id]] <<- list(
    data = data, formula = formula, residual = residual, reml = reml, by = by, llf = llf, df_model = df,
    estimate = unname(estimate), std_error = unname(std_error)
  )
}
G <- function(id, data, formula, residual, fit) { # gls: its standard errors under ML are those of N - p
  reml <- fit$method == "REML"
  p <- length(coef(fit))
  shrink <- if (reml) 1 else (fit$dims$N - p) / fit$dims$N
  kept(id, data, formula, residual, reml, as.numeric(logLik(fit)), attr(logLik(fit), "df"), coef(fit), sqrt(diag(vcov(fit)) * shrink), "nlme::gls")
}
L <- function(id, data, formula, residual, fit) {
  kept(id, data, formula, residual, fit$method == "REML", as.numeric(logLik(fit)), attr(logLik(fit), "df"), fixef(fit), sqrt(diag(fit$varFix)), "nlme::lme")
}
B <- function(id, data, formula, residual, fit) { # glmmTMB: standard errors given the covariances, as nlme's
  objective <- fit$obj
  point <- fit$fit$par
  for (step in 1:3) {
    hessian <- optimHess(point, objective$fn, objective$gr)
    point <- point - solve(hessian, objective$gr(point))
  }
  hessian <- optimHess(point, objective$fn, objective$gr)
  p <- seq_along(fixef(fit)$cond)
  kept(id, data, formula, residual, FALSE, -objective$fn(point), length(point), point[p], sqrt(diag(solve(hessian[p, p, drop = FALSE]))), "glmmTMB")
}

G("pigs_us", "pigs7", "weight ~ week", "us(week | pig)",
  gls(weight ~ week, pigs7, corSymm(form = ~ week | pig), varIdent(form = ~ 1 | weeks), method = "ML", control = GLS))
B("pigs_us_tmb", "pigs7", "weight ~ week", "us(week | pig)",
  glmmTMB(weight ~ week + us(0 + weeks | pig), pigs7, dispformula = ~0, control = TMB))
G("pigs_har1", "pigs7", "weight ~ C(week) * C(copper)", "har1(week | pig)",
  gls(weight ~ weeks * copper, pigs7, corAR1(form = ~ week | pig), varIdent(form = ~ 1 | weeks), method = "REML", control = GLS))
L("pigs_ar1_litter", "pigs7", "weight ~ week + (1 | litter)", "ar1(week | pig)",
  lme(weight ~ week, pigs7, ~ 1 | litter, corAR1(form = ~ week | litter / pig), method = "ML", control = LME))
B("pigs_toep", "pigs7", "weight ~ week", "toep(week | pig)",
  glmmTMB(weight ~ week + toep(0 + weeks | pig), pigs7, dispformula = ~0, map = list(theta = factor(c(rep(1, 7), 1 + 1:6))), control = TMB))
L("rats_ou", "rats", "weight ~ diet * day + (1 | rat)", "ou(day | rat)",
  lme(weight ~ diet * day, rats, ~ 1 | rat, corExp(form = ~ day | rat), method = "ML", control = LME))
L("rats_slopes_ou", "rats", "weight ~ diet * day + (day | rat)", "ou(day | rat)",
  lme(weight ~ diet * day, rats, ~ day | rat, corExp(form = ~ day | rat), method = "REML", control = LME))
G("sleep_cs", "sleep", "reaction ~ days", "cs(days | subject)",
  gls(reaction ~ days, sleep, corCompSymm(form = ~ 1 | subject), method = "ML", control = GLS))
G("sleep_hcs", "sleep", "reaction ~ days", "hcs(days | subject)",
  gls(reaction ~ days, sleep, corCompSymm(form = ~ 1 | subject), varIdent(form = ~ 1 | days), method = "REML", control = GLS))
G("sleep_ar1", "sleep", "reaction ~ days", "ar1(days | subject)",
  gls(reaction ~ days, sleep, corAR1(form = ~ days | subject), method = "REML", control = GLS))
L("oats_us_block", "oats", "yield ~ variety * C(nitro) + (1 | block)", "us(nitro | block:variety)",
  lme(yield ~ variety * nitrogen, oats, ~ 1 | block, corSymm(form = ~ dose | block / variety), varIdent(form = ~ 1 | nitrogen), method = "REML", control = LME))
G("cake_us", "cake", "angle ~ recipe * C(temperature)", "us(temperature | replicate:recipe)",
  gls(angle ~ recipe * degrees, cake, corSymm(form = ~ as.integer(degrees) | batch), varIdent(form = ~ 1 | degrees), method = "REML", control = GLS))
B("cake_toep", "cake", "angle ~ recipe + C(temperature)", "toep(temperature | replicate:recipe)",
  glmmTMB(angle ~ recipe + degrees + toep(0 + degrees | batch), cake, dispformula = ~0, map = list(theta = factor(c(rep(1, 6), 1 + 1:5))), control = TMB))
G("series_ou", "series", "np.log(amount) ~ x", "ou(time | series)",
  gls(log(amount) ~ x, series, corExp(form = ~ time | series), method = "ML", control = GLS))

version <- c(R = R.version.string, nlme = as.character(packageVersion("nlme")), glmmTMB = as.character(packageVersion("glmmTMB")))
writeLines(jsonlite::toJSON(list(version = as.list(version), models = models), auto_unbox = TRUE, digits = NA, pretty = 1),
  file.path(HERE, "residuals.json"))
