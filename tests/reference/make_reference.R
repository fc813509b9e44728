# Reference fits: every model below is fitted by glmmTMB or lme4, polished far beyond the packages'
# defaults, checked, and written to tests/reference/models.json. See README.md beside this file.
#
#   OMP_NUM_THREADS=1 Rscript tests/reference/make_reference.R          (from the root of the repository)
#   ... make_reference.R radon '^sleep_t'                 fits and prints only ids that match, writes nothing
#
# Needs R with lme4, glmmTMB, numDeriv and jsonlite (Debian: r-cran-*). Reads data/*.csv and writes
# tests/reference/data/*.csv (simulated data) and tests/reference/models.json.

suppressPackageStartupMessages({
  library(lme4)
  library(glmmTMB)
  library(Matrix)
})
options(warn = 1, digits = 10, contrasts = c("contr.treatment", "contr.poly"))
only <- commandArgs(trailingOnly = TRUE)
HERE <- "tests/reference"
VERSIONS <- c(
  glmmTMB = paste("glmmTMB", packageVersion("glmmTMB")),
  lme4 = paste("lme4", packageVersion("lme4"))
)

# ------------------------------------------------------------------ data

index <- read.csv("data/index.csv", colClasses = "character")

load_data <- function(name) {
  simulated <- file.path(HERE, "data", paste0(name, ".csv"))
  if (file.exists(simulated)) {
    d <- read.csv(simulated)
    for (v in intersect(names(d), c("series", "group", "treatment"))) d[[v]] <- factor(d[[v]])
    attr(d, "categories") <- paste(names(d)[vapply(d, is.factor, TRUE)], collapse = ";")
    attr(d, "file") <- simulated
    return(d)
  }
  row <- index[index$name == name, ]
  file <- file.path("data", row$file)
  d <- read.csv(file)
  for (entry in strsplit(row$categories, ";")[[1]]) {
    parts <- strsplit(entry, "=")[[1]]
    levels <- if (length(parts) == 2) strsplit(parts[2], ",")[[1]] else sort(unique(d[[parts[1]]]))
    d[[parts[1]]] <- factor(d[[parts[1]]], levels = levels)
  }
  attr(d, "file") <- file
  d
}

# Simulated series for what the course's data do not show: an autocorrelation below zero, series of
# unequal lengths, gaps in time. 40 series, each a part of times 1..12 with about a quarter missing.
simulate_series <- function() {
  set.seed(20240229)
  rows <- list()
  for (s in 1:40) {
    last <- sample(6:12, 1)
    time <- sort(sample(1:last, max(4, round(0.75 * last))))
    x <- round(rnorm(length(time)), 2)
    draw <- function(rho, sd) {
      b <- numeric(12)
      b[1] <- rnorm(1)
      for (t in 2:12) b[t] <- rho * b[t - 1] + sqrt(1 - rho^2) * rnorm(1)
      sd * b[time]
    }
    n <- length(time)
    rows[[s]] <- data.frame(
      series = s, time = time, x = x,
      # normal: 1 + 0.5 x + ar1(sd 1, rho -0.7), residual sd 0.5
      y = round(1 + 0.5 * x + draw(-0.7, 1) + 0.5 * rnorm(n), 4),
      # Poisson: exp(1 + 0.4 x + ar1(sd 0.7, rho -0.6))
      count = rpois(n, exp(1 + 0.4 * x + draw(-0.6, 0.7))),
      # successes of 10: logit 0.2 + b x + ar1(sd 1, rho 0.6), b ~ N(-0.5, 0.6^2) for each series
      successes = rbinom(n, 10, plogis(0.2 + rnorm(1, -0.5, 0.6) * x + draw(0.6, 1))),
      trials = 10L,
      # gamma: exp(2 + 0.3 x + ar1(sd 0.6, rho 0.7)), phi 0.1
      amount = round(rgamma(n, 10) / 10 * exp(2 + 0.3 * x + draw(0.7, 0.6)), 4),
      # beta: logit -0.5 + a + b x, a ~ N(0, 0.7^2), b ~ N(0.4, 0.4^2) for each series, phi 20
      share = local({
        mu <- plogis(-0.5 + rnorm(1, 0, 0.7) + rnorm(1, 0.4, 0.4) * x)
        round(rbeta(n, 20 * mu, 20 * (1 - mu)), 4)
      })
    )
  }
  d <- do.call(rbind, rows)
  dir.create(file.path(HERE, "data"), showWarnings = FALSE)
  write.csv(d, file.path(HERE, "data", "series.csv"), row.names = FALSE, quote = FALSE)
}

# Simulated counts with too many zeros, 30 groups of 12, two treatments within each group.
simulate_zeros <- function() {
  set.seed(20240301)
  d <- data.frame(group = rep(1:30, each = 12), treatment = rep(c("a", "b"), 180), x = round(runif(360, -1, 1), 2))
  count <- function(zi, draw) rbinom(360, 1, 1 - zi) * draw(exp(1.2 + 0.6 * d$x + 0.5 * (d$treatment == "b") + 0.5 * rnorm(30)[d$group]))
  # zeros with logit -1.5 (a) and -0.5 (b)
  d$poisson <- count(plogis(ifelse(d$treatment == "b", -0.5, -1.5)), function(mu) rpois(360, mu))
  # zeros with probability 0.25; variance 2.5 mu
  d$nb1 <- count(0.25, function(mu) rnbinom(360, size = mu / 1.5, mu = mu))
  # zeros with logit -1 + x; variance mu + 0.3 mu^2
  d$nb2 <- count(plogis(-1 + d$x), function(mu) rnbinom(360, size = 1 / 0.3, mu = mu))
  write.csv(d, file.path(HERE, "data", "zeros.csv"), row.names = FALSE, quote = FALSE)
}

# Simulated counts in 80 groups of 3 positions that compete: compound symmetry with correlation -0.35.
simulate_rivals <- function() {
  set.seed(20240302)
  d <- data.frame(group = rep(1:80, each = 3), position = rep(1:3, 80), x = round(rnorm(240), 2))
  R <- chol(0.8^2 * (diag(3) * 1.35 - 0.35))
  d$count <- rpois(240, exp(1.5 + 0.3 * d$x + as.vector(t(matrix(rnorm(240), 80) %*% R))))
  write.csv(d, file.path(HERE, "data", "rivals.csv"), row.names = FALSE, quote = FALSE)
}

# ------------------------------------------------------------------ names as formulaic writes them

# "varietyVictory:factor(nitro)0.2" -> "variety[T.Victory]:C(nitro)[T.0.2]"
our_names <- function(columns, d, rename = NULL, full = FALSE) {
  factors <- lapply(d[vapply(d, is.factor, TRUE)], levels)
  for (v in names(d)[vapply(d, is.numeric, TRUE)]) {
    factors[[paste0("factor(", v, ")")]] <- levels(factor(d[[v]]))
  }
  one <- function(piece) {
    if (piece == "(Intercept)") return("Intercept")
    for (v in names(factors)) {
      rest <- substring(piece, nchar(v) + 1)
      if (startsWith(piece, v) && rest %in% factors[[v]]) {
        v <- sub("^factor\\(", "C(", v)
        return(paste0(v, "[", if (full) "" else "T.", rest, "]"))
      }
    }
    piece
  }
  out <- vapply(strsplit(columns, ":", fixed = TRUE),
                function(p) paste(vapply(p, one, ""), collapse = ":"), "")
  hit <- match(out, names(rename))
  out[!is.na(hit)] <- unlist(rename)[hit[!is.na(hit)]]
  out
}

# ------------------------------------------------------------------ polishing

# Newton steps on an exact gradient. The Hessian comes from Richardson-extrapolated central
# differences with steps in units of the standard errors, so the scale of a covariate is no matter.
hessian_at <- function(gr, par, scale, step = 0.05) {
  f <- function(z) as.vector(gr(par + scale * z)) * scale
  H <- numDeriv::jacobian(f, numeric(length(par)), method.args = list(eps = step, r = 4))
  H <- (H + t(H)) / 2
  H / outer(scale, scale)
}

