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

  // There is room for buttons below the sentence before they are there, so that nothing moves.
  function tools(line) {
    const known = line.querySelector(".page-tools")
    if (known) return known
    const made = document.createElement("span")
    made.className = "page-tools"
    line.append(made)
    return made
  }

  // The page as Markdown, with its outputs: for a note, or for a language model.
  function copying() {
    const link = document.querySelector(".codeout-sentence a[download$='.md'], .codeout-sentence a[href$='.md'][download]")
    if (!link || !navigator.clipboard || document.querySelector(".copy-page")) return
    const button = document.createElement("button")
    button.type = "button"
    button.className = "copy-page"
    button.textContent = "Copy page"
    button.addEventListener("click", async () => {
      const answer = await fetch(link.href)
      await navigator.clipboard.writeText(await answer.text())
      button.textContent = "Copied"
      setTimeout(() => { button.textContent = "Copy page" }, 2000)
    })
    tools(link.parentElement).append(button)
  }

  // Every Out below its code, for those who rather scroll than press. The choice is kept for the other pages.
  function choice() {
    const line = document.querySelector(".codeout-sentence")
    if (!line || line.querySelector(".outs-below-switch") || !document.querySelector(".codeout-block:not(#out-fit) .tabbed-set")) return
    const button = document.createElement("button")
    button.type = "button"
    button.className = "outs-below-switch"
    const set = below => {
      root.classList.toggle("outs-below", below)
      button.textContent = below ? "Outs in tabs" : "Outs below their code"
    }
    set(kept.get())
    button.addEventListener("click", () => {
      kept.put(!root.classList.contains("outs-below"))
      set(kept.get())
    })
    tools(line).prepend(button)
  }

  // Where a page may keep nothing, the choice holds until it is left.
  const kept = {
    below: false,
    get() { try { return localStorage.getItem("outs-below") === "yes" } catch { return this.below } },
    put(below) {
      this.below = below
      try { localStorage.setItem("outs-below", below ? "yes" : "no") } catch { /* this.below has it */ }
    },
  }

  const root = document.documentElement
  const later = window.requestIdleCallback || setTimeout // the page is read before anything of this is wanted

  // What is far below is laid out when there is time, a little at once: then a link into the page, or the way back to
  // it, arrives where it should. Who comes by such a link waits for all of it.
  function lay(parts) {
    later(() => {
      for (const part of parts.splice(0, 4)) part.style.contentVisibility = "visible"
      if (parts.length) lay(parts)
    })
  }

  function arrive() {
    const parts = [...document.querySelectorAll(".md-content__inner > *")]
    const [how] = performance.getEntriesByType("navigation")
    const target = location.hash ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null
    if (target || how?.type === "back_forward" || how?.type === "reload") {
      for (const part of parts) part.style.contentVisibility = "visible"
      target?.scrollIntoView()
    } else if (document.readyState === "complete") {
      lay(parts)
    } else {
      addEventListener("load", () => setTimeout(() => lay(parts), 1500))
    }
  }

  function start() {
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search")
    arrive()
    choice()
    copying()
    later(() => {
      name(document)
      document.querySelectorAll(".codeout-figure").forEach(enlarge)
      document.querySelectorAll("div.arithmatex, .codeout pre > code, .md-typeset__scrollwrap").forEach(box => sizes.observe(box))
    })
  }

  // While a page is served, its sentence comes when its blocks have run.
  document.addEventListener("codeout:updated", () => { choice(); copying() })

  // Material swaps pages without loading them.
  if (window.document$) window.document$.subscribe(start)
  else start()
})()
