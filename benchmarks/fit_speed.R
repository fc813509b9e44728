# Times R's glmmTMB and lme4 on the reference models, as a user would call them: default controls.
# Called by fit_speed.py from the root of the repository; prints one JSON object: id -> seconds.

source_lines <- readLines("tests/reference/make_reference.R")
eval(parse(text = source_lines[seq_len(grep("^# -+ run$", source_lines) - 1)]))

RUNS <- 3
median_seconds <- function(call) {
  one <- function() system.time(suppressMessages(suppressWarnings(call())))[["elapsed"]]
  if (inherits(try(one(), silent = TRUE), "try-error")) return(NA)
  median(replicate(RUNS, one()))
}

times <- list()
for (m in models) {
  d <- load_data(m$data)
  formula <- as.formula(m$r)
  if (is.null(R_FAMILY[[m$family]])) next # lognormal: R has it as a model of the logarithm only
  family <- R_FAMILY[[m$family]](link = m$link)
  weights <- if (is.null(m$weights)) NULL else d[[m$weights]]
  normal <- m$family == "normal" && m$link == "identity"
  by_tmb <- function() {
    glmmTMB(formula, data = d, family = family, ziformula = as.formula(m$r_zi %||% "~0"),
            dispformula = as.formula(m$r_disp %||% "~1"), REML = m$reml, start = m$start, map = m$map,
            weights = weights)
  }
  by_lme4 <- function() {
    if (normal) lmer(formula, data = d, REML = m$reml, weights = weights)
    else glmer(formula, data = d, family = family, nAGQ = m$nagq %||% 1, weights = weights)
  }
  has_tmb <- m$how %in% c("tmb", "lmer")
  has_lme4 <- m$how %in% c("lmer", "agq") || isTRUE(m$lme4)
  times[[m$id]] <- list(
    glmmTMB = if (has_tmb) median_seconds(by_tmb) else NA,
    lme4 = if (has_lme4) median_seconds(by_lme4) else NA
  )
}
cat(jsonlite::toJSON(times, auto_unbox = TRUE, digits = 6, na = "null"))
