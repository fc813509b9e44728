# Reference tests and intervals: tables of car::Anova and lmerTest, likelihood-ratio tests and
# profile intervals of lme4, written to tests/reference/inference.json. See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_inference_reference.R     (from the root of the repository)
#
# Needs R with lme4, lmerTest, car, glmmTMB, numDeriv and jsonlite (Debian: r-cran-*).

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(car)
  library(glmmTMB)
})
options(warn = 1, contrasts = c("contr.treatment", "contr.poly"))

source("tests/reference/load_data.R")

LMER <- lmerControl(optimizer = "nloptwrap", optCtrl = list(
  algorithm = "NLOPT_LN_BOBYQA", xtol_rel = 0, xtol_abs = 1e-9, ftol_rel = 0, ftol_abs = 1e-12, maxeval = 1e5
))
GLMER <- glmerControl(optimizer = "nloptwrap", tolPwrss = 1e-12, optCtrl = list(
  algorithm = "NLOPT_LN_BOBYQA", xtol_rel = 0, xtol_abs = 1e-9, ftol_rel = 0, ftol_abs = 1e-13, maxeval = 1e5
))
TMB <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-12))

# id, data, thin (every k-th row left out), our formula, R's formula, family, kind of fit
MODELS <- list(
  list("seeds", "seeds", 0, "prop(germinated, seeds) ~ variety * extract + (1 | plate)",
       cbind(germinated, seeds - germinated) ~ variety * extract + (1 | plate), "binomial", "glmer"),
  list("herds", "herds", 0, "prop(incidence, size) ~ period + (1 | herd)",
       cbind(incidence, size - incidence) ~ period + (1 | herd), "binomial", "glmer"),
  list("epilepsy_offset", "epilepsy", 0,
       "seizures ~ treatment * age + C(period) + offset(log(base)) + (1 | subject)",
       seizures ~ treatment * age + factor(period) + offset(log(base)) + (1 | subject), "poisson", "glmer"),
  list("epilepsy_nb", "epilepsy", 9, "seizures ~ treatment * C(period) + log(base) + (1 | subject)",
       seizures ~ treatment * factor(period) + log(base) + (1 | subject), "negative_binomial", "glmmTMB"),
  list("arabidopsis", "arabidopsis", 0, "fruits ~ nutrient * clipping * status + rack + (1 | genotype)",
       fruits ~ nutrient * clipping * status + rack + (1 | genotype), "poisson", "glmer"),
  list("oats", "oats", 0, "yield ~ variety * C(nitro) + (1 | block/variety)",
       yield ~ variety * factor(nitro) + (1 | block/variety), "normal", "lmer"),
  list("oats_thinned", "oats", 7, "yield ~ variety * C(nitro) + (1 | block/variety)",
       yield ~ variety * factor(nitro) + (1 | block/variety), "normal", "lmer"),
  list("oats_slopes_thinned", "oats", 7, "yield ~ variety * nitro + (1 | block/variety)",
       yield ~ variety * nitro + (1 | block/variety), "normal", "lmer"),
  list("sleep", "sleep", 0, "reaction ~ days + (days | subject)",
       reaction ~ days + (days | subject), "normal", "lmer"),
  list("pigs", "pigs", 0, "weight ~ week + start_weight + vitamin_e * copper + (week | pig)",
       weight ~ week + start_weight + vitamin_e * copper + (week | pig), "normal", "lmer"),
  list("cake_thinned", "cake", 11, "angle ~ recipe * C(temperature) + (1 | replicate)",
       angle ~ recipe * factor(temperature) + (1 | replicate), "normal", "lmer"),
  list("oats_least_squares", "oats", 7, "yield ~ block + variety * C(nitro)",
       yield ~ block + variety * factor(nitro), "normal", "lm"),
  list("wheeze_glm", "wheeze", 5, "wheeze ~ smoke * C(age)", wheeze ~ smoke * factor(age), "binomial", "glm")
)

fit_of <- function(formula, d, family, kind, reml = TRUE) {
  switch(kind,
    lmer = lmer(formula, d, REML = reml, control = LMER),
    glmer = glmer(formula, d, family = family, control = GLMER),
    glmmTMB = glmmTMB(formula, d, family = nbinom2(), control = TMB),
    lm = lm(formula, d),
    glm = glm(formula, family, d, control = glm.control(epsilon = 1e-14))
  )
}

