"use strict";
// Walks through mentions, and shows what a mark means where no pointer can rest on it. Without this script a chip
// leads to its first mention.
(() => {
  const bar = document.createElement("div");
  bar.className = "walk";
  bar.hidden = true;
  bar.setAttribute("role", "status");
  const words = document.createElement("span");
  bar.append(words);
  const button = (sign, label, act) => {
    const made = document.createElement("button");
    made.textContent = sign;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    bar.append(made);
    return made;
  };

  let places = [];
  let at = 0;
  let name = "";
  let from = null;
  const clear = (mark) => document.querySelectorAll("." + mark).forEach((old) => old.classList.remove(mark));
  const say = (text, walks) => {
    words.textContent = text;
    before.hidden = after.hidden = !walks;
    back.hidden = !from;
    bar.hidden = false;
  };
  const show = () => {
    const target = document.getElementById("b" + places[at]);
    clear("flash");
    if (!target) return;
    target.classList.add("flash");
    target.scrollIntoView({ block: "center" });
    const many = places.length > 1;
    say(many ? `${name} ${at + 1} of ${places.length}` : name, many);
  };
  const step = (by) => {
    at = (at + by + places.length) % places.length;
    show();
  };
  const close = () => {
    bar.hidden = true;
    clear("flash");
    clear("on");
  };
  const before = button("\u2039", "Previous mention", () => step(-1));
  const after = button("\u203a", "Next mention", () => step(1));
  const back = button("Back", "Back to the list", () => {
    from.scrollIntoView({ block: "center" });
    from.focus({ preventScroll: true });
    close();
  });
  button("\u00d7", "Close", close);
  document.body.append(bar);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#b']");
    if (!link) {
      const mark = event.target.closest(".m[title]");
      if (!mark) return;
      from = null;
      say(mark.title, false);
      return;
    }
    event.preventDefault();
    if (link === from && !bar.hidden && places.length > 1) return step(1);
    clear("on");
    from = link;
    places = (link.dataset.at || link.getAttribute("href").slice(2)).split(" ");
    at = 0;
    const titled = link.querySelector("title");
    name = titled ? titled.textContent : link.dataset.at ? link.firstChild.textContent.trim() : "In the text";
    if (link.dataset.at) link.classList.add("on");
    show();
  });
})();
