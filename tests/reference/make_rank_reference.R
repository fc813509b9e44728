# Reference fits whose fixed columns depend on each other (empty cells, a control beside a factorial,
# nested factors): R's fit, emmeans' means and contrasts, car's tests. Written to
# tests/reference/rank.json, the data with them. See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_rank_reference.R      (from the root of the repository)
#
# Needs R with lme4, lmerTest, emmeans, car and jsonlite (Debian: r-cran-*).

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(emmeans)
  library(car)
})
options(warn = 1, digits = 10, contrasts = c("contr.treatment", "contr.poly"))
HERE <- "tests/reference"

LMER <- lmerControl(optimizer = "nloptwrap", optCtrl = list(
  algorithm = "NLOPT_LN_BOBYQA", xtol_rel = 0, xtol_abs = 1e-10, ftol_rel = 0, ftol_abs = 1e-13, maxeval = 1e5
))
GLMER <- glmerControl(optimizer = "nloptwrap", tolPwrss = 1e-13, optCtrl = list(
  algorithm = "NLOPT_LN_BOBYQA", xtol_rel = 0, xtol_abs = 1e-10, ftol_rel = 0, ftol_abs = 1e-13, maxeval = 1e5
))

# ------------------------------------------------------------------ data

# Rows in every combination of three factors, with a random effect of block: cells of unequal size.
set.seed(20)
full <- expand.grid(rep = 1:3, c = c("u", "v"), b = c("p", "q", "s", "w"), a = c("k", "l", "m"), stringsAsFactors = FALSE)
full <- full[c("a", "b", "c", "rep")]
full <- full[-c(2, 11, 17, 29, 30, 41, 52, 60, 71), ]
full$block <- paste0("r", sample(1:8, nrow(full), TRUE))
full$x <- round(rnorm(nrow(full)), 2)
eta <- 0.5 * (full$a == "l") - 0.4 * (full$b == "q") + 0.3 * (full$a == "m") * (full$b == "s") + 0.3 * full$x +
  rnorm(8, 0, 0.5)[as.integer(substring(full$block, 2))]
full$y <- round(3 + eta + rnorm(nrow(full), 0, 0.6), 3)
full$count <- rpois(nrow(full), exp(1 + eta))
full$n <- sample(4:12, nrow(full), TRUE)
full$k <- rbinom(nrow(full), full$n, plogis(eta))

cell <- paste0(full$a, full$b)
one_empty <- full[cell != "mw", ]
two_empty <- full[!cell %in% c("kq", "ms"), ]
flat <- full
flat$x[flat$a == "l"] <- 0.5
three_way <- full[!(cell == "kp" & full$c == "u") & cell != "ls", ]

control <- expand.grid(block = paste0("r", 1:6), form = c("A", "B", "C"), dose = c("10", "20"), stringsAsFactors = FALSE)
control <- rbind(control, data.frame(block = paste0("r", 1:6), form = "none", dose = "0"))
control$kind <- ifelse(control$form == "none", "control", "treated")
control$y <- round(rnorm(nrow(control)) + 2 * (control$form != "none") + 0.8 * (control$form == "B") +
                     0.5 * (control$dose == "20") + rnorm(6)[as.integer(substring(control$block, 2))], 3)

nested <- expand.grid(rep = 1:4, variety = paste0("v", 1:7))
nested$variety <- as.character(nested$variety)
nested$site <- c(v1 = "east", v2 = "east", v3 = "east", v4 = "north", v5 = "north", v6 = "west", v7 = "west")[nested$variety]
nested$y <- round(rnorm(nrow(nested)) + as.integer(factor(nested$variety)) / 3, 3)
nested <- nested[-c(3, 14), ]

# ------------------------------------------------------------------ emmeans

table_of <- function(s) {
  limits <- attr(s, "clNames")
  value <- function(name) if (is.null(name) || !name %in% names(s)) rep(NA, nrow(s)) else as.numeric(s[[name]])
  out <- list(estimate = value(attr(s, "estName")), std_error = value("SE"), df = value("df"), conf_low = value(limits[1]), conf_high = value(limits[2]))
  known <- !is.na(out$estimate)
  out$df <- ifelse(known & !is.finite(out$df), -1, out$df) # JSON has no infinity
  if ("p.value" %in% names(s)) out$p_value <- value("p.value")
  lapply(out, function(v) I(ifelse(known, v, NA)))
}

