// The options of a question become buttons; a click, Enter or the space bar tells whether it is right.
addEventListener("DOMContentLoaded", () => {
  for (const told of document.querySelectorAll("script.choice")) {
    const list = told.previousElementSibling;
    if (list?.tagName !== "UL") continue;
    const {right, replies} = JSON.parse(told.textContent);
    const verdict = document.createElement("p");
    verdict.className = "verdict";
    verdict.setAttribute("role", "status");
    const buttons = [...list.children].map(option => {
      const letter = option.querySelector("strong");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "option";
      button.textContent = letter.textContent;
      button.setAttribute("aria-pressed", "false");
      letter.replaceWith(button);
      option.addEventListener("click", event => {
        if (event.target.closest("a")) return;
        const chosen = button.textContent;
        for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
        verdict.dataset.right = String(chosen === right);
        verdict.textContent = (chosen === right ? `✓ Right: ${chosen}. ` : `✗ Not ${chosen}. `) + replies[chosen];
      });
      return button;
    });
    list.classList.add("options");
    list.after(verdict);
  }
});
