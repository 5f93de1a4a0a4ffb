// What the pages do in a browser beyond Material: figures open large, and what Material leaves nameless gets a name.
// Everything is there without it.
(() => {
  // Buttons that copy code come in a `nav` each, and a page can't have twenty landmarks of one name.
  function name(root) {
    for (const group of root.querySelectorAll("nav.md-code__nav")) group.setAttribute("role", "none")
  }

  function enlarge(figure) {
    const picture = figure.querySelector("svg, img")
    if (!picture || figure.querySelector(".figure-open")) return
    const button = document.createElement("button")
    button.className = "figure-open"
    button.type = "button"
    button.textContent = "Enlarge"
    button.addEventListener("click", () => open(picture))
    picture.addEventListener("click", event => { if (!event.target.closest(".step")) open(picture) })
    figure.append(button)
  }

  // The picture itself moves into the dialog and back: a copy would have its ids a second time.
  function open(picture) {
    const place = document.createComment("")
    const dialog = document.createElement("dialog")
    dialog.className = "figure-large"
    dialog.setAttribute("aria-label", picture.getAttribute("aria-label") || picture.getAttribute("alt") || "Figure")
    const close = document.createElement("button")
    close.type = "button"
    close.textContent = "Close"
    close.addEventListener("click", () => dialog.close())
    dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close() })
    dialog.addEventListener("close", () => { place.replaceWith(picture); dialog.remove() })
    picture.replaceWith(place)
    dialog.append(close, picture)
    document.body.append(dialog)
    dialog.showModal()
  }

  // What scrolls can be reached and scrolled by keyboard, from the moment at which it is seen.
  const sizes = new ResizeObserver(entries => {
    for (const { target } of entries) {
      const scrolls = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight
      if (scrolls) target.tabIndex = 0
      else target.removeAttribute("tabindex")
    }
  })

  function start() {
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search")
    const later = window.requestIdleCallback || setTimeout // the page is read before anything of this is wanted
    later(() => {
      name(document)
      document.querySelectorAll(".codeout-figure").forEach(enlarge)
      document.querySelectorAll("div.arithmatex, .codeout pre > code").forEach(box => sizes.observe(box))
    })
  }

  // Material swaps pages without loading them.
  if (window.document$) window.document$.subscribe(start)
  else start()
})()