newton_polish <- function(fn, gr, par, id) {
  scale <- pmax(abs(par), 0.01) * 0.01
  for (i in 1:25) {
    H <- hessian_at(gr, par, scale)
    g <- as.vector(gr(par))
    eig <- eigen(H * outer(scale, scale), symmetric = TRUE, only.values = TRUE)$values
    if (min(eig) <= 0) stop(id, ": Hessian not positive definite")
    se <- sqrt(diag(solve(H)))
    step <- -solve(H, g)
    last <- max(abs(step / se))
    if (last > 1e-9) {
      f0 <- fn(par)
      k <- 1
      while (!is.finite(fn(par + k * step)) || fn(par + k * step) > f0 + 1e-8) {
        k <- k / 2
        if (k < 1e-8) stop(id, ": no descent")
      }
      par <- par + k * step
    }
    scale <- se
    if (i > 1 && last < 1e-8) break
  }
  g <- as.vector(gr(par))
  H <- hessian_at(gr, par, scale)
  H2 <- hessian_at(gr, par, scale, step = 0.01)
  V <- solve(H)
  se <- sqrt(diag(V))
  if (max(se[names(par) != "beta"]) > 5) stop(id, ": a parameter is not identified: ", names(par)[which.max(se)])
  list(
    par = par, hessian = H, vcov = V, se = unname(se),
    checks = list(
      max_gradient = max(abs(g)),
      # the gradient in units that do not depend on the scale of a covariate
      max_scaled_gradient = max(abs(g * se)),
      last_newton_step_in_se = max(abs(solve(H, g) / se)),
      se_relative_change_with_step = max(abs(sqrt(diag(solve(H2))) / se - 1)),
      hessian_min_eigenvalue_scaled = min(eigen(H * outer(se, se), symmetric = TRUE, only.values = TRUE)$values)
    )
  )
}

# ------------------------------------------------------------------ densities in the course's phi

log_density <- function(family, y, trials, mu, phi, df, zi) {
  f <- switch(family,
    normal = dnorm(y, mu, sqrt(phi), log = TRUE),
    t = dt((y - mu) / sqrt(phi), df, log = TRUE) - log(phi) / 2,
    gamma = dgamma(y, shape = 1 / phi, scale = mu * phi, log = TRUE),
    beta = dbeta(y, mu * phi, (1 - mu) * phi, log = TRUE),
    binomial = dbinom(y, trials, mu, log = TRUE),
    betabinomial = lchoose(trials, y) + lbeta(y + mu * phi, trials - y + (1 - mu) * phi) -
      lbeta(mu * phi, (1 - mu) * phi),
    poisson = dpois(y, mu, log = TRUE),
    negative_binomial = dnbinom(y, size = 1 / phi, mu = mu, log = TRUE),
    nbinom1 = dnbinom(y, size = mu / phi, mu = mu, log = TRUE)
  )
  if (is.null(zi)) f else ifelse(y == 0, log(zi + (1 - zi) * exp(f)), log1p(-zi) + f)
}

R_FAMILY <- list(
  normal = gaussian, t = t_family, gamma = Gamma, beta = beta_family, binomial = binomial,
  betabinomial = betabinomial, poisson = poisson, negative_binomial = nbinom2, nbinom1 = nbinom1
)

# log(phi) = sign * (glmmTMB's betad)  + nothing: glmmTMB 1.1.5 models the log of ...
LOG_PHI <- list(
  normal = 1,             # ... the residual variance
  t = 2,                  # ... the scale
  gamma = -1,             # ... the shape
  beta = 1,               # ... the precision
  betabinomial = 1,       # ... the precision
  negative_binomial = -1, # ... theta
  nbinom1 = 1             # ... (variance - mean) / mean
)
SIGMA_MEANS <- c(
  normal = "sigma: residual sd", t = "sigma: scale", gamma = "sigma: coefficient of variation",
  beta = "sigma: precision phi", betabinomial = "sigma: precision phi",
  negative_binomial = "sigma: theta", nbinom1 = "sigma: alpha in Var = mu (1 + alpha)"
)

# ------------------------------------------------------------------ glmmTMB

call_glmmTMB <- function(m, d, start = NULL) {
  args <- list(
    formula = as.formula(m$r), data = d, family = R_FAMILY[[m$family]](link = m$link),
    ziformula = as.formula(m$r_zi %||% "~0"), dispformula = as.formula(m$r_disp %||% "~1"),
    REML = m$reml, start = c(start, m$start), map = m$map,
    control = glmmTMBControl(
      optCtrl = list(iter.max = 2e4, eval.max = 2e4, rel.tol = 1e-14),
      conv_check = "skip" # ours is the polish
    )
  )
  if (!is.null(m$weights)) args$weights <- d[[m$weights]]
  environment(args$formula) <- environment()
  suppressWarnings(do.call(glmmTMB, args))
}

`%||%` <- function(a, b) if (is.null(a)) b else a

