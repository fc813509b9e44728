# Reference estimating equations: geepack's fits, written to tests/reference/gee.json. See README.md
# beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_gee_reference.R      (from the root of the repository)
#
# Needs R with geepack and jsonlite (Debian: r-cran-geepack r-cran-jsonlite).
#
# geepack solves the equations at a given working correlation (corstr = "fixed"), and the moments of
# its Pearson residuals give the next one, until both stand still: statsmodels' moments, with p taken
# from the number of rows and of pairs. geepack's own fits, with moments of its own, stand beside.

suppressPackageStartupMessages(library(geepack))
options(warn = 1, digits = 10, contrasts = c("contr.treatment", "contr.poly"))

source("tests/reference/load_data.R")
data_of <- function(name) if (name == "series") read.csv("tests/reference/data/series.csv") else load_data(name)

ALL <- c("independence", "exchangeable", "ar1", "unstructured")
model <- function(id, data, formula, r_formula, family, groups, time, working, link = NULL, weights = NULL)
  as.list(environment())
MODELS <- list(
  model("wheeze", "wheeze", "wheeze ~ age + smoke", wheeze ~ age + smoke, binomial(), "child", "age", ALL),
  model("wheeze_probit", "wheeze", "wheeze ~ age * smoke", wheeze ~ age * smoke, binomial("probit"), "child", "age",
        "exchangeable", link = "probit"),
  model("herds", "herds", "prop(incidence, size) ~ period", incidence / size ~ period, binomial(), "herd", NULL,
        c("independence", "exchangeable"), weights = "size"),
  model("pigs", "pigs", "weight ~ week + copper", weight ~ week + copper, gaussian(), "pig", "week", ALL),
  model("rats", "rats", "weight ~ day + diet", weight ~ day + diet, gaussian(), "rat", "day", "ar1"),
  model("epilepsy", "epilepsy", "seizures ~ treatment + age + offset(log(base))",
        seizures ~ treatment + age + offset(log(base)), poisson(), "subject", "period", ALL),
  model("series_normal", "series", "y ~ x", y ~ x, gaussian(), "series", "time", c("exchangeable", "ar1"),
        weights = "trials"),
  model("series_poisson", "series", "count ~ x", count ~ x, poisson(), "series", "time", c("exchangeable", "ar1")),
  model("series_gamma", "series", "amount ~ x", amount ~ x, Gamma("log"), "series", "time", c("exchangeable", "ar1"))
)

# ------------------------------------------------------------------ moments of the residuals

pairs_of <- function(d, groups, of) unlist(lapply(split(seq_len(nrow(d)), d[[groups]]), function(rows) {
  if (length(rows) < 2) return(NULL)
  apply(combn(rows, 2), 2, function(k) of(k[1], k[2]))
}))

# least squares of products - alpha ^ gaps, with neighbours in time; gaps are whole numbers
decay <- function(products, gaps) {
  fall <- function(alpha) sum((products - alpha^gaps)^2)
  slope <- function(alpha) sum((alpha^gaps - products) * gaps * alpha^(gaps - 1))
  grid <- seq(-0.999, 0.999, length.out = 1999)
  k <- which.min(vapply(grid, fall, 0))
  uniroot(slope, grid[c(k - 1, k + 1)], tol = 1e-16)$root
}

correlation_of <- function(working, r, d, m, p) {
  n <- length(r)
  phi <- sum(r^2) / (n - p)
  time <- if (is.null(m$time)) NULL else d[[m$time]]
  if (working == "independence") return(list(alpha = 0, of = function(i, j) 0))
  if (working == "exchangeable") {
    products <- pairs_of(d, m$groups, function(i, j) r[i] * r[j])
    alpha <- sum(products) / phi / (length(products) - p)
    return(list(alpha = alpha, of = function(i, j) alpha))
  }
  if (working == "ar1") {
    neighbours <- which(d[[m$groups]][-1] == d[[m$groups]][-n])
    alpha <- decay(r[neighbours] * r[neighbours + 1] / mean(r^2), time[neighbours + 1] - time[neighbours])
    return(list(alpha = alpha, of = function(i, j) alpha^abs(time[i] - time[j])))
  }
  place <- match(time, sort(unique(time)))
  k <- max(place)
  total <- count <- matrix(0, k, k)
  for (rows in split(seq_len(n), d[[m$groups]])) {
    s <- place[rows]
    total[s, s] <- total[s, s] + tcrossprod(r[rows])
    count[s, s] <- count[s, s] + 1
  }
  R <- cov2cor(total / (count - p))
  list(alpha = R, of = function(i, j) R[place[i], place[j]])
}

# ------------------------------------------------------------------ fits

CONTROL <- geese.control(epsilon = 1e-14, maxit = 500)
fit_at <- function(m, d, ...) {
  d$.w <- if (is.null(m$weights)) 1 else d[[m$weights]]
  d$.id <- as.integer(factor(d[[m$groups]]))
  formula <- m$r_formula
  environment(formula) <- environment()
  call <- c(list(formula, family = m$family, data = quote(d), id = quote(.id), weights = quote(.w), control = CONTROL), list(...))
  suppressWarnings(do.call(geeglm, call)) # of fractions of successes
}

solve_with <- function(m, working, d) {
  alpha <- NULL
  fit <- fit_at(m, d)
  for (step in 1:500) {
    w <- if (is.null(m$weights)) 1 else d[[m$weights]]
    mu <- fitted(fit)
    r <- as.vector((fit$y - mu) * sqrt(w / m$family$variance(mu)))
    found <- correlation_of(working, r, d, m, length(coef(fit)))
    if (!is.null(alpha) && max(abs(found$alpha - alpha)) < 1e-13) break
    alpha <- found$alpha
    if (working == "independence") break
    fit <- fit_at(m, d, corstr = "fixed", zcor = pairs_of(d, m$groups, found$of))
  }
  stopifnot(step < 500)
  list(alpha = alpha, estimate = unname(coef(fit)), std_error = unname(sqrt(diag(fit$geese$vbeta))),
       phi = sum(r^2) / (length(r) - length(coef(fit))))
}

own_fit <- function(m, working, d) {
  args <- list(m, d, corstr = working)
  if (working %in% c("ar1", "unstructured")) args$waves <- d[[m$time]]
  fit <- do.call(fit_at, args)
  list(alpha = I(unname(fit$geese$alpha)), estimate = unname(coef(fit)), std_error = unname(sqrt(diag(fit$geese$vbeta))))
}

result <- list()
for (m in MODELS) {
  d <- data_of(m$data)
  d <- if (is.null(m$time)) d[order(d[[m$groups]]), ] else d[order(d[[m$groups]], d[[m$time]]), ]
  for (working in m$working) {
    fit <- solve_with(m, working, d)
    # geepack's ar1 counts places among the times, its unstructured correlations leave the range on pigs
    own <- if (m$id == "rats" || working == "unstructured") NULL else own_fit(m, working, d)
    entry <- list(id = paste(m$id, working, sep = "_"), data = m$data, formula = m$formula, family = m$family$family,
                  link = m$link, groups = m$groups, time = m$time, weights = if (m$data == "herds") NULL else m$weights,
                  working = working)
    result[[length(result) + 1]] <- c(entry, fit, list(geepack = own))
    cat(entry$id, format(own$estimate - fit$estimate), "\n")
  }
}
write(jsonlite::toJSON(result, auto_unbox = TRUE, digits = I(15), null = "null", pretty = TRUE), "tests/reference/gee.json")