fixed_formula <- function(formula) lme4::nobars(formula)
coefficients_of <- function(fit) {
  if (inherits(fit, "glmmTMB")) return(list(b = fixef(fit)$cond, V = vcov(fit)$cond))
  if (inherits(fit, "merMod")) return(list(b = fixef(fit), V = as.matrix(vcov(fit))))
  list(b = coef(fit), V = vcov(fit))
}

# The model matrix, coded by treatments and by sums to zero, and which column belongs to which term.
matrices <- function(formula, d) {
  tt <- delete.response(terms(fixed_formula(formula)))
  factors <- Filter(function(v) is.factor(model.frame(tt, d)[[v]]), names(model.frame(tt, d)))
  coded <- function(how) model.matrix(tt, d, contrasts.arg = setNames(rep(list(how), length(factors)), factors))
  X <- coded("contr.treatment")
  list(X = X, S = coded("contr.sum"), assign = attr(X, "assign"), labels = attr(tt, "term.labels"),
       factors = attr(tt, "factors"))
}

# The rows of identity that car::Anova combines: type II as the difference of two hypotheses, type III on
# coefficients that are coded by sums to zero.
wald <- function(b, V, columns) if (length(columns)) drop(t(b[columns]) %*% solve(V[columns, columns], b[columns])) else 0
type_three <- function(m, b, V) {
  to_sum <- qr.solve(m$S, m$X)
  stopifnot(max(abs(m$S %*% to_sum - m$X)) < 1e-8)
  b <- drop(to_sum %*% b)
  V <- to_sum %*% V %*% t(to_sum)
  sapply(seq_along(m$labels), function(k) wald(b, V, which(m$assign == k)))
}
df_of <- function(m) sapply(seq_along(m$labels), function(k) sum(m$assign == k))
chisq_rows <- function(statistic, df) lapply(seq_along(statistic), function(k)
  list(statistic = statistic[k], df = df[k], p_value = pchisq(statistic[k], df[k], lower.tail = FALSE)))
our_term <- function(label) gsub("factor(", "C(", label, fixed = TRUE)
named <- function(rows, labels) setNames(rows, our_term(labels))

# lmerTest's F test of rows L: for terms whose hypothesis is not lmerTest's own.
f_test <- function(fit, L) {
  row <- lmerTest::contestMD(fit, L)
  list(statistic = row[["F value"]], df = row[["NumDF"]], den_df = row[["DenDF"]], p_value = row[["Pr(>F)"]])
}
# The same hypothesis in rows that are orthonormal in (X'X)^-1: the denominator df of another coding are those of these.
# (Of these rows contestMD gets F wrong where variances are equal: it takes general eigenvectors, which are not orthogonal then.)
with_df_of_orthonormal <- function(row, fit, L, X) {
  row$den_df <- f_test(fit, solve(t(chol(L %*% solve(crossprod(X), t(L)))), L))$den_df
  row$p_value <- pf(row$statistic, row$df, row$den_df, lower.tail = FALSE)
  row
}
lmer_rows <- function(fit, type) {
  a <- anova(fit, type = type, ddf = "Satterthwaite")
  setNames(lapply(seq_len(nrow(a)), function(k) list(statistic = a[k, "F value"], df = a[k, "NumDF"],
    den_df = a[k, "DenDF"], p_value = a[k, "Pr(>F)"])), our_term(rownames(a)))
}
# Terms that another term contains, where the other adds a covariate: lmerTest does not count it as a relative.
type_two_ols <- function(fit, m, term) {
  member <- m$factors[, term] > 0
  relatives <- which(apply(m$factors > 0, 2, function(column) all(column[member])))
  relatives <- setdiff(relatives, term)
  t_cols <- which(m$assign == term)
  r_cols <- which(m$assign %in% relatives)
  XtX <- solve(crossprod(m$X))
  L <- diag(ncol(m$X))[t_cols, , drop = FALSE]
  if (length(r_cols)) {
    L <- L - XtX[t_cols, r_cols, drop = FALSE] %*% solve(XtX[r_cols, r_cols]) %*% diag(ncol(m$X))[r_cols, , drop = FALSE]
  }
  with_df_of_orthonormal(f_test(fit, L), fit, L, m$X)
}

car_rows <- function(a, labels) {
  a <- a[labels, , drop = FALSE]
  statistic <- a[[intersect(c("Chisq", "F value", "F"), names(a))[1]]]
  p <- a[[grep("^Pr", names(a))]]
  lapply(seq_along(labels), function(k) list(statistic = statistic[k], df = a[["Df"]][k], p_value = p[k]))
}