means_of <- function(fit, factors) {
  args <- list(fit, cov.keep = character(0))
  if (inherits(fit, "lmerMod")) args <- c(args, lmer.df = "satterthwaite")
  em <- emmeans(do.call(ref_grid, args), rev(factors), type = "link") # the first of emmeans' factors varies fastest
  s <- summary(em, infer = c(TRUE, FALSE))
  levels <- lapply(factors, function(f) as.character(s[[f]]))
  list(factors = I(factors), levels = setNames(levels, factors), means = table_of(s),
       contrasts = table_of(summary(pairs(em, adjust = "tukey"), infer = c(TRUE, TRUE))))
}

# ------------------------------------------------------------------ models

# Tests: car::Anova type II, F by comparison of models for lm, likelihood ratios for glm, Wald for glmer.
tests_of <- function(fit) {
  table <- if (inherits(fit, "glmerMod")) Anova(fit, 2) else if (inherits(fit, "glm")) Anova(fit, 2, test.statistic = "LR") else Anova(fit, 2)
  table <- table[rownames(table) != "Residuals", ]
  statistic <- intersect(c("F value", "LR Chisq", "Chisq"), names(table))
  list(term = rownames(table), statistic = I(table[[statistic]]), df = I(table$Df), p_value = I(table[[ncol(table)]]))
}

results <- list()
add <- function(id, data, formula, r = formula, family = "normal", reml = FALSE, means, tests = TRUE) {
  mixed <- grepl("|", r, fixed = TRUE)
  args <- list(as.formula(r), data = data)
  if (mixed && family == "normal") args <- c(args, REML = reml, control = list(LMER))
  if (mixed && family != "normal") args <- c(args, family = family, control = list(GLMER))
  if (!mixed && family != "normal") args <- c(args, family = family, control = list(glm.control(epsilon = 1e-11, maxit = 100))) # glm finds the rank to a thousandth of it
  fit <- do.call(if (mixed) (if (family == "normal") lmerTest::lmer else glmer) else if (family == "normal") lm else glm, args)
  beta <- if (mixed) fixef(fit) else coef(fit)[!is.na(coef(fit))]
  results[[id]] <<- list(
    id = id, formula = formula, r_formula = r, family = family, reml = reml,
    data = lapply(as.list(data[setdiff(names(data), "rep")]), I),
    llf = as.numeric(logLik(fit)), df = attr(logLik(fit), "df"), names = names(beta), estimate = I(unname(beta)),
    means = lapply(means, function(f) means_of(fit, f)), tests = if (tests) tests_of(fit) else NULL
  )
}

add("one_empty_cell", one_empty, "y ~ a * b + (1 | block)", reml = TRUE, means = list("a", "b"), tests = FALSE)
add("one_empty_cell_binomial", one_empty, "prop(k, n) ~ a * b + x + (1 | block)", "cbind(k, n - k) ~ a * b + x + (1 | block)", "binomial",
    means = list("a", "b"))
add("two_empty_cells_counts", two_empty, "count ~ a * b", family = "poisson", means = list("a", "b", c("a", "b")))
add("three_factors", three_way, "y ~ a * b * c + x", means = list("a", "b", "c", c("a", "c")))
add("slope_of_a_constant", flat, "y ~ a * x + c", means = list("a", "c"))
add("control_and_factorial", control, "y ~ form * dose + (1 | block)", reml = TRUE, means = list("form", c("form", "dose")), tests = FALSE)
add("control_and_factorial_fixed_blocks", control, "y ~ block + form * dose", means = list("form", "dose", c("form", "dose")))
add("control_above_the_factorial", control, "y ~ kind + form + dose", means = list("form", "dose", "kind"))
add("nested_factors", nested, "y ~ site + variety", means = list("site", "variety"))
add("nested_with_slash", nested, "y ~ site / variety", means = list("site"))

json <- jsonlite::toJSON(unname(results), auto_unbox = TRUE, digits = I(12), null = "null", na = "null")
writeLines(gsub('(\\{"id")', "\n\\1", json), file.path(HERE, "rank.json"))
