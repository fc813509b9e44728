// What scrolls sideways by itself can be reached by keyboard, too.
function reachable() {
  for (const box of document.querySelectorAll(".bd-article pre, .bd-article .scrolls")) {
    box.toggleAttribute("tabindex", box.scrollWidth > box.clientWidth);
    if (box.hasAttribute("tabindex")) box.tabIndex = 0;
  }
}
addEventListener("load", reachable);
addEventListener("resize", reachable);
addEventListener("toggle", reachable, true);

// Where the last output that answers a question is shown, the text that reads it is, too.
addEventListener("toggle", ({target}) => {
  let next = target.open && target.closest(".tag_hide-output")?.nextElementSibling;
  while (next && next.matches(".cell:not(.tag_hide-output)")) next = next.nextElementSibling;
  if (next && next.matches("details.reading")) next.open = true;
}, true);

// An excerpt of the search is taken from the text of a page, not from the menus about it.
addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return;
  const text_of = Search.htmlToText;
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const article = page.querySelector(".bd-article");
    if (!article) return text_of(html, anchor);
    const menus = ".run, .toctree-wrapper, .definition, .solution, h1";
    article.querySelectorAll(`${menus}, div.math`).forEach(menu => menu.remove());
    const target = anchor ? article.querySelector(anchor) : null;  // "": the whole page
    const entry = anchor?.startsWith("#index-");  // of the index, within its section
    const shown = (entry ? target?.closest("section") : target) ?? article;
    return text_of(`<div role="main">${shown.outerHTML}</div>`);
  };
});
