# Reference fits of responses with zeros, ones and truncation, and of counts of any dispersion, by
# glmmTMB; written to tests/reference/two_part.json with their data. See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_two_part_reference.R     (from the root of the repository)
#
# Needs R with glmmTMB and jsonlite (Debian: r-cran-*).

suppressPackageStartupMessages(library(glmmTMB))
options(warn = 1, digits = 10)
source("tests/reference/load_data.R")

# ------------------------------------------------------------------ data

# 40 groups of 8 rows with an intercept and a slope of their own; x is numeric, f a factor.
set.seed(20261117)
groups <- 40
g <- rep(seq_len(groups), each = 8)
n <- length(g)
d <- data.frame(g = paste0("g", g), x = round(rnorm(n), 2), f = rep(c("a", "b"), length.out = n))
a <- rnorm(groups, 0, 0.5)[g]
b <- rnorm(groups, 0, 0.3)[g]
eta <- 0.4 + 0.4 * d$x + 0.3 * (d$f == "b") + a + b * d$x
zero <- runif(n) < plogis(-0.8 + 0.6 * d$x + 0.5 * (d$f == "b"))

above_zero <- function(draw) {
  y <- draw(n)
  while (any(y == 0)) y <- ifelse(y == 0, draw(n), y)
  y
}
# Consul & Jain's probabilities with mean mu and variance phi mu, divided by their sum.
draw_genpois <- function(mu, phi) {
  y <- 0:200
  reach <- mu / sqrt(phi) + (1 - 1 / sqrt(phi)) * y
  last <- which(reach <= 0)[1]
  kept <- if (is.na(last)) seq_along(y) else seq_len(last - 1)
  log_p <- log(mu / sqrt(phi)) + (y[kept] - 1) * log(reach[kept]) - reach[kept] - lgamma(y[kept] + 1)
  sample(y[kept], 1, prob = exp(log_p))
}
between <- function(mu, phi) pmin(pmax(round(rbeta(n, phi * mu, phi * (1 - mu)), 4), 1e-4), 1 - 1e-4)

d$seen <- above_zero(function(n) rpois(n, exp(eta)))
d$clustered <- above_zero(function(n) rnbinom(n, mu = exp(eta + 0.5), size = 1 / 0.7))
d$caught <- ifelse(zero, 0, d$seen)
d$catch <- ifelse(zero, 0, d$clustered)
d$litter <- sapply(exp(1.2 + eta / 2), draw_genpois, phi = 0.45)
d$many <- sapply(exp(1.6 + eta / 2), draw_genpois, phi = 2)
d$fewer <- ifelse(runif(n) < 0.25, 0, d$many)
d$biomass <- ifelse(zero, 0, round(rgamma(n, 3, 3 / exp(eta)), 4))
d$share <- ifelse(zero, 0, between(plogis(eta - 0.6), 8))
u <- runif(n)
low <- plogis(-1.5 - (eta - 0.6))
high <- plogis(eta - 0.6 - 1.8)
d$cover <- ifelse(u < low, 0, ifelse(u > 1 - high, 1, between(plogis(eta - 0.6), 8)))

epilepsy <- load_data("epilepsy")

# ------------------------------------------------------------------ models

