# Reference slopes and joint tests by emmeans, R² and intraclass correlations by performance where its
# definitions are those of Nakagawa, Johnson & Schielzeth (2017). Written to tests/reference/slopes.json.
# See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_slopes_reference.R      (from the root of the repository)
#
# Needs R with lme4, lmerTest, glmmTMB, emmeans, performance, car, splines and jsonlite (Debian: r-cran-*).

suppressPackageStartupMessages({
  library(lme4)
  library(emmeans)
  library(performance)
  library(splines)
  library(glmmTMB)
})
options(warn = 1, digits = 12, contrasts = c("contr.treatment", "contr.poly"))
HERE <- "tests/reference"
source(file.path(HERE, "load_data.R"))
emm_options(lmer.df = "satterthwaite")
TIGHT <- glm.control(epsilon = 1e-15, maxit = 100)
cake <- load_data("cake")
epilepsy <- load_data("epilepsy")
sleep <- load_data("sleep")
herds <- load_data("herds")
oats <- load_data("oats")

fits <- list(
  quadratic = list(fit = lm(angle ~ recipe * (temperature + I(temperature^2)), cake), data = "cake",
                   formula = "angle ~ recipe * (temperature + I(temperature**2))", family = "normal"),
  spline = list(fit = lm(reaction ~ bs(days, df = 4), sleep), data = "sleep", formula = "reaction ~ bs(days, df=4)", family = "normal"),
  poisson = list(fit = glm(seizures ~ treatment * log(base) + age, poisson, epilepsy, control = TIGHT), data = "epilepsy",
                 formula = "seizures ~ treatment * log(base) + age", family = "poisson"),
  binomial = list(fit = glm(I(seizures > 5) ~ treatment * base + age, binomial, epilepsy, control = TIGHT), data = "epilepsy",
                  formula = "I(seizures > 5) ~ treatment * base + age", family = "binomial"),
  mixed = list(fit = lmerTest::lmer(angle ~ recipe * temperature + (1 | recipe:replicate), cake), data = "cake",
               formula = "angle ~ recipe * temperature + (1 | recipe:replicate)", family = "normal")
)
task <- function(model, x, by = NULL, at = NULL, scale = "link") list(model = model, x = x, by = by, at = at, scale = scale)
tasks <- list(
  task("quadratic", "temperature", "recipe"), task("quadratic", "temperature"),
  task("quadratic", "temperature", "recipe", at = list(temperature = 180)),
  task("spline", "days", at = list(days = 2.5)), task("poisson", "base", "treatment"),
  task("poisson", "base", "treatment", at = list(base = 12), scale = "response"), task("poisson", "age", scale = "response"),
  task("binomial", "base", "treatment", scale = "response"), task("binomial", "base", "treatment"),
  task("mixed", "temperature", "recipe")
)
columns_of <- function(table, estimate) {
  found <- list(estimate = I(table[[estimate]]), std_error = I(table$SE), df = I(ifelse(is.finite(table$df), table$df, -1)))
  ends <- intersect(c("lower.CL", "asymp.LCL"), names(table))
  c(found, list(conf_low = I(table[[ends]]), conf_high = I(table[[sub("lower", "upper", sub("LCL", "UCL", ends))]])))
}
slopes <- lapply(tasks, function(t) {
  m <- fits[[t$model]]
  specs <- if (is.null(t$by)) ~1 else as.formula(paste("~", t$by))
  # a difference forward over a thousandth of the range, unless said otherwise: here the mean of one
  # forward and one backward, whose errors cancel
  step <- 1e-4 * diff(range(get(m$data)[[t$x]]))
  tables <- lapply(c(step, -step), function(step) {
    args <- list(m$fit, specs, var = t$x, at = t$at, delta.var = step, data = get(m$data))
    if (t$scale == "response") args$regrid <- "response"
    trends <- do.call(emtrends, args)
    out <- list(slopes = columns_of(summary(trends, infer = c(TRUE, TRUE)), paste0(t$x, ".trend")))
    if (!is.null(t$by)) {
      pairs <- summary(contrast(trends, "pairwise", adjust = "none"), infer = c(TRUE, TRUE))
      out$contrasts <- columns_of(pairs, "estimate")
    }
    out
  })
  both <- function(what) Map(function(a, b) I((a + b) / 2), tables[[1]][[what]], tables[[2]][[what]])
  c(t, both("slopes"), if (!is.null(t$by)) list(contrasts = both("contrasts")), m[c("data", "formula", "family")])
})

joint <- function(id, fit, data, formula, family, by) {
  found <- joint_tests(fit, by = by, cov.reduce = mean)
  found <- as.data.frame(found)
  found <- found[found[["model term"]] == "recipe" | found[["model term"]] == "variety" | found[["model term"]] == "nitro", ]
  list(id = id, data = data, formula = formula, family = family, by = by, term = found[["model term"]], level = as.character(found[[by]]),
       df = found$df1, den_df = ifelse(is.finite(found$df2), found$df2, -1), statistic = found$F.ratio, p_value = found$p.value)
}
oats$nitro <- factor(oats$nitro)
tests <- list(
  joint("oats", lmerTest::lmer(yield ~ variety * nitro + (1 | block/variety), oats), "oats", "yield ~ variety * C(nitro) + (1 | block/variety)", "normal", "variety"),
  joint("oats_least_squares", lm(yield ~ block + variety * nitro, oats), "oats", "yield ~ block + variety * C(nitro)", "normal", "nitro")
)

shares <- function(id, fit, data, formula, family = "normal", link = NULL, reml = FALSE) {
  r <- r2_nakagawa(fit)
  i <- icc(fit)
  list(id = id, data = data, formula = formula, family = family, link = link, reml = reml, marginal = unname(r$R2_marginal),
       conditional = unname(r$R2_conditional), icc = i$ICC_adjusted, unadjusted = i$ICC_unadjusted)
}
# not lme4, which takes the expected information for links that are not canonical
bin <- function(link) glmmTMB(cbind(incidence, size - incidence) ~ period + (1 | herd), herds, binomial(link))
r2 <- c(
  list(shares("slopes", lmer(reaction ~ days + (days | subject), sleep), "sleep", "reaction ~ days + (days | subject)", reml = TRUE),
       shares("nested", lmer(yield ~ variety + nitro + (1 | block/variety), oats), "oats", "yield ~ variety + C(nitro) + (1 | block/variety)", reml = TRUE)),
  lapply(c("logit", "probit", "cloglog"), function(link) shares(link, bin(link), "herds", "prop(incidence, size) ~ period + (1 | herd)", "binomial", link))
)
by_group <- icc(lmer(yield ~ variety + nitro + (1 | block/variety), oats), by_group = TRUE)
versions <- sapply(c("lme4", "lmerTest", "emmeans", "performance", "insight"), function(p) as.character(packageVersion(p)))
out <- list(versions = as.list(c(R = paste(R.version$major, R.version$minor, sep = "."), versions)), slopes = slopes, joint = tests, r2 = r2,
            icc_by_group = list(group = by_group$Group, icc = by_group$ICC))
writeLines(jsonlite::toJSON(out, auto_unbox = TRUE, digits = 12, pretty = TRUE, null = "null"), file.path(HERE, "slopes.json"))
