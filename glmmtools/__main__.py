"""`python -m glmmtools` checks this machine in a terminal; the status is 1 if a line has a ✗."""

import sys

from glmmtools.course.preflight import print_findings

sys.exit(not print_findings())
