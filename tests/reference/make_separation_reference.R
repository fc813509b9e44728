# Reference fits of separated data, as they are and with a normal prior on the standardised slopes:
# R's glm and glmmTMB beside separation, arm's bayesglm and blme's bglmer with the prior. Written to
# tests/reference/separation.json. See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_separation_reference.R      (from the root of the repository)
#
# Needs R with glmmTMB, arm, blme and jsonlite (Debian: r-cran-*).

suppressPackageStartupMessages({
  library(glmmTMB)
  library(arm)
  library(blme)
})
options(warn = 1, digits = 12, contrasts = c("contr.treatment", "contr.poly"))
HERE <- "tests/reference"

herds <- read.csv("data/herds.csv")
herds$period <- factor(herds$period)
herds$incidence[herds$period == 4] <- 0
epilepsy <- read.csv("data/epilepsy.csv", stringsAsFactors = TRUE)
epilepsy$visit <- factor(paste0("v", epilepsy$period))
epilepsy$seizures[epilepsy$visit == "v4"] <- 0
rows <- list(herds = herds, epilepsy = epilepsy)

results <- list()
keep <- function(id, data, formula, family, link, penalty, beta, se = NULL, sd = NULL, llf = NULL) {
  results[[id]] <<- list(
    id = id, data = data, formula = formula, family = family, link = link, penalty = penalty,
    names = names(beta), estimate = unname(beta), std_error = unname(se), sd = sd, llf = llf
  )
}

# ------------------------------------------------------------------ separated: the limit

TIGHT <- glm.control(epsilon = 1e-15, maxit = 200)
for (link in c("logit", "probit", "cloglog")) {
  fit <- suppressWarnings(glm(cbind(incidence, size - incidence) ~ period, binomial(link), herds, control = TIGHT))
  finite <- abs(coef(fit)) < 5
  keep(paste("herds", link), "herds", "prop(incidence, size) ~ period", "binomial", link, NULL,
       coef(fit)[finite], sqrt(diag(vcov(fit)))[finite], llf = as.numeric(logLik(fit)))
}
fit <- suppressWarnings(glm(seizures ~ treatment + visit, poisson, epilepsy, control = TIGHT))
finite <- abs(coef(fit)) < 5
keep("epilepsy", "epilepsy", "seizures ~ treatment + visit", "poisson", "log", NULL,
     coef(fit)[finite], sqrt(diag(vcov(fit)))[finite], llf = as.numeric(logLik(fit)))
fit <- suppressWarnings(glmmTMB(cbind(incidence, size - incidence) ~ period + (1 | herd), herds, binomial))
beta <- fixef(fit)$cond
finite <- abs(beta) < 5
keep("herds mixed", "herds", "prop(incidence, size) ~ period + (1 | herd)", "binomial", "logit", NULL, beta[finite],
     sqrt(diag(vcov(fit)$cond))[finite], attr(VarCorr(fit)$cond$herd, "stddev")[[1]], as.numeric(logLik(fit)))

# ------------------------------------------------------------------ with a prior

sds <- function(formula, data) apply(model.matrix(formula, data), 2, sd)[-1]

with_prior <- function(id, data, formula, right, family, link, penalty, response) {
  fit <- bayesglm(
    update(right, paste(response, "~ .")), family, rows[[data]], prior.mean = 0, prior.df = Inf, scaled = FALSE,
    prior.scale = penalty / sds(right, rows[[data]]), prior.scale.for.intercept = Inf,
    control = glm.control(epsilon = 1e-14, maxit = 1000)
  )
  keep(id, data, formula, family$family, link, penalty, coef(fit), sqrt(diag(vcov(fit))))
}

for (penalty in c(0.5, 2.5)) {
  with_prior(paste("herds", penalty), "herds", "prop(incidence, size) ~ period", ~period, binomial(), "logit", penalty,
             "cbind(incidence, size - incidence)")
  with_prior(paste("epilepsy", penalty), "epilepsy", "seizures ~ treatment + visit + age", ~ treatment + visit + age,
             poisson(), "log", penalty, "seizures")
}
CONTROL <- glmerControl(optimizer = "nloptwrap", tolPwrss = 1e-13, optCtrl = list(
  algorithm = "NLOPT_LN_BOBYQA", xtol_rel = 0, xtol_abs = 1e-10, ftol_rel = 0, ftol_abs = 1e-13, maxeval = 1e5
))
mixed <- function(id, data, formula, right, r, family, link, penalty) {
  prior <<- c(1e6, penalty / sds(right, rows[[data]])) # the intercept is free
  fit <- bglmer(as.formula(r), rows[[data]], family, cov.prior = NULL, fixef.prior = normal(sd = prior), control = CONTROL)
  sd <- attr(VarCorr(fit)[[1]], "stddev")[[1]]
  keep(id, data, formula, family$family, link, penalty, fixef(fit), sd = sd, llf = as.numeric(logLik(fit)))
}
mixed("herds mixed 2.5", "herds", "prop(incidence, size) ~ period + (1 | herd)", ~period,
      "cbind(incidence, size - incidence) ~ period + (1 | herd)", binomial(), "logit", 2.5)
mixed("epilepsy mixed 1", "epilepsy", "seizures ~ treatment + visit + age + (1 | subject)", ~ treatment + visit + age,
      "seizures ~ treatment + visit + age + (1 | subject)", poisson(), "log", 1)

json <- jsonlite::toJSON(unname(results), auto_unbox = TRUE, digits = I(12), null = "null", na = "null")
writeLines(gsub('(\\{"id")', "\n\\1", json), file.path(HERE, "separation.json"))
