/* Keys, the reader's own time zone, questions before what can't be undone. The pages work without it. */
"use strict";

(() => {
  const rows = () => [...document.querySelectorAll("[data-row]")];
  let current = null;

  function go(step) {
    const all = rows();
    if (all.length === 0) return;
    const at = all.indexOf(current);
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    if (current) current.classList.remove("current");
    current = next;
    current.classList.add("current");
    const link = current.querySelector("a[href]");
    (link || current).focus();
    current.scrollIntoView({ block: "nearest" });
  }

  function replay() {
    const where = current && document.contains(current) ? current : document;
    const button = where.querySelector("[data-replay]") || document.querySelector("[data-replay]");
    if (button) button.click();
  }

  function showKeys() {
    const dialog = document.getElementById("keys");
    if (dialog && !dialog.open) dialog.showModal();
  }

  const keys = {
    "/": () => {
      const field = document.querySelector("input[type=search]");
      if (field) field.focus();
    },
    j: () => go(1),
    k: () => go(-1),
    r: replay,
    "?": showKeys,
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (typing) {
      if (event.key === "Escape") typing.blur();
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    const act = keys[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-keys]")) showKeys();
  });

  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm || event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  }, true);

  // A select that filters is applied at once.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-at-once]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });

  function localTimes(root) {
    for (const time of root.querySelectorAll("time[data-local]")) {
      const instant = new Date(time.dateTime);
      const pad = (number) => String(number).padStart(2, "0");
      time.textContent = `${instant.getFullYear()}-${pad(instant.getMonth() + 1)}-${pad(instant.getDate())} ` +
        `${pad(instant.getHours())}:${pad(instant.getMinutes())}:${pad(instant.getSeconds())}`;
    }
  }

  localTimes(document);
  document.addEventListener("htmx:afterSettle", () => {
    localTimes(document);
    if (current && !document.contains(current)) current = null;
  });

  // What renews itself rests while nobody sees it, and while somebody has opened or typed something in it.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const element = event.detail.elt;
    if (!(element.getAttribute("hx-trigger") || "").startsWith("every")) return;
    if (document.hidden || element.querySelector("details[open], :focus")) event.preventDefault();
  });
})();
