# Reference means and contrasts: emmeans on polished fits, written to tests/reference/means.json.
# See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_means_reference.R      (from the root of the repository)
#
# Needs R with lme4, lmerTest, glmmTMB, emmeans, mvtnorm, numDeriv and jsonlite (Debian: r-cran-*).

suppressPackageStartupMessages({
  library(lme4)
  library(glmmTMB)
  library(emmeans)
})
options(warn = 1, digits = 10, contrasts = c("contr.treatment", "contr.poly"))
HERE <- "tests/reference"
index <- read.csv("data/index.csv", colClasses = "character")

# The functions of make_reference.R, without running it.
for (e in parse(file.path(HERE, "make_reference.R"))) {
  if (!is.call(e) || !identical(e[[1]], as.name("<-"))) next
  is_function <- is.call(e[[3]]) && identical(e[[3]][[1]], as.name("function"))
  if (is_function || identical(e[[2]], as.name("R_FAMILY"))) eval(e)
}

# ------------------------------------------------------------------ fits: bhat and V beyond the packages' defaults

polish_tmb <- function(m, d) {
  fit <- call_glmmTMB(m, d)
  obj <- fit$obj
  obj$env$inner.control <- list(maxit = 1000, tol = 1e-12, tol10 = 1e-12, trace = FALSE)
  obj$env$silent <- TRUE
  opt <- nlminb(fit$fit$par, obj$fn, obj$gr, control = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-14, x.tol = 1e-12))
  polished <- newton_polish(obj$fn, obj$gr, opt$par, m$id)
  beta <- which(names(polished$par) == "beta")
  list(fit = fit, bhat = unname(polished$par[beta]), V = unname(polished$vcov[beta, beta, drop = FALSE]),
       names = names(fixef(fit)$cond), df = Inf)
}

polish_lmer <- function(m, d) {
  args <- list(formula = as.formula(m$r), data = d, REML = m$reml,
               control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE))
  first <- do.call(lmer, args)
  devfun <- do.call(lmer, c(args, devFunOnly = TRUE))
  theta <- getME(first, "theta")
  for (i in 1:8) {
    g <- numDeriv::grad(devfun, theta, method.args = list(eps = 1e-3, d = 1e-3, r = 6))
    H <- numDeriv::hessian(devfun, theta, method.args = list(eps = 1e-3, d = 1e-2, r = 6))
    theta <- theta - as.vector(solve(H, g))
  }
  lf <- do.call(lFormula, args)
  fit <- mkMerMod(environment(devfun), list(par = theta, fval = devfun(theta), conv = 0, message = ""), lf$reTrms, lf$fr,
                  mc = first@call)
  fit <- lmerTest::as_lmerModLmerTest(fit, tol = 1e-6)
  list(fit = fit, bhat = unname(fixef(fit)), V = unname(as.matrix(vcov(fit))), names = names(fixef(fit)), df = NULL)
}

fit_glm <- function(m, d) {
  args <- list(formula = as.formula(m$r), data = d)
  if (m$family != "normal") args <- c(args, list(family = m$family, control = glm.control(epsilon = 1e-15, maxit = 100)))
  if (!is.null(m$offset)) args$offset <- eval(str2lang(m$offset), d)
  fit <- do.call(if (m$family == "normal") lm else glm, args)
  list(fit = fit, bhat = unname(coef(fit)), V = unname(vcov(fit)), names = names(coef(fit)), df = NULL)
}

# ------------------------------------------------------------------ emmeans

table_of <- function(s, what) {
  name <- attr(s, "estName")
  limits <- attr(s, "clNames")
  out <- list(estimate = s[[name]], std_error = s$SE, df = s$df, conf_low = s[[limits[1]]], conf_high = s[[limits[2]]])
  out$df <- ifelse(is.finite(out$df), out$df, -1) # JSON has no infinity
  if (what == "contrasts") {
    out$statistic <- s[[intersect(c("t.ratio", "z.ratio"), names(s))]]
    out$p_value <- s$p.value
  } else {
    keys <- attr(s, "pri.vars")
    by <- attr(s, "by.vars")
    for (k in c(keys, by)) out$levels[[k]] <- as.character(s[[k]])
  }
  lapply(out, I)
}

