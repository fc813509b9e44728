# A data set of the course with its factors as the index has them; from the root of the repository.

index <- read.csv("data/index.csv", colClasses = "character")
load_data <- function(name) {
  row <- index[index$name == name, ]
  d <- read.csv(file.path("data", row$file))
  for (entry in strsplit(row$categories, ";")[[1]]) {
    parts <- strsplit(entry, "=")[[1]]
    levels <- if (length(parts) == 2) strsplit(parts[2], ",")[[1]] else sort(unique(d[[parts[1]]]))
    d[[parts[1]]] <- factor(d[[parts[1]]], levels = levels)
  }
  d
}

# Every k-th row left out: factors that are no longer balanced, with no empty cell.
thinned <- function(d, k) if (k > 0) d[(seq_len(nrow(d)) - 1) %% k != 0, ] else d
