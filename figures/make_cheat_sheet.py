"""Draw the cheat sheet, two pages of A4: python figures/make_cheat_sheet.py

Page 1 is read from the families and the links of the package, page 2 from the tables below. Units
are points from the lower left corner, so that a size of type is the size in print.
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath
from matplotlib.ticker import MaxNLocator

import glmmtools as gt
from glmmtools.shared.style import REFERENCE

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 595.28, 841.89  # A4
LEFT, RIGHT, TOP = 34.0, 561.0, 812.0
TEXT, SMALL = 7.6, 7.0  # nothing is smaller
LEADING = 1.28
SANS, MONO = "DejaVu Sans", "DejaVu Sans Mono"
SHADE, RULE, DARK = "0.94", "0.75", "0.15"

STEPS = (
    (
        "1  Distribution",
        r"$\mathbf{y}\,|\,\mathbf{u} \sim P(\mathbf{\mu}, \phi)$",
        "Which values are possible? Counts, successes out of a known total, positive, between 0 "
        "and 1? How does the variance follow the mean? The assumption is on y given u. "
        "gt.suggest_family(y) helps.",
    ),
    (
        "2  Linear predictor",
        r"$\mathbf{\eta} = \mathbf{X}\mathbf{\beta} + \mathbf{Z}\mathbf{u}, \quad "
        r"\mathbf{u} \sim N(\mathbf{0}, \mathbf{G})$",
        "Fixed: what the question is about. Random: the groups of the design (blocks, pens, "
        "patients) that stand for more of their kind; each unit that got a treatment as a whole "
        "needs its term.",
    ),
    (
        "3  Link",
        r"$g(\mathbf{\mu}) = \mathbf{\eta}, \quad E(\mathbf{y}\,|\,\mathbf{u}) = \mathbf{\mu}$",
        "It takes the mean to the whole line, so that no prediction is impossible. It acts on the "
        "mean, not on the observations. The default of the family is the usual choice.",
    ),
)
EXAMPLE = """\
import glmmtools as gt
herds = gt.load_data("herds")
m = gt.fit("prop(incidence, size) ~ period + (1 | herd)",   # 2  linear predictor
           herds, family="binomial", link="logit")          # 1  distribution   3  link"""

# What may stand right of ~, left of it, and beside the formula; a test parses each.
FIXED = (
    ("a * b", "a + b + a:b, with interaction"),
    ("C(x)  log(x)  poly(x, 2)", "x as a factor, its log, a parabola"),
    ("offset(log(exposure))", "a rate; its coefficient is 1"),
)
RANDOM = (
    ("(1 | g)", "an intercept for each level of g"),
    ("(x | g)", "intercept and slope in x, correlated"),
    ("(x || g)", "intercept and slope, independent"),
    ("(0 + x | g)", "a slope in x alone"),
    ("(1 | a/b)", "b nested in a: (1 | a) + (1 | a:b)"),
    ("(1 | a) + (1 | b)", "a and b crossed"),
    ("cs(time | g)", "one correlation for all times in g"),
    ("ar1(time | g)", "ρ to the power of the lag"),
    ("ou(time | g)", "the same, for uneven times"),
    ("toep(time | g)", "a correlation for each lag"),
    ("hcs(time | g)", "cs, a variance for each time"),
    ("har1(time | g)", "ar1, a variance for each time"),
    ("us(time | g)", "all variances and correlations free"),
)
RESPONSE = (
    ("prop(successes, trials)", "successes out of a known total"),
    ("cbind(successes, failures)", "the same from two counts"),
)
OPTIONS = (
    ('weights="trials"', "y is already a proportion of so many trials"),
    ('zero_inflation="~ x"', "extra zeros of counts; all zeros if the family has none (two parts)"),
    ('dispersion_formula="~ x"', "φ varies with x"),
    ('residual="us(time | g)"', "normal models: a structure of R"),
    ("reml=True", "normal models: variances without the bias of ML"),
    ("nagq=10", "quadrature in place of Laplace: one term (1 | g)"),
)
# What a fitted model `m` is asked; a test looks up every name.
QUESTIONS = (
    ("Did it work?", (
        ("m.messages", "what the fit says of itself"),
        ("m.converged  m.singular", "a maximum? a variance at 0?"),
        ("gt.cross_check(m)", "quadrature, statsmodels agree?"),
    )),
    ("Does it fit?  r = m.simulated_residuals()", (
        ("r.plot()", "uniform, and no pattern?"),
        ("r.test_uniformity()", "the shape of the distribution"),
        ("r.test_dispersion()", "more spread than assumed?"),
        ("r.test_zeros()", "more zeros than assumed?"),
        ('r.test_curves("x")', "a bend that the model lacks"),
        ('r.test_autocorrelation("time")', "neighbours in time alike?"),
        ('m.influence("herd")', "what hangs on one group?"),
        ("m.r2()  m.icc()", "shares of variance"),
    )),
    ("Does a term matter?", (
        ("m.anova()", "type II test of each term"),
        ('m.anova(df="containment")', "t and F when units are few"),
        ('m0 = m.update("~ . - x")', "the model without a term"),
        ("gt.compare(m0, m1)", "likelihood ratio, AIC, BIC"),
        ("gt.bootstrap_lrt(m0, m1)", "the same when groups are few"),
        ('m.conf_int(method="profile")', "intervals with unequal arms"),
    )),
    ('What are the means?  e = m.means("period")', (
        ("e.plot()  e.describe()", "on the response scale"),
        ("e.contrasts()", "differences or ratios, Tukey"),
        ("e.letters()", "no letter shared: they differ"),
        ('m.slopes("x", by="f")', "a slope in x for each level of f"),
    )),
    ("What does it predict?  m.predict(new, effects=…)", (
        ('"conditional"', "for the groups in the data"),
        ('"population"', "for a typical group, u = 0"),
        ('"marginal"', "averaged over all groups"),
        ('gt.gee(…, groups="g")', "a model of that average alone"),
    )),
    ("How do I write it up?", (
        ("m.report()  m.equation()", "a paragraph; the mathematics"),
        ("gt.table(m0, m1)", "models side by side"),
    )),
)  # fmt: skip
# Notes to the lines of a printed summary, by what the line holds.
READING = (
    ("distribution", "what is assumed of y given u, and the link"),
    ("method", "how the integral over u was done; or ML, REML"),
    ("data", "rows used; with few groups a variance is vague"),
    ("fit", "on the same rows, a smaller AIC is better"),
    ("herd  Intercept", "how much herds differ, here in log-odds"),
    ("Intercept  ", "η with factors at their first levels, u = 0"),
    ("period[T.2]", "level 2 less level 1; its exp is an odds ratio"),
    ("period[T.4]", "p-values: one coefficient. A whole term: m.anova()"),
)