run_task <- function(fitted, task) {
  args <- list(fitted$fit, cov.keep = character(0))
  if (!is.null(task$at)) args$at <- task$at
  if (inherits(fitted$fit, "lmerMod")) args <- c(args, lmer.df = "satterthwaite")
  if (identical(fitted$df, Inf)) args$df <- Inf
  rg <- do.call(ref_grid, args)
  rg@bhat <- fitted$bhat
  rg@V <- fitted$V
  # the first of emmeans' factors varies fastest, our last does
  em <- emmeans(rg, rev(task$factors), by = task$by, weights = task$weights)
  type <- if (task$scale == "link") "link" else "response"
  out <- list(call = task[c("factors", "by", "at", "weights", "scale")], means = table_of(summary(em, type = type, infer = c(TRUE, FALSE)), "means"))
  out$contrasts <- lapply(task$contrasts, function(k) {
    args <- list(em)
    if (is.null(k$interaction)) args$method <- sub("consecutive", "consec", k$method) else args$interaction <- rev(unlist(k$interaction))
    if (k$method %in% "trt.vs.ctrl" && !is.null(k$ref)) args$ref <- k$ref
    if (!is.null(k$by)) args$by <- k$by
    con <- do.call(contrast, args)
    set.seed(1)
    list(method = k$method, adjust = k$adjust, reference = k$reference, by = k$by, interaction = k$interaction,
         table = table_of(summary(con, type = type, infer = c(TRUE, TRUE), adjust = k$adjust), "contrasts"))
  })
  out
}

con <- function(method, adjust = "none", ...) list(method = method, adjust = adjust, ...)
task <- function(factors, ..., by = NULL, at = NULL, weights = "equal", scale = "response") {
  list(factors = factors, by = by, at = at, weights = weights, scale = scale, contrasts = list(...))
}
every_adjustment <- lapply(c("none", "tukey", "sidak", "bonferroni", "holm", "fdr", "mvt"), function(a) con("pairwise", a))
every <- function(factors, ...) do.call(task, c(list(factors), every_adjustment, list(...)))

models <- list()
M <- function(id, data, formula, r, family = "normal", link = NULL, how = "tmb", tasks, drop = NULL, reml = FALSE, ...) {
  link <- link %||% c(normal = "identity", binomial = "logit", betabinomial = "logit", poisson = "log", negative_binomial = "log", gamma = "log")[[family]]
  models[[id]] <<- list(id = id, data = data, formula = formula, r = r, family = family, link = link, how = how, tasks = tasks, drop = drop, reml = reml, ...)
}

M("oats_split_plot", "oats", "yield ~ variety * C(nitro) + (1 | block/variety)", "yield ~ variety * factor(nitro) + (1 | block/variety)", how = "lmer", reml = TRUE,
  tasks = list(
    every("variety"),
    task("nitro", con("poly"), con("consecutive", "mvt"), con("trt.vs.ctrl", "mvt"), con("trt.vs.ctrl", "sidak", ref = 3, reference = "0.4")),
    task(c("variety", "nitro"), con("pairwise", "tukey"), con("pairwise", interaction = list(variety = "pairwise", nitro = "poly")),
         con("pairwise", "tukey", by = "nitro")),
    task("nitro", con("pairwise", "tukey"), by = "variety")
  ))
M("oats_unbalanced", "oats", "yield ~ variety + C(nitro) + (1 | block/variety)", "yield ~ variety + factor(nitro) + (1 | block/variety)", how = "lmer", reml = TRUE,
  drop = c(2, 3, 17, 30, 31, 45, 60, 66),
  tasks = list(every("variety"), task("variety", weights = "proportional", con("pairwise", "tukey")), task("variety", weights = "cells", con("pairwise", "holm")),
               task("nitro", con("poly", "sidak"))))
M("oats_least_squares", "oats", "yield ~ block + variety * nitro", "yield ~ block + variety * nitro", how = "glm",
  tasks = list(task("variety", con("pairwise", "tukey")), task("variety", con("pairwise", "tukey"), at = list(nitro = 0.2)),
               task(c("variety", "nitro"), con("consecutive", "bonferroni"), at = list(nitro = c(0, 0.6))), task("block", con("pairwise", "mvt"))))
M("cake_covariate", "cake", "angle ~ recipe * temperature + (1 | recipe:replicate)", "angle ~ recipe * temperature + (1 | recipe:replicate)", how = "lmer", reml = TRUE,
  tasks = list(task("recipe", con("pairwise", "tukey")), task("recipe", con("pairwise", "sidak"), by = "temperature", at = list(temperature = c(180, 220)))))
M("cake_log_response", "cake", "log(angle) ~ recipe + C(temperature) + (1 | recipe:replicate)", "log(angle) ~ recipe + factor(temperature) + (1 | recipe:replicate)", how = "lmer",
  tasks = list(task("temperature", con("pairwise", "tukey"), scale = "link")))
