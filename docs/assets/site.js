// What the pages do in a browser beyond Material: figures open large, and what Material leaves nameless gets a name.
// Everything is there without it.
(() => {
  // A button that copies code comes in a `nav` when the code is first seen, and a page can't have twenty landmarks of one
  // name.
  const names = new MutationObserver(changes => {
    for (const node of changes.flatMap(change => [...change.addedNodes])) {
      if (node.className === "md-code__nav") node.setAttribute("role", "none")
    }
  })

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
    set(!!kept.get("outs-below"))
    button.addEventListener("click", () => {
      const below = !root.classList.contains("outs-below")
      kept.put("outs-below", below)
      set(below)
    })
    tools(line).prepend(button)
  }

  // Light or dark, as the system has it until somebody chooses. What sets it before the page is drawn is in
  // overrides/partials/javascripts/palette.html.
  function schemes() {
    const switches = [...document.querySelectorAll(".switch")]
    const bar = document.createElement("meta") // of a phone's browser
    bar.name = "theme-color"
    document.head.append(bar)
    const set = scheme => {
      document.body.dataset.mdColorScheme = scheme
      for (const button of switches) button.hidden = button.dataset.scheme !== scheme
      later(() => { bar.content = getComputedStyle(document.body).getPropertyValue("--paper") })
    }
    set(document.body.dataset.mdColorScheme)
    for (const button of switches) {
      button.addEventListener("click", () => {
        const other = switches.find(one => one !== button)
        kept.put("scheme", other.dataset.scheme)
        set(other.dataset.scheme)
        other.focus()
      })
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ({ matches }) => {
      if (!kept.get("scheme")) set(matches ? "slate" : "default")
    })
  }

  // Where a page may keep nothing, a choice holds until it is left.
  const kept = {
    here: {},
    get(name) { try { return __md_get(name) ?? this.here[name] } catch { return this.here[name] } },
    put(name, value) {
      this.here[name] = value
      __md_set(name, value) // does nothing where it may not
    },
  }

  const root = document.documentElement
  const later = window.requestIdleCallback || setTimeout // the page is read before anything of this is wanted

  // What is far below is laid out when there is time, a little at once: then a link into the page, or the way back to
  // it, arrives where it should. Who comes by such a link waits for all of it.
  function reveal(part) {
    part.style.contentVisibility = "visible"
    if (!part.matches(".arithmatex")) return
    sizes.unobserve(part) // a formula may be as high as the room that was kept for it, and only now be too wide
    sizes.observe(part)
  }

  function lay(parts) {
    later(() => {
      parts.splice(0, 2).forEach(reveal)
      if (parts.length) lay(parts)
    })
  }

  function arrive() {
    const parts = [...document.querySelectorAll(".md-content__inner > *")]
    const [how] = performance.getEntriesByType("navigation")
    const target = location.hash ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null
    if (target || how?.type === "back_forward" || how?.type === "reload") {
      parts.forEach(reveal)
      target?.scrollIntoView()
    } else if (document.readyState === "complete") {
      lay(parts)
    } else {
      addEventListener("load", () => lay(parts))
    }
  }

  function start() {
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search")
    names.observe(document.querySelector(".md-content"), { childList: true, subtree: true })
    arrive()
    choice()
    copying()
    later(() => {
      document.querySelectorAll(".codeout-figure").forEach(enlarge)
      document.querySelectorAll("div.arithmatex, .codeout pre > code, .md-typeset__scrollwrap").forEach(box => sizes.observe(box))
    })
  }

  schemes()

  // While a page is served, its sentence comes when its blocks have run.
  document.addEventListener("codeout:updated", () => { choice(); copying() })

  // Material swaps pages without loading them.
  if (window.document$) window.document$.subscribe(start)
  else start()
})()