fit_tmb <- function(m, d) {
  fit <- call_glmmTMB(m, d)
  obj <- fit$obj
  obj$env$inner.control <- list(maxit = 1000, tol = 1e-12, tol10 = 1e-12, trace = FALSE)
  obj$env$silent <- TRUE
  opt <- nlminb(fit$fit$par, obj$fn, obj$gr,
                control = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-14, x.tol = 1e-12))
  polished <- newton_polish(obj$fn, obj$gr, opt$par, m$id)
  par <- polished$par
  V <- polished$vcov
  llf <- -as.numeric(obj$fn(par))
  full <- obj$env$last.par
  checks <- polished$checks

  # other starts must not find anything better
  set.seed(1)
  better <- 0
  for (k in 1:3) {
    again <- try(suppressWarnings(nlminb(par + rnorm(length(par)) * pmin(2 * polished$se, 1), obj$fn, obj$gr,
                        control = list(iter.max = 500, eval.max = 500))), silent = TRUE)
    if (!inherits(again, "try-error") && is.finite(again$objective)) {
      better <- max(better, llf * -1 - again$objective)
    }
  }
  if (better > 1e-6) stop(m$id, ": another start is better by ", better)
  checks$best_of_3_other_starts_minus_this <- better
  obj$fn(par)
  full <- obj$env$last.par

  # glmmTMB keeps par as a named vector of repeated names
  where <- function(name) which(names(par) == name)
  pl <- obj$env$parList(par, full)
  report <- obj$report(full)
  terms <- fit$modelInfo$reStruc$condReStruc
  has_random <- length(terms) > 0

  # the joint covariance of everything, parameters and modes
  if (has_random) {
    sdr <- TMB::sdreport(obj, par.fixed = par, hessian.fixed = polished$hessian,
                         getJointPrecision = TRUE, skip.delta.method = TRUE)
    Q <- sdr$jointPrecision
  } else {
    Q <- Matrix(polished$hessian)
    rownames(Q) <- names(par)
  }
  qn <- rownames(Q)
  joint_se <- function(A) { # standard errors of the columns of A, coefficients on Q's rows
    sqrt(colSums(as.matrix(A) * as.matrix(solve(Q, as.matrix(A)))))
  }
  unit <- function(rows) {
    A <- matrix(0, length(qn), length(rows))
    A[cbind(rows, seq_along(rows))] <- 1
    A
  }

  X <- fit$obj$env$data$X
  names_beta <- our_names(colnames(X), d, m$rename)
  beta <- as.vector(pl$beta)
  se_joint <- joint_se(unit(which(qn == "beta")))
  # beta's own block: the standard error at fixed variance parameters
  if (m$reml) {
    inner <- obj$env$spHess(full, random = TRUE)
    nb <- which(names(full)[obj$env$random] == "beta")
    se_fixed_theta <- sqrt(diag(as.matrix(solve(inner)))[nb])
  } else {
    ib <- where("beta")
    se_fixed_theta <- sqrt(diag(solve(polished$hessian[ib, ib, drop = FALSE])))
  }
  if (!m$reml) {
    checks$se_joint_precision_vs_hessian <- max(abs(se_joint / polished$se[where("beta")] - 1))
  }

  out <- list(
    source = VERSIONS[["glmmTMB"]], nobs = nrow(X), df = length(par) + if (m$reml) length(beta) else 0,
    llf = llf,
    coefficients = list(
      names = I(names_beta), estimate = I(beta),
      se = I(if (m$reml) se_fixed_theta else se_joint),
      se_kind = if (m$reml) "fixed_variance_parameters" else "joint_hessian",
      se_joint_hessian = I(se_joint), se_fixed_variance_parameters = I(se_fixed_theta)
    )
  )

  # variance components and modes
  cnms <- fit$modelInfo$reTrms$cond$cnms
  flist <- fit$modelInfo$reTrms$cond$flist
  vc <- list()
  modes <- list()
  joint <- 0 # log density of b
  at <- 0
  if (has_random) {
    inner <- obj$env$spHess(full, random = TRUE)
    is_b <- which(names(full)[obj$env$random] == "b")
    cond_sd <- sqrt(diag(as.matrix(solve(as.matrix(inner[is_b, is_b])))))
    qb <- which(qn == "b")
    theta_at <- 0
    for (i in seq_along(terms)) {
      s <- terms[[i]]
      structure <- names(s$blockCode)
      group <- sub("^.*\\| *", "", names(terms)[i])
      group <- gsub(" ", "", group)
      sd <- as.vector(report$sd[[i]])
      corr <- report$corr[[i]]
      if (!identical(dim(corr), rep(length(sd), 2L))) corr <- diag(length(sd))
      lev <- levels(flist[[attr(flist, "assign")[i]]])
      stopifnot(length(lev) == s$blockReps)
      spec <- m$random[[i]]
      entry <- list(group = group, structure = spec$structure %||% switch(structure, us = "unstructured", diag = "independent", structure))
      if (entry$structure %in% c("ar1", "cs")) {
        entry$time <- spec$time
        stopifnot(max(abs(sd - sd[1])) < 1e-12)
        times <- sub(paste0("^(.*\\)|", spec$time, ")"), "", cnms[[i]])
        entry$sd <- sd[1]
        if (structure == "ou") times <- gsub("^.*\\)\\(|\\)$", "", cnms[[i]])
        rho <- if (structure == "ou") corr[1, 2]^(1 / diff(as.numeric(times[1:2]))) else corr[1, 2]
        entry[[if (entry$structure == "ar1") "rho" else "corr"]] <- rho
        labels <- times
        lag <- if (entry$structure == "ar1") abs(outer(as.numeric(labels), as.numeric(labels), "-")) else 1 - diag(length(sd))
        S <- sd[1]^2 * sign(rho)^lag * abs(rho)^lag
      } else {
        labels <- our_names(cnms[[i]], d, m$rename, full = !("(Intercept)" %in% cnms[[i]]))
        entry$terms <- I(labels)
        entry$sd <- I(sd)
        if (length(sd) > 1) entry$correlation <- lapply(seq_along(sd), function(r) I(as.vector(corr[r, ])))
        S <- outer(sd, sd) * corr
        lt <- where("theta")[theta_at + seq_along(sd)]
        if (is.null(m$map$theta)) entry$se_log_sd <- I(as.vector(polished$se[lt]))
      }
      theta_at <- theta_at + s$blockNumTheta
      vc[[i]] <- entry
      # b is stored level by level
      B <- matrix(as.vector(pl$b)[at + seq_len(s$blockSize * s$blockReps)], nrow = s$blockSize)
      R <- chol(S)
      joint <- joint - ncol(B) * (nrow(B) / 2 * log(2 * pi) + sum(log(diag(R)))) -
        sum(backsolve(R, B, transpose = TRUE)^2) / 2
      for (l in seq_len(min(3, length(lev)))) {
        for (r in seq_len(min(3, s$blockSize))) {
          j <- at + (l - 1) * s$blockSize + r
          modes[[length(modes) + 1]] <- list(
            group = group, level = lev[l], term = labels[r], estimate = as.vector(pl$b)[j],
            cond_sd = cond_sd[j], se_joint = joint_se(unit(qb[j]))
          )
        }
      }
      at <- at + s$blockSize * s$blockReps
    }
  }
  out$variance_components <- vc

  # dispersion, in the package's terms and as phi
  d_par <- where("betad")
  phi <- rep(1, nrow(X))
  if (m$family %in% names(LOG_PHI)) {
    gamma <- LOG_PHI[[m$family]] * as.vector(pl$betad)
    Xd <- obj$env$data$Xd
    log_phi <- as.vector(Xd %*% gamma)
    phi <- exp(log_phi)
    gamma_se <- abs(LOG_PHI[[m$family]]) * polished$se[d_par]
    if (ncol(Xd) == 1) {
      checks$sigma_agrees <- abs(exp(gamma / switch(m$family, normal = 2, t = 2, gamma = 2,
        negative_binomial = -1, 1)) / sigma(fit) - 1) # sigma(fit) is before the polish
      out$dispersion <- list(
        package_meaning = SIGMA_MEANS[[m$family]],
        package_value = exp(gamma / switch(m$family, normal = 2, t = 2, gamma = 2, negative_binomial = -1, 1)),
        phi = exp(gamma), se_log_phi = gamma_se
      )
      if (m$family == "normal") out$residual_sd <- exp(gamma / 2)
    } else {
      out$dispersion_coefficients <- list(
        names = I(our_names(colnames(Xd), d, m$rename)), estimate = I(gamma), se = I(gamma_se),
        package_estimate = I(as.vector(pl$betad)), meaning = "log(phi) is linear in these"
      )
    }
  }
  zi <- NULL
  if (length(pl$betazi)) {
    Xz <- obj$env$data$Xzi
    zi <- plogis(as.vector(Xz %*% pl$betazi))
    out$zero_inflation <- list(
      names = I(our_names(colnames(Xz), d, m$rename)), estimate = I(as.vector(pl$betazi)),
      se = I(polished$se[where("betazi")])
    )
    if (ncol(Xz) == 1) out$zero_inflation$probability <- zi[1]
  }
  df <- NULL
  if (m$family == "t") {
    df <- exp(as.vector(pl$psi))
    if (is.null(m$map$psi)) stopifnot(abs(df / family_params(fit) - 1) < 0.01)
    out$t_df <- list(estimate = df, fixed = is.null(m$map$psi) == FALSE,
                     se_log_df = if (length(where("psi"))) polished$se[where("psi")])
  }

  # Our reading of the model, computed afresh in R, must give TMB's joint density at the mode.
  Z <- obj$env$data$Z
  eta <- as.vector(X %*% beta) + as.vector(obj$env$data$offset)
  if (has_random) eta <- eta + as.vector(Z %*% as.vector(pl$b))
  mu <- R_FAMILY[[m$family]](link = m$link)$linkinv(eta)
  y <- as.vector(obj$env$data$yobs)
  trials <- as.vector(obj$env$data$size)
  w <- as.vector(obj$env$data$weights)
  conditional <- sum(w * log_density(m$family, y, trials, mu, phi, df, zi))
  tmb <- -as.numeric(obj$env$f(full, order = 0))
  checks$joint_density_ours_minus_tmb <- conditional + joint - tmb
  if (abs(conditional + joint - tmb) > 1e-6) stop(m$id, ": our density is not TMB's: ", conditional + joint - tmb)
  if (has_random) { # and the Laplace approximation from it
    ld <- as.numeric(determinant(as.matrix(obj$env$spHess(full, random = TRUE)))$modulus)
    checks$laplace_by_hand_minus_llf <- tmb + length(obj$env$random) / 2 * log(2 * pi) - ld / 2 - llf
  }

  out$random_effects <- modes
  rows <- 1:5
  A <- matrix(0, length(qn), length(rows))
  A[which(qn == "beta"), ] <- t(as.matrix(X[rows, , drop = FALSE]))
  if (has_random) A[which(qn == "b"), ] <- t(as.matrix(Z[rows, , drop = FALSE]))
  out$predictions <- list(rows = I(rows - 1L), link = I(eta[rows]), link_se = I(joint_se(A)),
                          response = I(mu[rows] * if (is.null(zi)) 1 else 1 - zi[rows]))
  out$checks <- checks
  out
}

# ------------------------------------------------------------------ lme4, linear models