M("seeds_binomial", "seeds", "prop(germinated, seeds) ~ variety * extract + (1 | plate)", "cbind(germinated, seeds - germinated) ~ variety * extract + (1 | plate)", "binomial",
  tasks = list(every(c("variety", "extract")), task("extract", con("pairwise", "none"), by = "variety"),
               task(c("variety", "extract"), con("pairwise", interaction = list(variety = "pairwise", extract = "pairwise"))),
               task("variety", con("pairwise", "tukey"), scale = "link", weights = "proportional")))
M("herds_binomial", "herds", "prop(incidence, size) ~ period + (1 | herd)", "cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial",
  tasks = list(every("period"), every("period", scale = "link"), task("period", con("trt.vs.ctrl", "mvt"), con("poly"), con("consecutive", "holm"))))
M("herds_cloglog", "herds", "prop(incidence, size) ~ period + (1 | herd)", "cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial", "cloglog",
  tasks = list(task("period", con("pairwise", "tukey"))))
M("wheeze_covariate", "wheeze", "wheeze ~ smoke * age + (1 | child)", "wheeze ~ smoke * age + (1 | child)", "binomial",
  tasks = list(task("smoke", con("pairwise")), task("smoke", con("pairwise"), by = "age", at = list(age = c(7, 10)))))
M("epilepsy_offset", "epilepsy", "seizures ~ treatment * C(period) + age + offset(log(base)) + (1 | subject)",
  "seizures ~ treatment * factor(period) + age + offset(log(base)) + (1 | subject)", "poisson",
  tasks = list(task("treatment", con("pairwise")), task("treatment", con("pairwise"), by = "period"), task("period", con("pairwise", "tukey"), at = list(base = 10))))
M("epilepsy_offset_argument", "epilepsy", "seizures ~ treatment + C(period)", "seizures ~ treatment + factor(period)", "poisson", how = "glm", offset = "log(base)",
  tasks = list(task("period", con("pairwise", "tukey"))))
M("arabidopsis_negative_binomial", "arabidopsis", "fruits ~ nutrient * clipping + rack + status + (1 | genotype)",
  "fruits ~ nutrient * clipping + rack + status + (1 | genotype)", "negative_binomial",
  tasks = list(task("status", con("pairwise", "tukey")), task("status", con("pairwise", "mvt"), weights = "proportional"),
               task("status", con("pairwise", "fdr"), weights = "cells"), task("clipping", con("pairwise"), by = "nutrient"),
               task(c("nutrient", "status"), con("pairwise", "tukey"), weights = "proportional")))
M("pigs_gamma", "pigs", "weight ~ vitamin_e * copper + week + (1 | pig)", "weight ~ vitamin_e * copper + week + (1 | pig)", "gamma",
  tasks = list(task(c("vitamin_e", "copper"), con("pairwise", "tukey")), task("copper", con("trt.vs.ctrl", "mvt"), at = list(week = c(1, 12)))))
M("cane_betabinomial", "cane", "prop(diseased, shoots) ~ block + log(stems) + (1 | variety)", "cbind(diseased, shoots - diseased) ~ block + log(stems) + (1 | variety)", "betabinomial",
  tasks = list(task("block", con("pairwise", "tukey"))))
M("zeros_poisson", "zeros", "poisson ~ treatment + x + (1 | group)", "poisson ~ treatment + x + (1 | group)", "poisson", zi = "~ treatment", r_zi = "~ treatment",
  tasks = list(task("treatment", con("pairwise"))))

# ------------------------------------------------------------------ run

results <- lapply(models, function(m) {
  t0 <- proc.time()[["elapsed"]]
  d <- load_data(m$data)
  file <- attr(d, "file")
  categories <- attr(d, "categories")
  if (!is.null(m$drop)) d <- d[-m$drop, ]
  fitted <- switch(m$how, tmb = polish_tmb, lmer = polish_lmer, glm = fit_glm)(m, d)
  tasks <- lapply(m$tasks, function(t) run_task(fitted, t))
  cat(sprintf("%-32s %d tasks, %.1f s\n", m$id, length(tasks), proc.time()[["elapsed"]] - t0))
  list(id = m$id, data = m$data, data_file = file, data_categories = categories, drop = if (is.null(m$drop)) NULL else I(m$drop - 1), formula = m$formula, r_formula = m$r,
       family = m$family, link = m$link, reml = m$reml, zero_inflation = m$zi, offset = m$offset,
       names = I(our_names(fitted$names, d)), estimate = I(fitted$bhat), covariance = fitted$V, tasks = tasks)
})
json <- jsonlite::toJSON(unname(results), auto_unbox = TRUE, digits = I(15), null = "null", na = "null", pretty = 1)
writeLines(json, file.path(HERE, "means.json"))
