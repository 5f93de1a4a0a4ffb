// The network that this build has trained, run in the browser: on test images, and on pictures that never leave it.
// `snippets/support/browser.py` makes what this reads.
(() => {
  const SIDE = 32 // pixels of a picture as the network sees it
  const ZOOM = 6 // pixels of the canvas for each of them, both ways

  const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0))

  // ---------------------------------------------------------------------------------------------------- the network

  // Returns the parameters by name: { shape, data }.
  function parameters(made) {
    const all = new Float32Array(bytes(made.weights).buffer)
    const found = {}
    let start = 0
    for (const [name, shape] of Object.entries(made.layers)) {
      const length = shape.reduce((product, size) => product * size, 1)
      found[name] = { shape, data: all.subarray(start, start += length) }
    }
    return found
  }

  // x: planes of side × side, one after the other. Returns the planes after a convolution and a relu.
  function convolution(x, side, weight, bias) {
    const [filters, planes, size] = weight.shape
    const out = side - size + 1
    const y = new Float32Array(filters * out * out)
    for (let f = 0; f < filters; f++) {
      for (let row = 0; row < out; row++) {
        for (let column = 0; column < out; column++) {
          let sum = bias.data[f]
          for (let p = 0; p < planes; p++) {
            for (let i = 0; i < size; i++) {
              const from = (p * side + row + i) * side + column
              const at = ((f * planes + p) * size + i) * size
              for (let j = 0; j < size; j++) sum += x[from + j] * weight.data[at + j]
            }
          }
          y[(f * out + row) * out + column] = Math.max(sum, 0)
        }
      }
    }
    return y
  }

  // The largest of each 2 × 2.
  function pool(x, planes, side) {
    const out = side >> 1
    const y = new Float32Array(planes * out * out)
    for (let p = 0; p < planes; p++) {
      for (let row = 0; row < out; row++) {
        for (let column = 0; column < out; column++) {
          const at = (p * side + 2 * row) * side + 2 * column
          y[(p * out + row) * out + column] = Math.max(x[at], x[at + 1], x[at + side], x[at + side + 1])
        }
      }
    }
    return y
  }

  function linear(x, weight, bias) {
    const [outputs, inputs] = weight.shape
    return Float32Array.from({ length: outputs }, (_, row) => {
      let sum = bias.data[row]
      for (let i = 0; i < inputs; i++) sum += x[i] * weight.data[row * inputs + i]
      return sum
    })
  }

  const relu = x => x.map(number => Math.max(number, 0))

  // pixels: 3 planes of 32 × 32 numbers from 0 to 255. Returns ten numbers.
  function forward(net, pixels) {
    const layer = name => [net[`${name}.weight`], net[`${name}.bias`]]
    let x = Float32Array.from(pixels, pixel => (pixel / 255 - 0.5) / 0.5)
    let side = SIDE
    for (const name of ["conv1", "conv2"]) {
      const [weight, bias] = layer(name)
      x = convolution(x, side, weight, bias)
      side -= weight.shape[2] - 1
      x = pool(x, weight.shape[0], side)
      side >>= 1
    }
    for (const name of ["fc1", "fc2"]) x = relu(linear(x, ...layer(name)))
    return linear(x, ...layer("fc3"))
  }

  function softmax(logits) {
    const most = Math.max(...logits)
    const powers = Array.from(logits, number => Math.exp(number - most))
    const sum = powers.reduce((a, b) => a + b)
    return powers.map(number => number / sum)
  }

  // ------------------------------------------------------------------------------------------------------ pictures

  function paint(context, pixels, start, zoom) {
    const side = SIDE * zoom
    const image = context.createImageData(side, side)
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const at = Math.floor(y / zoom) * SIDE + Math.floor(x / zoom)
        for (let plane = 0; plane < 3; plane++) {
          image.data[4 * (y * side + x) + plane] = pixels[start + plane * SIDE * SIDE + at]
        }
        image.data[4 * (y * side + x) + 3] = 255
      }
    }
    context.putImageData(image, 0, 0)
  }

  // The mean of each ZOOM × ZOOM pixels of the canvas, as 3 planes.
  function seen(context) {
    const side = SIDE * ZOOM
    const { data } = context.getImageData(0, 0, side, side)
    const pixels = new Float32Array(3 * SIDE * SIDE)
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const at = Math.floor(y / ZOOM) * SIDE + Math.floor(x / ZOOM)
        for (let plane = 0; plane < 3; plane++) pixels[plane * SIDE * SIDE + at] += data[4 * (y * side + x) + plane]
      }
    }
    return pixels.map(sum => sum / ZOOM / ZOOM)
  }

  // -------------------------------------------------------------------------------------------------------- the page

  function begin(box) {
    const made = window.tutorialNetwork
    const net = parameters(made)
    const pictures = bytes(made.pictures)
    const length = 3 * SIDE * SIDE
    const canvas = box.querySelector(".try-canvas")
    const context = canvas.getContext("2d", { willReadFrequently: true })
    const says = box.querySelector(".try-says")
    const buttons = [...box.querySelectorAll("[data-picture]")]
    const bars = [...box.querySelectorAll(".try-bars dd")]

    function tell(number = null) {
      const pixels = seen(context)
      paint(box.querySelector(".try-seen").getContext("2d"), pixels, 0, 1)
      const logits = forward(net, pixels)
      const shares = softmax(logits)
      const best = shares.indexOf(Math.max(...shares))
      bars.forEach((bar, row) => {
        bar.querySelector("span").style.inlineSize = `${100 * shares[row]}%`
        bar.querySelector("output").textContent = `${(100 * shares[row]).toFixed(1)} %`
        bar.classList.toggle("best", row === best)
      })
      buttons.forEach((button, row) => button.setAttribute("aria-pressed", row === number))
      let words = `The network says ${made.classes[best]}, ${(100 * shares[best]).toFixed(1)} %.`
      if (number !== null) {
        const apart = Math.max(...logits.map((logit, row) => Math.abs(logit - made.logits[number][row])))
        words += ` It is a ${made.classes[made.labels[number]]}.`
        words += ` These ten numbers differ from PyTorch's by at most ${apart.toExponential(0)}.`
      }
      says.textContent = words
      box.dataset.logits = JSON.stringify([...logits])
    }

    let again = () => choose(0) // shows the picture as it was before somebody painted on it

    function choose(number) {
      again = () => choose(number)
      paint(context, pictures, number * length, ZOOM)
      tell(number)
    }

    function show(image) {
      again = () => show(image)
      const side = Math.min(image.width, image.height)
      context.imageSmoothingQuality = "high"
      clear()
      context.drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, canvas.width, canvas.height)
      tell()
    }

    function clear() {
      context.fillStyle = "#dfe6ee"
      context.fillRect(0, 0, canvas.width, canvas.height)
    }

    async function take(file) {
      if (!file) return
      try {
        show(await createImageBitmap(file))
      } catch {
        says.textContent = `Your browser can't read ${file.name} as a picture.`
      }
    }

    buttons.forEach((button, number) => {
      paint(button.querySelector("canvas").getContext("2d"), pictures, number * length, 1)
      button.addEventListener("click", () => choose(number))
    })
    box.querySelector("[type=file]").addEventListener("change", event => {
      take(event.target.files[0])
      event.target.value = "" // so that the same file can be chosen again
    })
    box.querySelector(".try-again").addEventListener("click", () => again())
    box.querySelector(".try-clear").addEventListener("click", () => { again = () => { clear(); tell() }; again() })
    box.addEventListener("dragover", event => event.preventDefault())
    box.addEventListener("drop", event => { event.preventDefault(); take(event.dataTransfer.files[0]) })

    let last = null // where the brush was
    const place = event => {
      const area = canvas.getBoundingClientRect()
      return [event.offsetX * canvas.width / area.width, event.offsetY * canvas.height / area.height]
    }
    canvas.addEventListener("pointerdown", event => {
      canvas.setPointerCapture(event.pointerId)
      last = place(event)
      stroke(event)
    })
    canvas.addEventListener("pointermove", event => { if (last) stroke(event) })
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null })
    function stroke(event) {
      const to = place(event)
      context.strokeStyle = box.querySelector("[type=color]").value
      context.lineWidth = 3 * ZOOM
      context.lineCap = "round"
      context.beginPath()
      context.moveTo(...last)
      context.lineTo(to[0] + 0.1, to[1]) // a line of no length would be no dot
      context.stroke()
      last = to
      tell()
    }

    choose(0)
  }

  function load(box) {
    if (window.tutorialNetwork) return begin(box)
    const script = document.createElement("script")
    script.src = box.dataset.weights
    script.onload = () => begin(box)
    script.onerror = () => { box.querySelector(".try-says").textContent = "The weights could not be loaded." }
    document.head.append(script)
  }

  function start() {
    for (const box of document.querySelectorAll(".try[data-weights]")) {
      new IntersectionObserver((entries, observer) => {
        if (entries.some(entry => entry.isIntersecting)) { observer.disconnect(); load(box) }
      }, { rootMargin: "300px" }).observe(box)
    }
  }

  if (window.document$) window.document$.subscribe(start)
  else start()
})()