fit_lmer <- function(m, d, tmb = TRUE) {
  args <- list(
    formula = as.formula(m$r), data = d, REML = m$reml,
    control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE,
                          check.conv.singular = "ignore")
  )
  if (!is.null(m$weights)) args$weights <- d[[m$weights]]
  fit <- do.call(lmer, args)
  devfun <- do.call(lmer, c(args, devFunOnly = TRUE))
  theta <- getME(fit, "theta")
  lower <- getME(fit, "lower")
  free <- which(!(lower == 0 & theta < 1e-4))
  theta[setdiff(seq_along(theta), free)] <- 0
  f <- function(z) { t <- theta; t[free] <- z; devfun(t) }
  # the profiled deviance has no exact gradient here; Richardson's is good to about 1e-9
  args_nd <- list(eps = 1e-3, d = 1e-3, r = 6, zero.tol = 1e-8)
  z <- theta[free]
  for (i in seq_len(if (length(free)) 12 else 0)) {
    g <- numDeriv::grad(f, z, method.args = args_nd)
    H <- numDeriv::hessian(f, z, method.args = list(eps = 1e-3, d = 1e-2, r = 6))
    z <- z - as.vector(solve(H, g))
  }
  g <- if (length(free)) numDeriv::grad(f, z, method.args = args_nd) else 0
  theta[free] <- z
  at_boundary <- length(free) < length(theta)
  value <- devfun(theta)
  stopifnot(value <= deviance_of(fit) + 1e-7)
  lf <- do.call(lFormula, c(args[setdiff(names(args), "control")], list(control = args$control)))
  fit <- mkMerMod(environment(devfun), list(par = theta, fval = value, conv = 0, message = ""), lf$reTrms, lf$fr)

  s2 <- sigma(fit)^2
  beta <- fixef(fit)
  out <- list(
    source = VERSIONS[["lme4"]], nobs = nobs(fit), df = attr(logLik(fit), "df"), llf = as.numeric(logLik(fit)),
    coefficients = list(
      names = I(our_names(names(beta), d, m$rename)), estimate = I(as.vector(beta)),
      se = I(sqrt(diag(as.matrix(vcov(fit))))), se_kind = "fixed_variance_parameters",
      se_fixed_variance_parameters = I(sqrt(diag(as.matrix(vcov(fit)))))
    )
  )
  vc <- VarCorr(fit)
  names(vc) <- sub("\\.[0-9]+$", "", names(vc))
  out$variance_components <- lapply(seq_along(vc), function(i) {
    S <- vc[[i]]
    sd <- as.vector(attr(S, "stddev"))
    e <- list(group = names(vc)[i], structure = "unstructured",
              terms = I(our_names(rownames(S), d, m$rename, full = !("(Intercept)" %in% rownames(S)))), sd = I(sd))
    if (length(sd) > 1) e$correlation <- lapply(seq_along(sd), function(r) I(as.vector(attr(S, "correlation")[r, ])))
    e
  })
  out$residual_sd <- sqrt(s2)
  out$dispersion <- list(package_meaning = "sigma: residual sd", package_value = sqrt(s2), phi = s2)
  out$singular <- isSingular(fit)
  stopifnot(at_boundary == out$singular || out$singular)
  re <- ranef(fit, condVar = TRUE)
  modes <- list()
  for (group in names(re)) {
    pv <- attr(re[[group]], "postVar")
    if (is.list(pv)) { # several terms on one group
      keep <- lapply(pv, function(a) t(apply(a, 3, function(x) sqrt(diag(as.matrix(x))))))
      csd <- do.call(cbind, lapply(seq_along(pv), function(k) if (dim(pv[[k]])[1] == 1) t(keep[[k]]) else keep[[k]]))
    } else {
      csd <- matrix(apply(pv, 3, function(x) sqrt(diag(as.matrix(x)))), ncol = dim(pv)[1], byrow = TRUE)
    }
    for (l in seq_len(min(3, nrow(re[[group]])))) {
      for (r in seq_len(min(3, ncol(re[[group]])))) {
        modes[[length(modes) + 1]] <- list(
          group = group, level = rownames(re[[group]])[l],
          term = our_names(colnames(re[[group]])[r], d, m$rename, full = !("(Intercept)" %in% colnames(re[[group]]))),
          estimate = re[[group]][l, r], cond_sd = csd[l, r]
        )
      }
    }
  }
  out$random_effects <- modes
  out$predictions <- list(rows = I(0:4), link = I(as.vector(fitted(fit))[1:5]))
  out$checks <- list(
    max_gradient = max(abs(g)), # of the profiled deviance in the relative covariance factor
    parameters_at_boundary = length(theta) - length(free)
  )
  if (at_boundary) { # moving off the boundary must not help
    rise <- vapply(setdiff(seq_along(theta), free), function(k) {
      t <- theta
      t[k] <- 1e-3
      devfun(t) - value
    }, 0)
    out$checks$deviance_rise_off_boundary <- min(rise)
    stopifnot(rise > 0)
    devfun(theta)
  }
  if (tmb && !out$singular && is.null(m$weights)) {
    other <- fit_tmb(m, d)
    se <- out$coefficients$se
    out$coefficients$se_joint_hessian <- other$coefficients$se_joint_hessian
    for (k in seq_along(out$variance_components)) {
      if (other$variance_components[[k]]$group == out$variance_components[[k]]$group) {
        out$variance_components[[k]]$se_log_sd <- other$variance_components[[k]]$se_log_sd
      }
    }
    out$dispersion$se_log_phi <- other$dispersion$se_log_phi
    out$random_effects <- lapply(out$random_effects, function(e) {
      for (o in other$random_effects) if (o$group == e$group && o$level == e$level && o$term == e$term) e$se_joint <- o$se_joint
      e
    })
    out$predictions$link_se <- other$predictions$link_se
    a <- unlist(lapply(out$variance_components, function(v) v$sd[order(paste(v$group, v$terms))]))
    b <- unlist(lapply(other$variance_components, function(v) v$sd[order(paste(v$group, v$terms))]))
    out$checks$glmmTMB <- list(
      llf_difference = out$llf - other$llf,
      coefficients_difference_in_se = max(abs(out$coefficients$estimate - other$coefficients$estimate) / se),
      sd_relative_difference = max(abs(sort(a) / sort(b) - 1)),
      residual_sd_relative_difference = abs(out$residual_sd / other$residual_sd - 1),
      se_fixed_theta_relative_difference =
        max(abs(se / other$coefficients$se_fixed_variance_parameters - 1)),
      se_joint_relative_difference = max(abs(se / other$coefficients$se_joint_hessian - 1)),
      max_gradient = other$checks$max_gradient,
      se_relative_change_with_step = other$checks$se_relative_change_with_step
    )
    stopifnot(abs(out$llf - other$llf) < 1e-7)
  }
  out
}

deviance_of <- function(fit) if (isREML(fit)) REMLcrit(fit) else -2 * as.numeric(logLik(fit))

# ------------------------------------------------------------------ lme4, a cross-check for canonical links

# lme4 uses the expected Hessian, which for canonical links is the observed one: same Laplace. Its
# objective is evaluated at our parameters (same value?) and its own optimum compared (none better?).
glmer_both <- function(m, d, out) {
  args <- list(
    formula = as.formula(m$r), data = d, family = R_FAMILY[[m$family]](link = m$link), nAGQ = m$nagq %||% 1,
    control = glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), tolPwrss = 1e-12,
                           calc.derivs = FALSE, check.conv.singular = "ignore")
  )
  if (!is.null(m$weights)) args$weights <- d[[m$weights]]
  fit <- do.call(glmer, args)
  devfun <- do.call(glmer, c(args, devFunOnly = TRUE))
  cnms <- getME(fit, "cnms")
  theta <- unlist(lapply(names(cnms), function(g) {
    v <- Filter(function(v) v$group == g, out$variance_components)[[1]]
    R <- if (length(v$sd) > 1) do.call(rbind, lapply(v$correlation, as.vector)) else matrix(1)
    L <- t(chol(outer(as.vector(v$sd), as.vector(v$sd)) * R))
    L[lower.tri(L, diag = TRUE)]
  }))
  at_ours <- -devfun(c(theta, as.vector(out$coefficients$estimate))) / 2
  list(
    source = VERSIONS[["lme4"]], llf_at_these_parameters = at_ours, llf_at_its_optimum = as.numeric(logLik(fit)),
    its_coefficients_difference_in_se = max(abs(fixef(fit) - out$coefficients$estimate) / out$coefficients$se)
  )
}

glmer_check <- function(m, d, out) {
  check <- glmer_both(m, d, out)
  out$checks$lme4 <- check
  if (abs(check$llf_at_these_parameters - out$llf) > (m$lme4_tolerance %||% 1e-5) || check$llf_at_its_optimum > out$llf + 1e-6) {
    stop(m$id, ": lme4 disagrees on logLik: ", check$llf_at_these_parameters - out$llf, " ", check$llf_at_its_optimum - out$llf)
  }
  out
}

# ------------------------------------------------------------------ adaptive Gauss-Hermite, one random intercept

hermite <- function(n) { # nodes and weights for exp(-x^2), by Golub and Welsch
  if (n == 1) return(list(x = 0, w = sqrt(pi)))
  b <- sqrt(seq_len(n - 1) / 2)
  J <- matrix(0, n, n)
  J[cbind(1:(n - 1), 2:n)] <- b
  J[cbind(2:n, 1:(n - 1))] <- b
  e <- eigen(J, symmetric = TRUE)
  list(x = e$values, w = sqrt(pi) * e$vectors[1, ]^2)
}

