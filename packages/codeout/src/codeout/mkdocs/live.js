// Updates a page of the live server as its blocks run: asks for news while something runs and the tab is seen. `data-codeout` holds the name of a block, `data-key` its cache key.
(() => {
  const states = {}

  function showState(name) {
    const state = states[name]
    for (const element of document.querySelectorAll(`[data-codeout="${CSS.escape(name)}"]`)) {
      if (element.dataset.key !== state.key || element.codeoutHtml === state.html && "html" in state) continue
      if ("html" in state) {
        replaceContent(element, state.html)
        element.classList.remove("codeout-stale")
        element.codeoutHtml = state.html
      } else {
        const message = element.querySelector(".codeout-progress")
        const stream = element.querySelector(".codeout-said")
        if (!message || !stream) continue // it already shows a cached run
        message.textContent = state.message
        stream.textContent = state.text
        stream.hidden = !state.text
        stream.scrollTop = stream.scrollHeight
      }
    }
  }

  // Replaces only the output if there already is one, so that the open tab stays open.
  function replaceContent(element, html) {
    const template = document.createElement("template")
    template.innerHTML = html
    const oldOutput = element.querySelector(".codeout")
    const newOutput = template.content.querySelector(".codeout")
    if (oldOutput && newOutput) return oldOutput.replaceWith(newOutput)
    for (const selector of [".highlight", ".codeout-notes"]) { // keep the code and its notes: scripts may have changed them
      const [oldPart, newPart] = [element, template.content].map(
        root => root.querySelector(`${selector}:not(.codeout ${selector})`)
      )
      if (oldPart && newPart) newPart.replaceWith(oldPart)
    }
    element.replaceChildren(template.content)
  }

  const interval = 300 // milliseconds between two questions
  const patience = 3000 // after a question without an answer
  let since = SINCE
  let timer = null

  async function ask() {
    timer = null
    if (document.hidden) return // asked again when it is seen
    let wait = patience
    try {
      const answer = await fetch(`PATH?since=${since}&page=PAGE`)
      const news = await answer.json()
      since = news.version
      Object.assign(states, news.states)
      Object.keys(news.states).forEach(showState)
      if (Object.keys(news.states).length) document.dispatchEvent(new CustomEvent("codeout:updated")) // for scripts of the site
      if (!news.running) return
      wait = interval
    } catch {} // the server is busy, or gone
    askSoon(wait)
  }

  function askSoon(wait) {
    timer ??= setTimeout(ask, wait)
  }

  // The server reloads a page after each build: open the tabs that were open before.
  const storageKey = "codeout-tabs " + location.pathname
  const tabInputs = () => [...document.querySelectorAll(".tabbed-set > input")]
  addEventListener("beforeunload", () => {
    sessionStorage.setItem(storageKey, JSON.stringify(tabInputs().map(input => input.checked)))
  })
  if (performance.getEntriesByType("navigation")[0]?.type === "reload") {
    const wasChecked = JSON.parse(sessionStorage.getItem(storageKey) || "[]")
    tabInputs().forEach((input, index) => { if (wasChecked[index]) input.checked = true })
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) askSoon(0) })
  askSoon(0)
  // Material's instant navigation swaps pages without loading this script again.
  window.document$?.subscribe(() => { Object.keys(states).forEach(showState); askSoon(0) })
})()
