"use strict";
// Chips walk through their mentions: every click goes to the next one. Without this script they lead to the first.
(() => {
  const show = (id) => {
    const target = document.getElementById(id);
    if (!target) return;
    document.querySelectorAll(".flash").forEach((old) => old.classList.remove("flash"));
    target.classList.add("flash");
    target.scrollIntoView({ block: "center" });
  };
  const next = new WeakMap();
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#b']");
    if (!link) return;
    event.preventDefault();
    const places = (link.dataset.at || link.getAttribute("href").slice(2)).split(" ");
    const at = (next.get(link) ?? -1) + 1;
    next.set(link, at % places.length);
    document.querySelectorAll(".chip.on").forEach((old) => old.classList.remove("on"));
    if (link.dataset.at) link.classList.add("on");
    show("b" + places[at % places.length]);
  });
})();