model <- function(id, response, right, family, link, options = list(), data = "simulated", r = right) {
  list(id = id, response = response, right = right, r_right = r, family = family, link = link,
       options = options, data = data)
}
zi <- function(text) list(zero_inflation = text)
MODELS <- list(
  model("truncated_poisson", "seen", "x + f + (1 | g)", "truncated_poisson", "log"),
  model("truncated_nbinom2", "clustered", "x + f + (1 | g)", "truncated_negative_binomial", "log"),
  model("truncated_nbinom2_fixed", "clustered", "x * f", "truncated_negative_binomial", "log"),
  model("hurdle_poisson", "caught", "x + f + (1 | g)", "truncated_poisson", "log", zi("~ x + f")),
  model("hurdle_nbinom2", "catch", "x + f + (1 | g)", "truncated_negative_binomial", "log", zi("~ x")),
  model("hurdle_nbinom2_slopes", "catch", "x + (x || g)", "truncated_negative_binomial", "log", zi("~ 1"),
        r = "x + (1 | g) + (0 + x | g)"),
  model("hurdle_epilepsy", "seizures", "treatment + log(base) + (1 | subject)", "truncated_negative_binomial",
        "log", zi("~ log(base)"), "epilepsy"),
  model("genpois_under", "litter", "x + f + (1 | g)", "genpois", "log"),
  model("genpois_under_fixed", "litter", "x * f", "genpois", "log"),
  model("genpois_over", "many", "x + f + (1 | g)", "genpois", "log"),
  model("genpois_zeros", "fewer", "x + f + (1 | g)", "genpois", "log", zi("~ x")),
  model("ordered_beta", "cover", "x + f + (1 | g)", "ordered_beta", "logit"),
  model("ordered_beta_slopes", "cover", "x + (x | g)", "ordered_beta", "logit"),
  model("ordered_beta_fixed", "cover", "x * f", "ordered_beta", "logit"),
  model("gamma_zeros", "biomass", "x + f + (1 | g)", "gamma", "log", zi("~ x + f")),
  model("gamma_zeros_slopes", "biomass", "x + (x || g)", "gamma", "log", zi("~ 1"),
        r = "x + (1 | g) + (0 + x | g)"),
  model("lognormal_zeros", "biomass", "x + f + (1 | g)", "lognormal", "log", zi("~ x")),
  model("beta_zeros", "share", "x + f + (1 | g)", "beta", "logit", zi("~ x + f")),
  model("beta_zeros_fixed", "share", "x * f", "beta", "logit", zi("~ 1"))
)
IN_R <- c(
  truncated_poisson = "truncated_poisson", truncated_negative_binomial = "truncated_nbinom2", genpois = "genpois",
  ordered_beta = "ordbeta", gamma = "ziGamma", beta = "beta_family"
)

# ------------------------------------------------------------------ fits

source("tests/reference/polish.R")

phi_of <- function(m, sigma) {
  switch(m$family, truncated_negative_binomial = 1 / sigma, gamma = sigma^2, lognormal = sigma^2, truncated_poisson = NULL, sigma)
}

# glmmTMB 1.1.5 has no lognormal family: a normal model of the logarithms above 0, and a logistic one.
two_fits <- function(m, frame) {
  positive <- frame[frame[[m$response]] > 0, ]
  mean <- polish(glmmTMB(as.formula(paste0("log(", m$response, ") ~ ", m$r_right)), positive, control = CONTROL))
  zero <- polish(glmmTMB(as.formula(paste0("I(", m$response, " == 0) ", m$options$zero_inflation)), frame, binomial, control = CONTROL))
  beta <- of(mean, "beta")
  log_sigma <- of(mean, "betad")$estimate # the logarithm of the variance
  list(
    llf = mean$llf - sum(log(positive[[m$response]])) + zero$llf, beta = beta, intercept_on = "the mean of log(y)",
    phi = exp(log_sigma), sds = exp(of(mean, "theta")$estimate), zero = of(zero, "beta")
  )
}

fit <- function(m) {
  frame <- if (m$data == "simulated") d else epilepsy
  if (m$family == "lognormal") return(c(m, two_fits(m, frame)))
  formula <- as.formula(paste(m$response, "~", m$r_right))
  ziformula <- if (is.null(m$options$zero_inflation)) ~0 else as.formula(m$options$zero_inflation)
  family <- get(IN_R[[m$family]])(link = m$link)
  start <- if (m$family == "ordered_beta") list(psi = c(-1, 1)) # without it 1.1.5 starts at nan
  fitted <- glmmTMB(formula, frame, family, ziformula = ziformula, start = start, control = CONTROL)
  found <- polish(fitted)
  result <- list(llf = found$llf, beta = of(found, "beta"))
  fitted$fit$par <- found$par
  result$phi <- phi_of(m, sigma(fitted))
  theta <- of(found, "theta")$estimate
  if (length(theta)) result$sds <- exp(theta[seq_len(if (grepl("(x |", m$right, fixed = TRUE)) 2 else 1)])
  if (length(m$options)) result$zero <- of(found, "betazi")
  if (m$family == "ordered_beta") result$cutpoints <- of(found, "psi")$estimate
  c(m, result)
}

models <- lapply(MODELS, function(m) {
  cat(m$id, "\n")
  fit(m)
})
out <- list(
  version = paste("glmmTMB", packageVersion("glmmTMB")),
  data = d,
  models = models
)
writeLines(jsonlite::toJSON(out, digits = NA, auto_unbox = TRUE, dataframe = "columns", null = "null"), "tests/reference/two_part.json")
