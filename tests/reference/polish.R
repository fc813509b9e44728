# glmmTMB's fits at the maximum to many digits, and what was found of a kind of parameters.

CONTROL <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4))

# Newton steps from where the search ended; the covariance is of all parameters together.
polish <- function(fit) {
  obj <- fit$obj
  par <- fit$fit$par
  for (k in 1:5) {
    gradient <- as.vector(obj$gr(par))
    hessian <- optimHess(par, obj$fn, obj$gr, control = list(ndeps = rep(1e-4, length(par))))
    par <- par - solve(hessian, gradient)
  }
  stopifnot(max(abs(obj$gr(par))) < 1e-5)
  hessian <- optimHess(par, obj$fn, obj$gr, control = list(ndeps = rep(1e-4, length(par))))
  list(llf = -obj$fn(par), par = par, se = sqrt(diag(solve(hessian))))
}
of <- function(found, name) {
  list(estimate = unname(found$par[names(found$par) == name]), se = unname(found$se[names(found$par) == name]))
}
