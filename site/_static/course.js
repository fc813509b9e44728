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
