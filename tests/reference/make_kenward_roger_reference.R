# Kenward-Roger covariances and degrees of freedom of pbkrtest, written to
# tests/reference/kenward_roger.json. See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_kenward_roger_reference.R    (from the root of the repository)
#
# Needs R with lme4, pbkrtest and jsonlite (Debian: r-cran-*).

suppressPackageStartupMessages({
  library(lme4)
  library(pbkrtest)
})
options(warn = 1, contrasts = c("contr.treatment", "contr.poly"))

source("tests/reference/load_data.R")

CONTROL <- lmerControl(optimizer = "nloptwrap", optCtrl = list(
  algorithm = "NLOPT_LN_BOBYQA", xtol_rel = 0, xtol_abs = 1e-10, ftol_rel = 0, ftol_abs = 1e-14, maxeval = 1e5
))

# id, data, thin, our formula, R's formula
MODELS <- list(
  list("oats", "oats", 0, "yield ~ variety * C(nitro) + (1 | block/variety)",
       yield ~ variety * factor(nitro) + (1 | block/variety)),
  list("oats_slopes_thinned", "oats", 5, "yield ~ variety * nitro + (1 | block/variety)",
       yield ~ variety * nitro + (1 | block/variety)),
  list("sleep", "sleep", 4, "reaction ~ days + (days | subject)", reaction ~ days + (days | subject)),
  list("sleep_independent", "sleep", 3, "reaction ~ days + (days || subject)",
       reaction ~ days + (1 | subject) + (0 + days | subject)),
  list("pigs", "pigs", 0, "weight ~ week + start_weight + vitamin_e * copper + (week | pig)",
       weight ~ week + start_weight + vitamin_e * copper + (week | pig)),
  list("cake", "cake", 7, "angle ~ recipe * C(temperature) + (1 | replicate)",
       angle ~ recipe * factor(temperature) + (1 | replicate))
)

reference <- list()
for (model in MODELS) {
  fit <- lmer(model[[5]], thinned(load_data(model[[2]]), model[[3]]), REML = TRUE, control = CONTROL)
  p <- length(fixef(fit))
  adjusted <- vcovAdj(fit)
  rows <- lapply(seq_len(p), function(j) diag(p)[j, , drop = FALSE])
  assign <- attr(model.matrix(fit), "assign")
  joint <- lapply(setdiff(unique(assign), 0), function(term) {
    places <- which(assign == term)
    found <- KRmodcomp(fit, diag(p)[places, , drop = FALSE])
    list(places = I(places - 1), statistic = found$stats$Fstat, den_df = found$stats$ddf)
  })
  reference[[model[[1]]]] <- list(
    data = model[[2]], thin = model[[3]], formula = model[[4]],
    covariance = as.matrix(adjusted),
    df = I(sapply(rows, function(L) Lb_ddf(L, vcov(fit), adjusted))),
    joint = joint
  )
  cat(model[[1]], "\n")
}
writeLines(jsonlite::toJSON(reference, digits = 15, auto_unbox = TRUE, pretty = TRUE), "tests/reference/kenward_roger.json")
