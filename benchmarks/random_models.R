# Fits random models by glmmTMB, as a user would: default controls. Called by random_models.py with
# a folder: reads its jobs.json and data, and writes a line of JSON for each model.

suppressMessages({
  library(glmmTMB)
  library(jsonlite)
})

setwd(commandArgs(TRUE)[1])
jobs <- fromJSON("jobs.json")
out <- file("glmmTMB.jsonl", "w")
for (i in seq_len(nrow(jobs))) {
  job <- jobs[i, ]
  data <- read.csv(job$data)
  found <- tryCatch(suppressWarnings({
    fit <- glmmTMB(as.formula(job$r_formula), data = data, family = eval(parse(text = job$r_family)),
                   ziformula = if (job$zeros) ~1 else ~0)
    table <- summary(fit)$coefficients$cond
    list(llf = -fit$fit$objective, converged = fit$fit$convergence == 0 && isTRUE(fit$sdr$pdHess),
         beta = I(unname(table[, 1])), se = I(unname(table[, 2])))
  }), error = function(e) list(llf = NA, converged = FALSE))
  writeLines(toJSON(found, auto_unbox = TRUE, digits = 12, na = "null"), out)
}
close(out)