def font(size: float, weight: str = "normal", family: str = SANS) -> FontProperties:
    return FontProperties(family=family, weight=weight, size=size)


def width_of(text: str, prop: FontProperties) -> float:
    return TextToPath().get_text_width_height_descent(text, prop, ismath=False)[0]


def wrapped(text: str, width: float, prop: FontProperties) -> list[str]:
    """Break a text into lines that are no wider than `width` points."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer, prop) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


class Page:
    """One page and what is set on it."""

    def __init__(self, title: str, subtitle: str):
        self.figure = plt.figure(figsize=(WIDTH / 72, HEIGHT / 72))
        self.ax = self.figure.add_axes((0, 0, 1, 1))
        self.ax.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
        self.ax.set_axis_off()
        self.line(LEFT, TOP - 15, title, font(15.5, "bold"))
        self.ax.text(RIGHT, TOP - 15, subtitle, fontproperties=font(8), color="0.35", ha="right")
        self.rule(TOP - 23, DARK, 1.2)

    def line(self, x: float, y: float, text: str, prop: FontProperties, **options) -> None:
        self.ax.text(x, y, text, fontproperties=prop, **{"color": DARK, **options})

    def paragraph(self, x, y, text, width, size=TEXT, weight="normal", color=DARK) -> float:
        """Set wrapped lines, the first with its base at `y`; return the base of the next line."""
        prop = font(size, weight)
        for each in wrapped(text, width, prop):
            self.line(x, y, each, prop, color=color)
            y -= LEADING * size
        return y

    def rule(self, y, color=RULE, width=0.5, left=LEFT, right=RIGHT) -> None:
        self.ax.plot([left, right], [y, y], color=color, linewidth=width, solid_capstyle="butt")

    def shade(self, bottom: float, top: float, left=LEFT, right=RIGHT) -> None:
        self.ax.fill_between([left, right], bottom, top, color=SHADE, linewidth=0, zorder=0)

    def heading(self, y: float, text: str, left=LEFT, right=RIGHT) -> None:
        self.line(left, y, text, font(10.5, "bold"))
        self.rule(y - 4, DARK, 0.8, left, right)

    def picture(self, left: float, bottom: float, width: float, height: float):
        """Axes at a place in points."""
        place = (left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT)
        return self.figure.add_axes(place)


def small(ax, ticks: int) -> None:
    """Leave only what is legible in a picture of an inch."""
    ax.set(xlabel="", ylabel="", yticks=[])
    ax.set_title("", loc="left")
    if ax.get_legend():
        ax.get_legend().remove()
    for text in list(ax.texts):
        text.remove()
    for each in ax.lines:
        thin = each.get_color() == REFERENCE
        each.set(linewidth=0.5 if thin else 1.3, markersize=2.4)
        if each.get_marker() == "^":
            each.set(markersize=6, markeredgewidth=0.4)
    ax.xaxis.set_major_locator(MaxNLocator(ticks, integer=True))
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(labelsize=SMALL, pad=1, length=2, width=0.5)
    ax.spines["bottom"].set_linewidth(0.5)


def split_note(text: str) -> tuple[str, str]:
    """A formula and the remark that follows it on a card."""
    formula, mark, note = re.match(r"(.*?)(?:( \(|, (?=μ)| for )(.*))?$", text).groups()
    if mark == " (":
        note = note.removesuffix(")")
    return formula, f"for {note}" if mark == " for " else note or ""


# ---- page 1: distributions and links -------------------------------------------------------------

COLUMNS = {  # left edge and width
    "shape": (LEFT, 78),
    "distribution": (120, 102),
    "support": (224, 64),
    "E(y)": (290, 36),
    "Var(y)": (327, 101),
    "link": (430, 38),
    "typical response": (471, 88),
}
ROW = 46.0
FURTHER = ("ordered_beta", "genpois", "truncated_poisson", "truncated_negative_binomial")


def family_row(page: Page, top: float, each) -> None:
    if each.discrete:
        page.shade(top - ROW, top)
    ax = page.picture(LEFT + 4, top - ROW + 12, 78, ROW - 16)
    gt.plot_distribution(each, ax=ax)
    small(ax, 3)
    ax.patch.set_alpha(0)
    for patch in list(ax.patches):
        patch.remove()  # the shade of the support: the next column says it
    base = top - 11
    x, width = COLUMNS["distribution"]
    page.line(x, base, each.name, font(8.4, "bold"))
    notation, *meaning = each.notation_text.split(": ")
    y = page.paragraph(x, base - 11, notation, width)
    for text in meaning:
        page.paragraph(x, y, text, width, SMALL)
    for key, text in (
        ("support", each.support),
        ("E(y)", each.mean_text),
        ("Var(y)", each.variance_text),
        ("link", each.default_link.name),
        ("typical response", each.typical),
    ):
        x, width = COLUMNS[key]
        note = ""
        if key in ("support", "E(y)", "Var(y)"):
            text, note = split_note(text)
        if key == "E(y)" and each.takes_trials:
            note = ""  # said once, below the table
        y = page.paragraph(x, base, text, width, weight="bold" if key == "link" else "normal")
        if note:
            page.paragraph(x, y, note, width, SMALL, color="0.3")
    page.rule(top - ROW)


def _display(latex: str) -> str:
    """Mathematics with fractions that are not set smaller."""
    return "$" + latex.replace(r"\frac", r"\dfrac") + "$"


def distributions_and_links() -> Page:
    page = Page("GLMMs in Python: distributions and links", "glmmtools · cheat sheet, page 1 of 2")
    y = TOP - 40
    families = sorted(
        (gt.family(name) for name in gt.FAMILIES if name not in FURTHER),
        key=lambda each: (each.discrete, each.mean_interval),
    )
    for name, (x, _) in COLUMNS.items():
        page.line(x, y, name, font(TEXT, "bold"))
    y -= 6
    page.rule(y, DARK, 0.8)
    for each in families:
        family_row(page, y, each)
        y -= ROW
    y = page.paragraph(
        LEFT, y - 11,
        "White rows are continuous (a density), grey rows discrete (a probability on each whole "
        "number); ▲ is the mean. N is the known number of trials; there μ is the probability of a "
        "success. φ is the dispersion that m.dispersion reports, ν the degrees of freedom. "
        'gt.family("gamma") prints a card, with the parameters of SciPy and R. Further families: '
        f"{'; '.join(f'{name}, {gt.family(name).typical}' for name in FURTHER)}.",
        RIGHT - LEFT,
    )  # fmt: skip
    y -= 14
    page.heading(y, "Links: g(μ) = η")
    y -= 15
    places = {
        "μ against η": (LEFT, 0), "link": (120, 0), "g(μ)": (172, 0), "inverse: μ =": (263, 0),
        "a coefficient β of x": (342, 92), "default of": (438, 123),
    }  # fmt: skip
    for name, (x, _) in places.items():
        page.line(x, y, name, font(TEXT, "bold"))
    y -= 5
    height = 30
    for each in gt.LINKS.values():
        page.rule(y)
        ax = page.picture(LEFT + 4, y - height + 3, 60, height - 6)
        gt.plot_link(each.name, kind="inverse", ax=ax)
        small(ax, 3)
        ax.set_xticks([])
        ax.spines["left"].set_visible(True)
        ax.spines["left"].set_linewidth(0.5)
        middle = y - height / 2 - 3
        page.line(places["link"][0], middle, each.name, font(8.4, "bold"))
        page.line(places["g(μ)"][0], middle, _display(each.equation), font(10.5))
        page.line(places["inverse: μ ="][0], middle, _display(each.inverse_equation), font(10.5))
        used = [one.name for one in families if one.links[0] == each.name]
        for key, text in (
            ("a coefficient β of x", each.slope_means.replace("exp(slope)", "exp(β)")),
            ("default of", ", ".join(used) or "–"),
        ):
            x, width = places[key]
            lines = wrapped(text, width, font(TEXT))
            page.paragraph(x, middle + 4.9 * (len(lines) - 1), text, width)
        y -= height
    page.rule(y, DARK, 0.8)
    return page


# ---- page 2: steps, grammar, summary, questions --------------------------------------------------


def table(page: Page, y: float, rows, left: float, right: float, split: float) -> float:
    """Code on the left, what it means on the right; return the base below."""
    for code, meaning in rows:
        page.line(left, y, code, font(SMALL + 0.2, family=MONO))
        after = left + max(split, width_of(code, font(SMALL + 0.2, family=MONO)) + 8)
        room = right - after
        y = page.paragraph(after, y, meaning, room, SMALL + 0.2) - 1.5
    return y


def steps(page: Page, y: float) -> float:
    page.heading(y, "Three steps")
    y -= 18
    width = (RIGHT - LEFT - 24) / 3
    for i, (name, equation, text) in enumerate(STEPS):
        x = LEFT + i * (width + 12)
        page.line(x, y, name, font(9, "bold"))
        page.line(x, y - 16, equation, font(10))
        page.paragraph(x, y - 31, text, width)
    bottom = y - 31 - 5 * LEADING * TEXT - 4
    page.shade(bottom - 46, bottom, LEFT, RIGHT)
    for i, code in enumerate(EXAMPLE.splitlines()):
        page.line(LEFT + 6, bottom - 11 - 10 * i, code, font(TEXT, family=MONO))
    return bottom - 46


def summary(page: Page, y: float) -> float:
    page.heading(y, "Reading a summary: m.summary()")
    model = gt.fit("prop(incidence, size) ~ period + (1 | herd)", gt.load_data("herds"), "binomial")
    lines = str(model).splitlines()
    y -= 15
    size, step = SMALL, 9.4
    page.shade(y - step * (len(lines) - 1) - 5, y + 9, LEFT, LEFT + 306)
    notes = list(READING)
    for line in lines:
        page.line(LEFT + 4, y, line, font(size, family=MONO))
        if notes and line.strip().startswith(notes[0][0].strip()):
            _, note = notes.pop(0)
            page.ax.plot([LEFT + 6 + width_of(line, font(size, family=MONO)), LEFT + 314],
                         [y + 2.3, y + 2.3], color="0.6", linewidth=0.5, linestyle=":")  # fmt: skip
            page.line(LEFT + 318, y, note, font(size))
        y -= step
    assert not notes, f"no line of the summary begins with {notes[0][0]}"
    return y


def model_page() -> Page:
    page = Page("GLMMs in Python: fit and ask", "glmmtools · cheat sheet, page 2 of 2")
    y = steps(page, TOP - 40) - 20
    y = summary(page, y) - 14
    middle, gap = LEFT + 252, 16
    page.heading(y, "Formula: response ~ fixed + random", LEFT, middle)
    left = y - 16
    for name, rows in (
        ("Response", RESPONSE), ("Fixed part", FIXED), ("Random part", RANDOM),
        ("Beside the formula, as arguments of gt.fit", OPTIONS),
    ):  # fmt: skip
        page.line(LEFT, left, name, font(TEXT, "bold"))
        left = table(page, left - 11, rows, LEFT, middle, 122) - 6
    page.heading(y, "What to ask of a model", middle + gap)
    right = y - 16
    for name, rows in QUESTIONS:
        page.line(middle + gap, right, name, font(TEXT, "bold"))
        right = table(page, right - 11, rows, middle + gap, RIGHT, 138) - 6
    return page


def write(path: Path) -> None:
    """Write both pages to a PDF whose bytes are the same at every run."""
    fixed = {"pdf.fonttype": 42, "font.family": SANS, "mathtext.fontset": "dejavusans"}
    metadata = {
        "Title": "Generalized linear mixed models in Python: cheat sheet",
        "CreationDate": None, "ModDate": None, "Creator": None, "Producer": None,
    }  # fmt: skip
    with matplotlib.rc_context(fixed), PdfPages(path, metadata=metadata) as pdf:
        for page in (distributions_and_links(), model_page()):
            pdf.savefig(page.figure)
            plt.close(page.figure)


if __name__ == "__main__":
    write(FOLDER / "cheat-sheet.pdf")
