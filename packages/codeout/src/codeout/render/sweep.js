// Shows the case of a sweep that a reader chooses. One listener for the page, whatever is replaced on it.
if (!window.codeoutSweeps) {
  window.codeoutSweeps = true;
  document.addEventListener("change", ({ target }) => {
    const sweep = target.closest(".codeout-sweep");
    if (!sweep) return;
    const chosen = [...sweep.querySelectorAll(".codeout-knobs :checked")].map((knob) => knob.value).join(" ");
    for (const shown of sweep.querySelectorAll(".codeout-case")) {
      shown.toggleAttribute("data-shown", shown.dataset.case === chosen);
    }
  });
}