anova_of <- function(spec) {
  names(spec) <- c("id", "data", "thin", "formula", "r_formula", "family", "kind")
  cat(spec$id, "\n")
  d <- thinned(load_data(spec$data), spec$thin)
  fit <- fit_of(spec$r_formula, d, spec$family, spec$kind)
  m <- matrices(spec$r_formula, d)
  co <- coefficients_of(fit)
  stopifnot(identical(names(co$b), colnames(m$X)))
  out <- list(id = spec$id, data = spec$data, thin = spec$thin, formula = spec$formula, family = spec$family,
              reml = spec$kind == "lmer", kind = spec$kind, names = names(co$b), beta = unname(co$b), vcov = unname(co$V))
  if (spec$kind == "lmer") {
    out$type2 <- lmer_rows(fit, 2)
    out$type3 <- lmer_rows(fit, 3)
    for (k in seq_along(m$labels)) {
      mine <- type_two_ols(fit, m, k)
      if (spec$id != "oats_slopes_thinned") stopifnot(all.equal(mine$statistic, out$type2[[our_term(m$labels[k])]]$statistic))
      out$type2[[our_term(m$labels[k])]] <- mine
      # lmerTest rounds its rows of type III; the same test of the exact rows
      to_sum <- qr.solve(m$S, m$X)
      L <- to_sum[m$assign == k, , drop = FALSE]
      mine <- f_test(fit, L)
      rounded <- out$type3[[our_term(m$labels[k])]]
      cat("   type III", m$labels[k], mine$statistic / rounded$statistic - 1, mine$den_df / rounded$den_df - 1, "\n")
      stopifnot(all.equal(mine$statistic, rounded$statistic, tolerance = 1e-6), all.equal(mine$den_df, rounded$den_df, tolerance = 1e-4))
      out$type3[[our_term(m$labels[k])]] <- with_df_of_orthonormal(mine, fit, L, m$X)
    }
  } else {
    a2 <- if (spec$kind == "glm") Anova(fit, type = 2, test.statistic = "Wald") else Anova(fit, type = 2)
    out$type2 <- named(car_rows(a2, m$labels), m$labels)
    three <- type_three(m, co$b, co$V)
    df <- df_of(m)
    if (spec$kind == "lm") {
      nu <- fit$df.residual
      for (t in names(out$type2)) out$type2[[t]]$den_df <- nu
      out$type3 <- named(lapply(seq_along(three), function(k) list(statistic = three[k] / df[k], df = df[k], den_df = nu,
        p_value = pf(three[k] / df[k], df[k], nu, lower.tail = FALSE))), m$labels)
    } else out$type3 <- named(chisq_rows(three, df), m$labels)
    # car's own table of a fit that is coded by sums to zero
    old <- options(contrasts = c("contr.sum", "contr.poly"))
    again <- fit_of(spec$r_formula, d, spec$family, spec$kind)
    a3 <- if (spec$kind == "glm") Anova(again, type = 3, test.statistic = "Wald") else Anova(again, type = 3)
    options(old)
    theirs <- sapply(car_rows(a3, m$labels), `[[`, "statistic")
    ours <- sapply(out$type3, `[[`, "statistic")
    cat("   type III against car's refit, worst relative difference", max(abs(theirs / ours - 1)), "\n")
    stopifnot(max(abs(theirs / ours - 1)) < 1e-3) # two searches; the tables are exact for the coefficients stored with them
  }
  out
}

# ------------------------------------------------------------------ likelihood ratios