# Our own, because lme4's logLik for nAGQ > 1 lacks a constant; lme4's estimates are the check.
fit_agq <- function(m, d) {
  lf <- glFormula(as.formula(m$r), data = d, family = R_FAMILY[[m$family]](link = m$link))
  X <- lf$X
  g <- as.integer(lf$reTrms$flist[[1]])
  stopifnot(length(lf$reTrms$flist) == 1, nrow(lf$reTrms$Zt) == nlevels(lf$reTrms$flist[[1]]))
  yy <- model.response(lf$fr)
  if (is.matrix(yy)) { y <- yy[, 1]; n <- rowSums(yy) } else { y <- yy; n <- rep(1, length(y)) }
  p <- ncol(X)
  gh <- hermite(m$nagq)
  off <- model.offset(lf$fr) %||% 0
  G <- sparseMatrix(i = g, j = seq_along(g), x = 1)
  d1 <- function(eta) if (m$family == "binomial") y - n * plogis(eta) else y - exp(eta)
  d2 <- function(eta) if (m$family == "binomial") n * plogis(eta) * plogis(-eta) else exp(eta)
  dens <- function(eta) if (m$family == "binomial") dbinom(y, n, plogis(eta), log = TRUE) else dpois(y, exp(eta), log = TRUE)
  b_mode <- NULL
  b_sd <- NULL
  nll <- function(par) {
    eta0 <- as.vector(X %*% par[1:p]) + off
    sd <- exp(par[p + 1])
    u <- numeric(max(g))
    for (i in 1:100) { # spherical effect: b = sd u
      eta <- eta0 + sd * u[g]
      grad <- sd * as.vector(G %*% d1(eta)) - u
      H <- sd^2 * as.vector(G %*% d2(eta)) + 1
      u <- u + pmax(pmin(grad / H, 1), -1)
      if (max(abs(grad / H)) < 1e-13) break
    }
    eta <- eta0 + sd * u[g]
    s <- 1 / sqrt(sd^2 * as.vector(G %*% d2(eta)) + 1)
    b_mode <<- sd * u
    b_sd <<- sd * s
    v <- u + sqrt(2) * outer(s, gh$x)
    L <- as.matrix(G %*% dens(eta0 + sd * v[g, ])) - v^2 / 2 + rep(gh$x^2 + log(gh$w), each = length(u))
    top <- apply(L, 1, max)
    -sum(top + log(rowSums(exp(L - top))) + log(s) + log(2) / 2 - log(2 * pi) / 2)
  }
  fit <- glmer(as.formula(m$r), data = d, family = R_FAMILY[[m$family]](link = m$link), nAGQ = m$nagq,
               control = glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), tolPwrss = 1e-12,
                                      calc.derivs = FALSE))
  par <- c(fixef(fit), log(getME(fit, "theta")))
  scale <- 0.1 * sqrt(diag(as.matrix(vcov(fit))))
  scale <- c(scale, max(scale))
  gr <- function(z) { # Richardson again, in steps of a tenth of a standard error
    numDeriv::grad(function(e) nll(z + e * scale), numeric(p + 1), method.args = list(eps = 1, r = 5)) / scale
  }
  opt <- nlminb(par, nll, control = list(rel.tol = 1e-14))
  polished <- newton_polish(nll, gr, opt$par, m$id)
  par <- polished$par
  llf <- -nll(par)
  lev <- levels(lf$reTrms$flist[[1]])
  group <- names(lf$reTrms$flist)
  out <- list(
    source = paste0("adaptive Gauss-Hermite in this script, checked with ", VERSIONS[["lme4"]]),
    nobs = nrow(X), df = length(par), llf = llf,
    coefficients = list(names = I(our_names(colnames(X), d, m$rename)), estimate = I(as.vector(par[1:p])),
                        se = I(as.vector(polished$se[1:p])), se_kind = "joint_hessian"),
    variance_components = list(list(group = group, structure = "unstructured", terms = I("Intercept"),
                                    sd = I(exp(as.vector(par[p + 1]))), se_log_sd = I(as.vector(polished$se[p + 1])))),
    random_effects = lapply(1:3, function(l) list(group = group, level = lev[l], term = "Intercept",
                                                  estimate = as.vector(b_mode)[l], cond_sd = as.vector(b_sd)[l])),
    checks = polished$checks
  )
  check <- glmer_both(m, d, out)
  # lme4's deviance for nAGQ > 1 lacks the log-likelihood of the saturated model
  saturated <- if (m$family == "binomial") sum(dbinom(y, n, y / n, log = TRUE)) else sum(dpois(y, y, log = TRUE))
  check$llf_at_these_parameters <- check$llf_at_these_parameters + saturated
  check$llf_at_its_optimum <- check$llf_at_its_optimum + saturated
  out$checks$lme4 <- c(check, list(saturated_llf_added = saturated))
  if (abs(check$llf_at_these_parameters - llf) > 1e-6 || check$llf_at_its_optimum > llf + 1e-6) {
    stop(m$id, ": lme4 disagrees on logLik: ", check$llf_at_these_parameters - llf, " ", check$llf_at_its_optimum - llf)
  }
  out
}

# ------------------------------------------------------------------ lognormal: a normal model of log(y)

# mu = E(y) = exp(eta): the intercept of the normal model of log(y) is ours less phi/2.
fit_lognormal <- function(m, d) {
  normal <- m
  normal$family <- "normal"
  normal$link <- "identity"
  f <- as.formula(m$r)
  y <- eval(f[[2]][[2]], d) # the argument of log()
  stopifnot(identical(f[[2]][[1]], as.name("log")))
  out <- fit_tmb(normal, d)
  # covariance of (intercept, log phi) from the polished Hessian
  fit <- call_glmmTMB(normal, d)
  obj <- fit$obj
  obj$env$inner.control <- list(maxit = 1000, tol = 1e-12, tol10 = 1e-12, trace = FALSE)
  V <- newton_polish(obj$fn, obj$gr, nlminb(fit$fit$par, obj$fn, obj$gr)$par, m$id)$vcov
  phi <- out$dispersion$phi
  i <- 1
  k <- which(names(fit$fit$par) == "betad")
  stopifnot(names(fit$fit$par)[1] == "beta", out$coefficients$names[1] == "Intercept")
  se <- out$coefficients$se
  out$coefficients$estimate[1] <- out$coefficients$estimate[1] + phi / 2
  se[1] <- sqrt(V[i, i] + phi^2 / 4 * V[k, k] + phi * V[i, k])
  out$coefficients$se <- se
  out$coefficients$se_joint_hessian <- se
  out$coefficients$se_fixed_variance_parameters <- NULL
  out$llf <- out$llf - sum(log(y))
  out$residual_sd <- NULL
  out$dispersion$package_meaning <- "sigma: sd of log(y)"
  out$predictions$link <- out$predictions$link + phi / 2
  out$predictions$response <- exp(out$predictions$link)
  out$predictions$link_se <- NULL
  out$note <- "normal model of log(y); logLik less sum(log(y)); phi/2 added to the intercept and the linear predictor"
  out
}

# ------------------------------------------------------------------ the models

models <- list()
M <- function(id, data, formula, r, family = "normal", link = NULL, how = "tmb", reml = FALSE, ...) {
  default <- c(normal = "identity", t = "identity", gamma = "log", beta = "logit", binomial = "logit",
               betabinomial = "logit", poisson = "log", negative_binomial = "log", nbinom1 = "log", lognormal = "log")
  models[[id]] <<- c(list(id = id, data = data, formula = formula, r = r, family = family,
                          link = link %||% default[[family]], how = how, reml = reml), list(...))
}

# ---- the first lessons

M("herds_binomial", "herds", "prop(incidence, size) ~ period + (1 | herd)",
  "cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial", lme4 = TRUE)
M("herds_binomial_nagq9", "herds", "prop(incidence, size) ~ period + (1 | herd)",
  "cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial", how = "agq", nagq = 9)
M("herds_binomial_nagq25", "herds", "prop(incidence, size) ~ period + (1 | herd)",
  "cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial", how = "agq", nagq = 25)
M("herds_binomial_observation", "herds", "prop(incidence, size) ~ period + (1 | herd/period)",
  "cbind(incidence, size - incidence) ~ period + (1 | herd) + (1 | herd:period)", "binomial", lme4 = TRUE)
M("seeds_binomial", "seeds", "prop(germinated, seeds) ~ variety * extract + (1 | plate)",
  "cbind(germinated, seeds - germinated) ~ variety * extract + (1 | plate)", "binomial", lme4 = TRUE)
M("seeds_binomial_additive", "seeds", "prop(germinated, seeds) ~ variety + extract + (1 | plate)",
  "cbind(germinated, seeds - germinated) ~ variety + extract + (1 | plate)", "binomial", lme4 = TRUE)
M("seeds_probit", "seeds", "prop(germinated, seeds) ~ variety * extract + (1 | plate)",
  "cbind(germinated, seeds - germinated) ~ variety * extract + (1 | plate)", "binomial", "probit")
M("seeds_binomial_nagq11", "seeds", "prop(germinated, seeds) ~ variety * extract + (1 | plate)",
  "cbind(germinated, seeds - germinated) ~ variety * extract + (1 | plate)", "binomial", how = "agq", nagq = 11)
M("oats_reml", "oats", "yield ~ variety + nitro + (1 | block/variety)",
  "yield ~ variety + nitro + (1 | block) + (1 | block:variety)", how = "lmer", reml = TRUE)
M("oats_ml", "oats", "yield ~ variety + nitro + (1 | block/variety)",
  "yield ~ variety + nitro + (1 | block) + (1 | block:variety)", how = "lmer")
M("oats_factorial_reml", "oats", "yield ~ variety * C(nitro) + (1 | block/variety)",
  "yield ~ variety * factor(nitro) + (1 | block) + (1 | block:variety)", how = "lmer", reml = TRUE)
M("oats_crossed_reml", "oats", "yield ~ nitro + (1 | block) + (1 | variety)",
  "yield ~ nitro + (1 | block) + (1 | variety)", how = "lmer", reml = TRUE)
