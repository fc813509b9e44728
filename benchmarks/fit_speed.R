# Times R's glmmTMB and lme4 on the reference models, as a user would call them: default controls.
# Called by fit_speed.py from the root of the repository: for each id that it reads it fits the model
# once and answers with a JSON object of processor seconds.

source_lines <- readLines("tests/reference/make_reference.R")
eval(parse(text = source_lines[seq_len(grep("^# -+ run$", source_lines) - 1)]))

seconds <- function(call) {
  one <- function() sum(system.time(suppressMessages(suppressWarnings(call())))[c("user.self", "sys.self")])
  tryCatch(one(), error = function(e) NA)
}

ids <- vapply(models, function(m) m$id, "")
requests <- file("stdin", "r")
while (length(id <- readLines(requests, 1)) > 0) {
  m <- models[[match(id, ids)]]
  d <- load_data(m$data)
  formula <- as.formula(m$r)
  known <- !is.null(R_FAMILY[[m$family]]) # lognormal: R has it as a model of the logarithm only
  family <- if (known) R_FAMILY[[m$family]](link = m$link)
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
  has_tmb <- known && m$how %in% c("tmb", "lmer")
  has_lme4 <- known && (m$how %in% c("lmer", "agq") || isTRUE(m$lme4))
  found <- list(
    glmmTMB = if (has_tmb) seconds(by_tmb) else NA,
    lme4 = if (has_lme4) seconds(by_lme4) else NA
  )
  cat(jsonlite::toJSON(found, auto_unbox = TRUE, digits = 6, na = "null"), "\n", sep = "")
  flush(stdout())
}
