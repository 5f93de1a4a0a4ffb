// Puts into a page of a live server what its blocks do, as they do it. `data-codeout` names a block, `data-key` its run.
(() => {
  const known = {}

  function show(name) {
    const state = known[name]
    for (const place of document.querySelectorAll(`[data-codeout="${CSS.escape(name)}"]`)) {
      if (place.dataset.key !== state.key || place.codeoutShown === state.html && "html" in state) continue
      if ("html" in state) {
        replace(place, state.html)
        place.classList.remove("codeout-stale")
        place.codeoutShown = state.html
      } else {
        const words = place.querySelector(".codeout-progress")
        const said = place.querySelector(".codeout-said")
        if (!words || !said) continue // it shows a run already, from the store
        words.textContent = state.message
        said.textContent = state.text
        said.hidden = !state.text
        said.scrollTop = said.scrollHeight
      }
    }
  }

  // Only the output, where there is one before and after: the tab that is open stays open.
  function replace(place, html) {
    const fresh = document.createElement("template")
    fresh.innerHTML = html
    const before = place.querySelector(".codeout")
    const after = fresh.content.querySelector(".codeout")
    if (before && after) return before.replaceWith(after)
    for (const part of [".highlight", ".codeout-notes"]) { // the code is the same, and what belongs to it is here
      const [here, there] = [place, fresh.content].map(root => root.querySelector(`${part}:not(.codeout ${part})`))
      if (here && there) there.replaceWith(here)
    }
    place.replaceChildren(fresh.content)
  }

  function connect() {
    const events = new EventSource("PATH")
    events.onmessage = event => {
      const news = JSON.parse(event.data)
      Object.assign(known, news)
      Object.keys(news).forEach(show)
      document.dispatchEvent(new CustomEvent("codeout:updated")) // for scripts of the site
    }
  }

  // After the page has been built again it loads anew: the tabs that were open are opened.
  const memory = "codeout-tabs " + location.pathname
  const tabs = () => [...document.querySelectorAll(".tabbed-set > input")]
  addEventListener("beforeunload", () => {
    sessionStorage.setItem(memory, JSON.stringify(tabs().map(input => input.checked)))
  })
  if (performance.getEntriesByType("navigation")[0]?.type === "reload") {
    const open = JSON.parse(sessionStorage.getItem(memory) || "[]")
    tabs().forEach((input, number) => { if (open[number]) input.checked = true })
  }

  connect()
  // Material swaps pages without loading them.
  window.document$?.subscribe(() => Object.keys(known).forEach(show))
})()