M("oats_gamma", "oats", "yield ~ variety + nitro + (1 | block/variety)",
  "yield ~ variety + nitro + (1 | block) + (1 | block:variety)", "gamma", "log")
log_base <- list("log(base/4)" = "log(base / 4)", "log(base/4):treatment[T.progabide]" = "log(base / 4):treatment[T.progabide]")
M("epilepsy_poisson", "epilepsy", "seizures ~ log(base / 4) * treatment + log(age) + period + (1 | subject)",
  "seizures ~ log(base / 4) * treatment + log(age) + period + (1 | subject)", "poisson", lme4 = TRUE, rename = log_base)
M("epilepsy_poisson_raw_scale", "epilepsy", "seizures ~ base + age + treatment + (1 | subject)",
  "seizures ~ base + age + treatment + (1 | subject)", "poisson", lme4 = TRUE)
M("epilepsy_poisson_offset", "epilepsy", "seizures ~ treatment + period + offset(log(base / 4)) + (1 | subject)",
  "seizures ~ treatment + period + offset(log(base / 4)) + (1 | subject)", "poisson", lme4 = TRUE)
M("epilepsy_poisson_slope", "epilepsy", "seizures ~ log(base / 4) + treatment * period + (period | subject)",
  "seizures ~ log(base / 4) + treatment * period + (period | subject)", "poisson", lme4 = TRUE, rename = log_base)
M("epilepsy_poisson_observation", "epilepsy", "seizures ~ log(base / 4) + treatment + (1 | subject/period)",
  "seizures ~ log(base / 4) + treatment + (1 | subject) + (1 | subject:period)", "poisson", lme4 = TRUE, rename = log_base)
M("epilepsy_poisson_nagq9", "epilepsy", "seizures ~ log(base / 4) + treatment + (1 | subject)",
  "seizures ~ log(base / 4) + treatment + (1 | subject)", "poisson", how = "agq", nagq = 9, rename = log_base)
M("epilepsy_nb2", "epilepsy", "seizures ~ log(base / 4) * treatment + log(age) + period + (1 | subject)",
  "seizures ~ log(base / 4) * treatment + log(age) + period + (1 | subject)", "negative_binomial", rename = log_base)
M("epilepsy_nb2_offset", "epilepsy", "seizures ~ treatment + offset(log(base / 4)) + (1 | subject)",
  "seizures ~ treatment + offset(log(base / 4)) + (1 | subject)", "negative_binomial")
M("pigs_gamma", "pigs", "weight ~ week + copper + (1 | pig)",
  "weight ~ week + copper + (1 | pig)", "gamma", "log")
M("pigs_gamma_nested", "pigs", "weight ~ week + vitamin_e + (1 | litter/pig)",
  "weight ~ week + vitamin_e + (1 | litter) + (1 | litter:pig)", "gamma", "log")
M("rats_gamma_slope", "rats", "weight ~ diet * day + (day | rat)",
  "weight ~ diet * day + (day | rat)", "gamma", "log")
M("sleep_reml", "sleep", "reaction ~ days + (days | subject)", "reaction ~ days + (days | subject)", how = "lmer", reml = TRUE)
M("sleep_ml", "sleep", "reaction ~ days + (days | subject)", "reaction ~ days + (days | subject)", how = "lmer")
M("sleep_intercept_reml", "sleep", "reaction ~ days + (1 | subject)", "reaction ~ days + (1 | subject)", how = "lmer", reml = TRUE)
M("cake_reml", "cake", "angle ~ recipe * C(temperature) + (1 | recipe:replicate)",
  "angle ~ recipe * factor(temperature) + (1 | recipe:replicate)", how = "lmer", reml = TRUE)
M("cake_ml", "cake", "angle ~ recipe + temperature + (1 | replicate) + (1 | recipe:replicate)",
  "angle ~ recipe + temperature + (1 | replicate) + (1 | recipe:replicate)", how = "lmer")
M("pigs_slopes_reml", "pigs", "weight ~ week * copper + (week | pig)", "weight ~ week * copper + (week | pig)", how = "lmer", reml = TRUE)
M("pigs_slopes_ml", "pigs", "weight ~ week * copper + (week | pig)", "weight ~ week * copper + (week | pig)", how = "lmer")
M("pigs_litter_reml", "pigs", "weight ~ week + vitamin_e + (1 | litter) + (week | pig)",
  "weight ~ week + vitamin_e + (1 | litter) + (week | pig)", how = "lmer", reml = TRUE)
M("rats_slopes_reml", "rats", "weight ~ diet * day + (day | rat)", "weight ~ diet * day + (day | rat)", how = "lmer", reml = TRUE)
M("radon_reml", "radon", "log_radon ~ floor + uranium + (1 | county)", "log_radon ~ floor + uranium + (1 | county)", how = "lmer", reml = TRUE)
M("wheeze_binomial", "wheeze", "wheeze ~ smoke + I(age - 9) + (1 | child)", "wheeze ~ smoke + I(age - 9) + (1 | child)", "binomial", lme4 = TRUE,
  lme4_tolerance = 1e-4) # a Bernoulli model with a large sd: lme4's inner iterations stop 3e-5 short
M("wheeze_binomial_nagq15", "wheeze", "wheeze ~ smoke + I(age - 9) + (1 | child)", "wheeze ~ smoke + I(age - 9) + (1 | child)", "binomial", how = "agq", nagq = 15)
M("cane_binomial", "cane", "prop(diseased, shoots) ~ block + (1 | variety)",
  "cbind(diseased, shoots - diseased) ~ block + (1 | variety)", "binomial", lme4 = TRUE)
M("cane_binomial_crossed", "cane", "prop(diseased, shoots) ~ 1 + (1 | variety) + (1 | block)",
  "cbind(diseased, shoots - diseased) ~ 1 + (1 | variety) + (1 | block)", "binomial", lme4 = TRUE)
M("cane_poisson_offset", "cane", "diseased ~ block + offset(log(shoots)) + (1 | variety)",
  "diseased ~ block + offset(log(shoots)) + (1 | variety)", "poisson", lme4 = TRUE)
M("arabidopsis_poisson_nested", "arabidopsis", "fruits ~ nutrient * clipping + rack + status + (1 | population/genotype)",
  "fruits ~ nutrient * clipping + rack + status + (1 | population) + (1 | population:genotype)", "poisson", lme4 = TRUE)
M("arabidopsis_nb2", "arabidopsis", "fruits ~ nutrient * clipping + rack + status + (1 | genotype)",
  "fruits ~ nutrient * clipping + rack + status + (1 | genotype)", "negative_binomial")

# ---- families

M("sleep_t", "sleep", "reaction ~ days + (days | subject)", "reaction ~ days + (days | subject)", "t")
M("sleep_t_df4", "sleep", "reaction ~ days + (1 | subject)", "reaction ~ days + (1 | subject)", "t", t_df = 4,
  map = list(psi = factor(NA)), start = list(psi = log(4)))
M("pigs_t", "pigs", "weight ~ week + copper + (week | pig)", "weight ~ week + copper + (week | pig)", "t")
M("radon_t", "radon", "log_radon ~ floor + uranium + (1 | county)", "log_radon ~ floor + uranium + (1 | county)", "t")
M("gasoline_beta_glm", "gasoline", "converted ~ temp + batch", "converted ~ temp + batch", "beta")
M("gasoline_beta", "gasoline", "converted ~ temp + (1 | batch)", "converted ~ temp + (1 | batch)", "beta")
M("gasoline_beta_probit", "gasoline", "converted ~ temp + temp10 + (1 | batch)", "converted ~ temp + temp10 + (1 | batch)", "beta", "probit")
M("gasoline_beta_cloglog", "gasoline", "converted ~ temp + (1 | batch)", "converted ~ temp + (1 | batch)", "beta", "cloglog")
M("gasoline_beta_dispersion", "gasoline", "converted ~ temp + (1 | batch)", "converted ~ temp + (1 | batch)", "beta",
  disp = "~ temp", r_disp = "~ temp")
M("seeds_betabinomial_glm", "seeds", "prop(germinated, seeds) ~ variety * extract",
  "cbind(germinated, seeds - germinated) ~ variety * extract", "betabinomial")
M("herds_betabinomial_glm", "herds", "prop(incidence, size) ~ period",
  "cbind(incidence, size - incidence) ~ period", "betabinomial")
M("cane_betabinomial_probit", "cane", "prop(diseased, shoots) ~ stems + (1 | variety)",
  "cbind(diseased, shoots - diseased) ~ stems + (1 | variety)", "betabinomial", "probit")
M("cane_betabinomial", "cane", "prop(diseased, shoots) ~ block + (1 | variety)",
  "cbind(diseased, shoots - diseased) ~ block + (1 | variety)", "betabinomial")
