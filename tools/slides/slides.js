// A slide that holds more than fits is set smaller, never cut off.
const HEIGHT = 700;
function fit() {
  const slide = Reveal.getCurrentSlide();
  if (!slide) return;
  for (let size = 100; size >= 45; size -= 5) {
    slide.style.fontSize = `${size}%`;
    const wide = [...slide.querySelectorAll("pre, table, mjx-container")].some(
      each => each.scrollWidth > each.clientWidth + 1 || each.offsetWidth > slide.clientWidth);
    if (slide.scrollHeight <= HEIGHT && slide.scrollWidth <= slide.clientWidth && !wide) return;
  }
}
Reveal.initialize({
  width: 1120, height: HEIGHT, margin: 0.04, center: false, hash: true, transition: "none",
  slideNumber: "c/t", plugins: [RevealNotes],
}).then(() => MathJax.startup.promise).then(() => {
  Reveal.on("slidechanged", fit);
  fit();
  document.documentElement.dataset.ready = "";
});
