// Unpacks plotly.js, which the page carries compressed, and draws every figure in the reader's colours.
"use strict";
(async () => {
  const content = (id) => document.getElementById(id).textContent.trim();
  const { palettes, figures } = JSON.parse(content("figures"));

  async function load() {
    const packed = Uint8Array.from(atob(content("library")), (character) => character.charCodeAt(0));
    const gzip = new DecompressionStream("gzip");
    const writer = gzip.writable.getWriter();
    const written = Promise.all([writer.write(packed), writer.close()]);
    const script = document.createElement("script");
    script.textContent = await new Response(gzip.readable).text();
    await written;
    document.head.append(script);
  }

  function coloured(value, palette) {
    if (typeof value === "string") {
      const token = /^var\(--([a-z0-9-]+)\)$/.exec(value);
      return token && token[1] in palette ? palette[token[1]] : value;
    }
    if (Array.isArray(value)) return value.map((item) => coloured(item, palette));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, palette)]));
  }

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const precise = matchMedia("(pointer: fine)").matches;
  const config = { displayModeBar: false, responsive: true, showTips: false, doubleClick: "reset" };

  async function draw(scheme) {
    for (const [id, figure] of Object.entries(figures)) {
      const { data, layout } = coloured(figure, palettes[scheme]);
      // A finger that moves over a figure scrolls the page; a mouse may zoom into time.
      layout.dragmode = precise && layout.xaxis.type === "date" ? "zoom" : false;
      await Plotly.react(id, data, layout, config);
    }
  }

  const current = () => (dark.matches ? "dark" : "light");
  try {
    await load();
    await draw(current());
    // A sheet off the page on which plotly.js measures text; nobody should meet it.
    document.getElementById("js-plotly-tester")?.setAttribute("aria-hidden", "true");
    document.documentElement.dataset.figures = "drawn";
  } catch (error) {
    document.documentElement.dataset.figures = "failed";
    document.getElementById("trouble").textContent =
      `The figures could not be drawn (${error}). They need a browser of 2023 or later; the tables hold the same numbers.`;
    for (const details of document.querySelectorAll("details")) details.open = true;
    return;
  }
  dark.addEventListener("change", () => draw(current()));
  addEventListener("beforeprint", () => draw("light"));
  addEventListener("afterprint", () => draw(current()));
})();