M("cane_betabinomial_crossed", "cane", "prop(diseased, shoots) ~ 1 + (1 | variety) + (1 | block)",
  "cbind(diseased, shoots - diseased) ~ 1 + (1 | variety) + (1 | block)", "betabinomial")
M("epilepsy_nb1", "epilepsy", "seizures ~ log(base / 4) * treatment + log(age) + period + (1 | subject)",
  "seizures ~ log(base / 4) * treatment + log(age) + period + (1 | subject)", "nbinom1", rename = log_base)
M("epilepsy_nb1_slope", "epilepsy", "seizures ~ log(base / 4) + treatment + (period || subject)",
  "seizures ~ log(base / 4) + treatment + diag(period | subject)", "nbinom1", rename = log_base)
M("arabidopsis_nb1", "arabidopsis", "fruits ~ nutrient * clipping + rack + status + (1 | genotype)",
  "fruits ~ nutrient * clipping + rack + status + (1 | genotype)", "nbinom1")
M("arabidopsis_nb2_nested", "arabidopsis", "fruits ~ nutrient * clipping + rack + (1 | population/genotype)",
  "fruits ~ nutrient * clipping + rack + (1 | population) + (1 | population:genotype)", "negative_binomial")
M("pigs_lognormal", "pigs", "weight ~ week + copper + (1 | pig)", "log(weight) ~ week + copper + (1 | pig)",
  "lognormal", "log", how = "lognormal")
M("sleep_lognormal", "sleep", "reaction ~ days + (days | subject)", "log(reaction) ~ days + (days | subject)",
  "lognormal", "log", how = "lognormal")

# ---- zero inflation, dispersion formulas

M("arabidopsis_zip", "arabidopsis", "fruits ~ nutrient * clipping + rack + status + (1 | genotype)",
  "fruits ~ nutrient * clipping + rack + status + (1 | genotype)", "poisson", zi = "~ 1", r_zi = "~ 1")
M("arabidopsis_zip_formula", "arabidopsis", "fruits ~ nutrient * clipping + (1 | genotype) + (1 | population)",
  "fruits ~ nutrient * clipping + (1 | genotype) + (1 | population)", "poisson", zi = "~ nutrient + status", r_zi = "~ nutrient + status")
M("arabidopsis_zinb2", "arabidopsis", "fruits ~ nutrient * clipping + rack + status + (1 | genotype)",
  "fruits ~ nutrient * clipping + rack + status + (1 | genotype)", "negative_binomial", zi = "~ 1", r_zi = "~ 1")
M("zeros_zip", "zeros", "poisson ~ x + treatment + (1 | group)", "poisson ~ x + treatment + (1 | group)",
  "poisson", zi = "~ treatment", r_zi = "~ treatment")
M("zeros_zinb1", "zeros", "nb1 ~ x + treatment + (1 | group)", "nb1 ~ x + treatment + (1 | group)", "nbinom1",
  zi = "~ 1", r_zi = "~ 1")
M("zeros_zinb2_formula", "zeros", "nb2 ~ x + treatment + (1 | group)", "nb2 ~ x + treatment + (1 | group)", "negative_binomial",
  zi = "~ x", r_zi = "~ x")
M("zeros_zinb2_dispersion", "zeros", "nb2 ~ x + (1 | group)", "nb2 ~ x + (1 | group)", "negative_binomial",
  zi = "~ 1", r_zi = "~ 1", disp = "~ treatment", r_disp = "~ treatment")
M("epilepsy_zip", "epilepsy", "seizures ~ log(base / 4) + treatment + (1 | subject)",
  "seizures ~ log(base / 4) + treatment + (1 | subject)", "poisson", zi = "~ 1", r_zi = "~ 1", rename = log_base)
M("sleep_dispersion", "sleep", "reaction ~ days + (days | subject)", "reaction ~ days + (days | subject)",
  disp = "~ days", r_disp = "~ days")
M("rats_dispersion", "rats", "weight ~ diet * day + (day | rat)", "weight ~ diet * day + (day | rat)",
  disp = "~ diet", r_disp = "~ diet")
M("rats_dispersion_reml", "rats", "weight ~ diet * day + (1 | rat)", "weight ~ diet * day + (1 | rat)",
  disp = "~ diet", r_disp = "~ diet", reml = TRUE)
M("pigs_gamma_dispersion", "pigs", "weight ~ week + copper + (1 | pig)", "weight ~ week + copper + (1 | pig)", "gamma",
  disp = "~ week", r_disp = "~ week")
M("epilepsy_nb2_dispersion", "epilepsy", "seizures ~ log(base / 4) + treatment + (1 | subject)",
  "seizures ~ log(base / 4) + treatment + (1 | subject)", "negative_binomial", disp = "~ treatment", r_disp = "~ treatment", rename = log_base)
M("arabidopsis_nb1_dispersion", "arabidopsis", "fruits ~ nutrient + clipping + (1 | genotype)",
  "fruits ~ nutrient + clipping + (1 | genotype)", "nbinom1", disp = "~ nutrient", r_disp = "~ nutrient")

# ---- structures of random terms

M("sleep_independent_ml", "sleep", "reaction ~ days + (days || subject)", "reaction ~ days + diag(days | subject)")
M("sleep_slope_only_ml", "sleep", "reaction ~ days + (0 + days | subject)", "reaction ~ days + (0 + days | subject)", how = "lmer")
M("sleep_slope_not_fixed_reml", "sleep", "reaction ~ 1 + (days | subject)", "reaction ~ 1 + (days | subject)", how = "lmer", reml = TRUE)
M("epilepsy_poisson_slope_not_fixed", "epilepsy", "seizures ~ log(base / 4) + treatment + (period | subject)",
  "seizures ~ log(base / 4) + treatment + (period | subject)", "poisson", rename = log_base, lme4 = TRUE)
M("epilepsy_poisson_independent", "epilepsy", "seizures ~ log(base / 4) + treatment + period + (period || subject)",
  "seizures ~ log(base / 4) + treatment + period + diag(period | subject)", "poisson", rename = log_base)
M("radon_factor_slope_reml", "radon", "log_radon ~ floor + (floor | county)", "log_radon ~ floor + (floor | county)", how = "lmer", reml = TRUE)
M("radon_factor_slope_full_ml", "radon", "log_radon ~ floor + (0 + floor | county)", "log_radon ~ floor + (0 + floor | county)", how = "lmer")
M("arabidopsis_poisson_factor_slope", "arabidopsis", "fruits ~ nutrient * clipping + rack + (status | genotype)",
  "fruits ~ nutrient * clipping + rack + (status | genotype)", "poisson", lme4 = TRUE)
M("cane_binomial_factor_slope", "cane", "prop(diseased, shoots) ~ stems + (0 + block | variety)",
  "cbind(diseased, shoots - diseased) ~ stems + (0 + block | variety)", "binomial", lme4 = TRUE)
M("arabidopsis_nb2_crossed", "arabidopsis", "fruits ~ nutrient * clipping + (1 | genotype) + (1 | status) + (1 | rack)",
  "fruits ~ nutrient * clipping + (1 | genotype) + (1 | status) + (1 | rack)", "negative_binomial")
M("pigs_ar1_ml", "pigs", "weight ~ week + ar1(week | pig)", "weight ~ week + ar1(factor(week) + 0 | pig)",
  random = list(list(structure = "ar1", time = "week")))
M("pigs_ar1_reml", "pigs", "weight ~ week + copper + ar1(week | pig)", "weight ~ week + copper + ar1(factor(week) + 0 | pig)",
  random = list(list(structure = "ar1", time = "week")), reml = TRUE)
M("pigs_ar1_litter", "pigs", "weight ~ week + ar1(week | pig) + (1 | litter)", "weight ~ week + ar1(factor(week) + 0 | pig) + (1 | litter)",
  random = list(list(structure = "ar1", time = "week"), list()))
M("rats_ar1_gaps", "rats", "weight ~ diet * day + ar1(day | rat)", "weight ~ diet * day + ou(numFactor(day) + 0 | rat)",
  random = list(list(structure = "ar1", time = "day")))
M("epilepsy_poisson_ar1", "epilepsy", "seizures ~ log(base / 4) + treatment + ar1(period | subject)",
  "seizures ~ log(base / 4) + treatment + ar1(factor(period) + 0 | subject)", "poisson", rename = log_base,
  random = list(list(structure = "ar1", time = "period")))
M("epilepsy_poisson_ar1_subject", "epilepsy", "seizures ~ log(base / 4) + treatment + ar1(period | subject) + (1 | subject)",
  "seizures ~ log(base / 4) + treatment + ar1(factor(period) + 0 | subject) + (1 | subject)", "poisson", rename = log_base,
  random = list(list(structure = "ar1", time = "period"), list()))