lr_row <- function(big, small) {
  statistic <- 2 * as.numeric(logLik(big) - logLik(small))
  df <- attr(logLik(big), "df") - attr(logLik(small), "df")
  list(statistic = statistic, df = df, p_value = pchisq(statistic, df, lower.tail = FALSE))
}
ratios <- function() {
  seeds <- load_data("seeds"); herds <- load_data("herds"); oats <- thinned(load_data("oats"), 7)
  sleep <- load_data("sleep"); epilepsy <- load_data("epilepsy")
  S <- function(rhs) glmer(reformulate(rhs, quote(cbind(germinated, seeds - germinated))), seeds, binomial, control = GLMER)
  full <- S("variety * extract + (1 | plate)"); both <- S("variety + extract + (1 | plate)")
  O <- function(rhs) lmer(reformulate(rhs, "yield"), oats, REML = FALSE, control = LMER)
  of <- O("variety * factor(nitro) + (1 | block / variety)"); ob <- O("variety + factor(nitro) + (1 | block / variety)")
  H <- function(rhs) glmer(reformulate(rhs, quote(cbind(incidence, size - incidence))), herds, binomial, control = GLMER)
  Z <- function(rhs) lmer(reformulate(rhs, "reaction"), sleep, REML = FALSE, control = LMER)
  E <- function(rhs) glmmTMB(reformulate(rhs, "seizures"), epilepsy, family = nbinom2(), control = TMB)
  list(
    seeds = list(`variety:extract` = lr_row(full, both), variety = lr_row(both, S("extract + (1 | plate)")),
                 extract = lr_row(both, S("variety + (1 | plate)"))),
    herds = list(period = lr_row(H("period + (1 | herd)"), H("1 + (1 | herd)"))),
    oats_thinned = list(`variety:C(nitro)` = lr_row(of, ob), variety = lr_row(ob, O("factor(nitro) + (1 | block / variety)")),
                        `C(nitro)` = lr_row(ob, O("variety + (1 | block / variety)"))),
    sleep = list(days = lr_row(Z("days + (days | subject)"), Z("1 + (days | subject)"))),
    sleep_random = list(
      slope_and_correlation = lr_row(Z("days + (days | subject)"), Z("days + (1 | subject)")),
      correlation = lr_row(Z("days + (days | subject)"), Z("days + (1 | subject) + (0 + days | subject)")),
      slope = lr_row(Z("days + (1 | subject) + (0 + days | subject)"), Z("days + (1 | subject)"))),
    epilepsy = list(treatment = lr_row(E("treatment + log(base) + (1 | subject)"), E("log(base) + (1 | subject)")))
  )
}

# ------------------------------------------------------------------ profile intervals

interval_table <- function(fit, names) {
  ci <- confint(fit, method = "profile", oldNames = FALSE, quiet = TRUE, devtol = 1e-7)
  print(ci)
  stopifnot(nrow(ci) == length(names))
  setNames(lapply(seq_along(names), function(k) list(low = ci[k, 1], high = ci[k, 2])), names)
}
# confint interpolates the profile, which near a standard deviation of zero is off by up to 1 %. The
# same limits as roots of lme4's exact deviance, for models whose random terms are intercepts.
with_exact_sds <- function(table, fit) {
  deviance <- lme4:::devfun2(fit, useSc = TRUE)
  at <- as.data.frame(VarCorr(fit))$sdcor
  lowest <- deviance(at)
  fall <- function(value, k) {
    others <- function(q) { x <- at; x[k] <- value; x[-k] <- q; deviance(x) }
    rough <- optim(at[-k], others, method = "Nelder-Mead", control = list(reltol = 1e-14, maxit = 5000))
    nlminb(rough$par, others, control = list(rel.tol = 1e-14))$objective - lowest - qchisq(0.95, 1)
  }
  for (k in seq_along(at)) {
    exact <- list(low = uniroot(fall, c(0.1, 1) * at[k], k = k, tol = 1e-8)$root,
                  high = uniroot(fall, c(1, 4) * at[k], k = k, tol = 1e-8)$root)
    cat("   ", names(table)[k], "interpolated / exact - 1:", table[[k]]$low / exact$low - 1, table[[k]]$high / exact$high - 1, "\n")
    table[[k]] <- exact
  }
  table
}
profiles <- function() {
  herds <- load_data("herds"); sleep <- load_data("sleep"); oats <- load_data("oats")
  periods <- paste0("period[T.", 2:4, "]")
  by_nitro <- lmer(yield ~ nitro + (1 | block / variety), oats, REML = FALSE, control = LMER)
  list(
    herds = interval_table(
      glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), herds, binomial, control = GLMER),
      c("sd herd Intercept", "Intercept", periods)),
    sleep = interval_table(
      lmer(reaction ~ days + (days | subject), sleep, REML = FALSE, control = LMER),
      c("sd subject Intercept", "corr subject Intercept, days", "sd subject days", "residual sd", "Intercept", "days")),
    oats = with_exact_sds(interval_table(
      by_nitro, c("sd block:variety Intercept", "sd block Intercept", "residual sd", "Intercept", "nitro")), by_nitro)
  )
}

result <- list(
  versions = sapply(c("lme4", "lmerTest", "car", "glmmTMB"), function(p) as.character(packageVersion(p))),
  anova = lapply(MODELS, anova_of), likelihood_ratio = ratios(), profile = profiles()
)
result$versions <- as.list(result$versions)
writeLines(jsonlite::toJSON(result, digits = NA, auto_unbox = TRUE, pretty = 1), "tests/reference/inference.json")
