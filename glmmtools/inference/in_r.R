# Rscript in_r.R folder: runs the call of folder/call.R, and writes what it found to folder/answer.json.
#
# call.R defines `packages`, `groups` (the grouping factors of the random terms, in order), `reml`,
# `linear` and `fitted()`; base R writes the JSON, so that no package is needed but those that fit.

setwd(commandArgs(TRUE)[1])

json <- function(x) {
  if (is.list(x)) {
    fields <- vapply(names(x), function(name) paste0("\"", name, "\": ", json(x[[name]])), "")
    return(paste0("{", paste(fields, collapse = ", "), "}"))
  }
  if (is.character(x)) {
    x <- gsub("[\"\\\\[:cntrl:]]+", " ", enc2utf8(x))
    return(paste0("[", paste0("\"", x, "\"", recycle0 = TRUE, collapse = ", "), "]"))
  }
  x <- as.vector(x)
  paste0("[", paste0(ifelse(is.finite(x), sprintf("%.17g", x), "null"), collapse = ", "), "]")
}

coefficients_of <- function(fit) {
  b <- if (inherits(fit, "glmmTMB")) glmmTMB::fixef(fit)$cond else if (inherits(fit, "merMod")) lme4::fixef(fit) else coef(fit)
  if (!length(b)) return(list(names = character(), estimate = numeric(), std_error = numeric()))
  V <- if (!inherits(fit, "glmmTMB")) vcov(fit) else if (linear) given_variances(fit) else vcov(fit)$cond
  list(names = gsub("`", "", names(b)), estimate = b, std_error = sqrt(diag(as.matrix(V))))
}

# The covariance of the fixed effects of a linear mixed model at the estimated variances, which is what
# lme4 gives: glmmTMB's has the uncertainty of the variances in it.
given_variances <- function(fit) {
  if (reml) {
    inner <- fit$obj$env$spHess(fit$obj$env$last.par.best, random = TRUE)
    is_beta <- names(fit$obj$env$last.par.best)[fit$obj$env$random] == "beta"
    return(as.matrix(solve(inner))[is_beta, is_beta, drop = FALSE])
  }
  V <- fit$sdr$cov.fixed
  is_beta <- rownames(V) == "beta"
  if (!all(is.finite(V))) V[is_beta, is_beta, drop = FALSE] else solve(solve(V)[is_beta, is_beta, drop = FALSE])
}

standard_deviations <- function(fit) {
  if (!length(groups)) return(list())
  found <- if (inherits(fit, "glmmTMB")) do.call(c, unname(glmmTMB::VarCorr(fit)[c("cond", "zi")])) else lme4::VarCorr(fit)
  setNames(lapply(groups, function(group) attr(found[[group]], "stddev")), seq_along(groups))
}

# The coefficients of log(sigma()): glmmTMB's of the dispersion are of its logarithm, of its square or
# of its inverse, which changed between versions.
log_sigma <- function(fit) {
  disp <- glmmTMB::fixef(fit)$disp
  if (!length(disp)) return(numeric())
  y <- response(fit)
  if (length(glmmTMB::fixef(fit)$zi)) y <- y[y != 0]
  psi <- unname(fit$fit$par[names(fit$fit$par) == "psi"])
  start <- if (length(psi)) list(psi = psi)
  plain <- glmmTMB::glmmTMB(y ~ 1, family = family(fit), start = start)
  disp * log(sigma(plain)) / unname(glmmTMB::fixef(plain)$disp)
}
response <- function(fit) model.response(model.frame(fit))

said_by <- function(fit) {
  if (inherits(fit, "merMod")) {
    said <- as.character(unlist(fit@optinfo$conv$lme4$messages))
    return(said[!grepl("isSingular", said)])
  }
  if (!inherits(fit, "glmmTMB")) return(character())
  c(if (fit$fit$convergence != 0) fit$fit$message, if (!isTRUE(fit$sdr$pdHess)) "the Hessian is not positive definite")
}

numbers_of <- function(fit) {
  tmb <- inherits(fit, "glmmTMB")
  list(
    llf = if (tmb) -fit$fit$objective else as.numeric(logLik(fit, REML = reml)),
    coefficients = coefficients_of(fit),
    sd = standard_deviations(fit),
    sigma = sigma(fit),
    df = if (tmb && exists("family_params", asNamespace("glmmTMB"))) as.numeric(glmmTMB::family_params(fit)) else numeric(),
    log_sigma = if (tmb) log_sigma(fit) else numeric(),
    zero = if (tmb) glmmTMB::fixef(fit)$zi else numeric(),
    said = as.character(said_by(fit))
  )
}

answer <- tryCatch({
  source("call.R", encoding = "UTF-8")
  absent <- packages[!vapply(packages, requireNamespace, TRUE, quietly = TRUE)]
  if (length(absent)) {
    list(absent = absent)
  } else {
    version <- vapply(packages, function(name) paste(name, packageVersion(name)), "")
    c(list(version = version), suppressWarnings(numbers_of(fitted())))
  }
}, error = function(e) list(error = conditionMessage(e)))
writeLines(json(answer), "answer.json", useBytes = TRUE)