M("series_normal_ar1_negative", "series", "y ~ x + ar1(time | series)", "y ~ x + ar1(factor(time) + 0 | series)",
  random = list(list(structure = "ar1", time = "time")))
M("series_normal_ar1_negative_reml", "series", "y ~ x + ar1(time | series)", "y ~ x + ar1(factor(time) + 0 | series)",
  random = list(list(structure = "ar1", time = "time")), reml = TRUE)
M("series_poisson_ar1_negative", "series", "count ~ x + ar1(time | series)", "count ~ x + ar1(factor(time) + 0 | series)", "poisson",
  random = list(list(structure = "ar1", time = "time")))
M("series_binomial_ar1_slope", "series", "prop(successes, trials) ~ x + ar1(time | series) + (0 + x | series)",
  "cbind(successes, trials - successes) ~ x + ar1(factor(time) + 0 | series) + (0 + x | series)", "binomial",
  random = list(list(structure = "ar1", time = "time"), list()))
M("series_binomial_ar1", "series", "prop(successes, trials) ~ x + ar1(time | series)",
  "cbind(successes, trials - successes) ~ x + ar1(factor(time) + 0 | series)", "binomial", random = list(list(structure = "ar1", time = "time")))
M("series_betabinomial_ar1", "series", "prop(successes, trials) ~ x + ar1(time | series)",
  "cbind(successes, trials - successes) ~ x + ar1(factor(time) + 0 | series)", "betabinomial", random = list(list(structure = "ar1", time = "time")))
M("series_gamma_ar1", "series", "amount ~ x + ar1(time | series)", "amount ~ x + ar1(factor(time) + 0 | series)", "gamma",
  random = list(list(structure = "ar1", time = "time")))
M("series_gamma_dispersion", "series", "amount ~ x + (1 | series)", "amount ~ x + (1 | series)", "gamma", disp = "~ x", r_disp = "~ x")
M("series_beta_independent", "series", "share ~ x + (x || series)", "share ~ x + diag(x | series)", "beta")
M("series_beta_slope", "series", "share ~ x + (x | series)", "share ~ x + (x | series)", "beta")
# cs in glmmTMB 1.1.5 has a sd for each time; the map makes them one
one_sd <- function(n, ...) list(theta = factor(c(rep("sd", n), "corr", ...)))
M("pigs_cs_ml", "pigs", "weight ~ week + cs(week | litter) + (1 | pig)", "weight ~ week + cs(factor(week) + 0 | litter) + (1 | pig)",
  random = list(list(structure = "cs", time = "week"), list()), map = one_sd(12, "pig"))
M("pigs_cs_reml", "pigs", "weight ~ week + cs(week | litter) + (1 | pig)", "weight ~ week + cs(factor(week) + 0 | litter) + (1 | pig)",
  random = list(list(structure = "cs", time = "week"), list()), map = one_sd(12, "pig"), reml = TRUE)
M("rivals_poisson_cs_negative", "rivals", "count ~ x + cs(position | group)", "count ~ x + cs(factor(position) + 0 | group)", "poisson",
  random = list(list(structure = "cs", time = "position")), map = one_sd(3))
M("epilepsy_poisson_cs", "epilepsy", "seizures ~ log(base / 4) + treatment + cs(period | subject)",
  "seizures ~ log(base / 4) + treatment + cs(factor(period) + 0 | subject)", "poisson", rename = log_base,
  random = list(list(structure = "cs", time = "period")), map = one_sd(4))
M("herds_binomial_cs", "herds", "prop(incidence, size) ~ period + cs(period | herd)",
  "cbind(incidence, size - incidence) ~ period + cs(period + 0 | herd)", "binomial", random = list(list(structure = "cs", time = "period")),
  map = one_sd(4))
M("cane_binomial_cs_blocks", "cane", "prop(diseased, shoots) ~ stems + cs(block | variety)",
  "cbind(diseased, shoots - diseased) ~ stems + cs(block + 0 | variety)", "binomial", random = list(list(structure = "cs", time = "block")),
  map = one_sd(4))

# ---- links, weights

M("seeds_cloglog", "seeds", "prop(germinated, seeds) ~ variety * extract + (1 | plate)",
  "cbind(germinated, seeds - germinated) ~ variety * extract + (1 | plate)", "binomial", "cloglog")
M("herds_cloglog", "herds", "prop(incidence, size) ~ period + (1 | herd)",
  "cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial", "cloglog")
M("herds_log", "herds", "prop(incidence, size) ~ period + (1 | herd)",
  "cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial", "log", start = list(beta = c(-1.5, -0.9, -1, -1.4)))
M("cake_gamma_inverse", "cake", "angle ~ recipe + temperature + (1 | recipe:replicate)",
  "angle ~ recipe + temperature + (1 | recipe:replicate)", "gamma", "inverse", start = list(beta = c(0.04, 0, 0, 0)))
M("sleep_gamma_identity", "sleep", "reaction ~ days + (1 | subject)", "reaction ~ days + (1 | subject)", "gamma", "identity",
  start = list(beta = c(250, 10), theta = 3))
M("sleep_normal_log", "sleep", "reaction ~ days + (1 | subject)", "reaction ~ days + (1 | subject)", "normal", "log",
  start = list(beta = c(5.5, 0.03)))
M("cane_poisson_identity", "cane", "shoots ~ stems + (1 | variety)", "shoots ~ stems + (1 | variety)", "poisson", "identity",
  start = list(beta = c(50, 3), theta = 2))
M("herds_binomial_weights", "herds", "I(incidence / size) ~ period + (1 | herd)", "I(incidence/size) ~ period + (1 | herd)", "binomial",
  weights = "size", lme4 = TRUE)
M("herds_normal_weights_reml", "herds", "I(incidence / size) ~ period + (1 | herd)", "I(incidence/size) ~ period + (1 | herd)", how = "lmer",
  reml = TRUE, weights = "size")
M("epilepsy_poisson_weights", "epilepsy", "seizures ~ log(base / 4) + treatment + (1 | subject)",
  "seizures ~ log(base / 4) + treatment + (1 | subject)", "poisson", weights = "period", rename = log_base, lme4 = TRUE)

# ---- at the boundary

M("pigs_singular_ml", "pigs", "weight ~ week + (1 | pig) + (1 | copper)", "weight ~ week + (1 | pig) + (1 | copper)", how = "lmer")
M("sleep_singular_reml", "sleep", "reaction ~ days + (1 | subject) + (1 | days)", "reaction ~ days + (1 | subject) + (1 | days)", how = "lmer", reml = TRUE)

# ------------------------------------------------------------------ run

run <- function(m) {
  d <- load_data(m$data)
  out <- switch(m$how, tmb = fit_tmb(m, d), lmer = fit_lmer(m, d), agq = fit_agq(m, d), lognormal = fit_lognormal(m, d))
  if (isTRUE(m$lme4)) out <- glmer_check(m, d, out)
  head <- list(
    id = m$id, data = m$data, data_file = attr(d, "file"), data_categories = attr(d, "categories"), formula = m$formula, r_formula = m$r,
    family = m$family, link = m$link,
    options = list(reml = m$reml, nagq = m$nagq %||% 1, weights = m$weights, dispersion_formula = m$disp,
                   zero_inflation = m$zi, t_df = m$t_df),
    singular = FALSE
  )
  if (!is.null(m$note)) head$note <- m$note
  utils::modifyList(head, out, keep.null = TRUE)
}

simulate_series()
simulate_zeros()
simulate_rivals()
todo <- if (length(only)) models[grep(paste(only, collapse = "|"), names(models))] else models
results <- list()
failed <- character()
for (m in todo) {
  t0 <- proc.time()[["elapsed"]]
  r <- try(run(m), silent = TRUE)
  if (inherits(r, "try-error")) {
    failed <- c(failed, m$id)
    cat(sprintf("%-36s FAILED: %s", m$id, r))
    next
  }
  results[[m$id]] <- r
  cat(sprintf("%-36s llf %.6f  df %g  scaled gradient %.1e  se change %.1e  joint %.1e  %.1f s\n", m$id, r$llf, r$df,
              r$checks$max_scaled_gradient %||% r$checks$max_gradient,
              r$checks$se_relative_change_with_step %||% r$checks$glmmTMB$se_relative_change_with_step %||% NA,
              r$checks$joint_density_ours_minus_tmb %||% NA, proc.time()[["elapsed"]] - t0))
  if (length(only)) str(r)
}
if (length(failed)) {
  cat("FAILED, nothing written:", failed, "\n")
  quit(status = 1)
}
if (!length(only)) {
  json <- jsonlite::toJSON(unname(results), auto_unbox = TRUE, digits = I(15), pretty = 1, null = "null", na = "null")
  writeLines(json, file.path(HERE, "models.json"))
  cat(length(results), "models\n")
}
