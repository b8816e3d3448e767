/* The overview's charts: drawn from numbers that are fetched again every few seconds while somebody looks. */
"use strict";

(() => {
  const HEIGHT = 144;
  const LINES = ["one", "two", "three"];
  const holder = document.querySelector("[data-charts]");
  if (!holder || !window.uPlot) return;
  const drawn = new Map();

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function options(names, width) {
    const grid = { stroke: colour("--line"), width: 1 };
    const text = colour("--pico-muted-color");
    return {
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.1, 4)] } },
      axes: [
        { stroke: text, grid: { show: false }, ticks: grid, space: 60, size: 28, values: times },
        { stroke: text, grid, ticks: { show: false }, size: 44, space: 36, values: (_, all) => all.map(short) },
      ],
      series: [{}, ...names.map((name, index) => ({
        stroke: colour(`--line-${LINES[index % LINES.length]}`),
        width: 1.75,
        dash: index >= LINES.length ? [6, 4] : undefined,
        points: { show: false },
      }))],
    };
  }

  function times(_, all) {
    const long = all.length > 1 && all[all.length - 1] - all[0] > 86400;
    return all.map((seconds) => {
      const at = new Date(seconds * 1000);
      const clock = `${String(at.getHours()).padStart(2, "0")}:${String(at.getMinutes()).padStart(2, "0")}`;
      return long ? `${at.getMonth() + 1}-${at.getDate()}${clock === "00:00" ? "" : ` ${clock}`}` : clock;
    });
  }

  const short = (number) => {
    if (number % 1) return "";
    return number >= 10000 ? `${number / 1000}k` : number.toLocaleString("en");
  };

  function tell(figure, lines) {
    const totals = figure.querySelector(".totals");
    totals.replaceChildren(...lines.flatMap(([name, row], index) => {
      const dot = document.createElement("i");
      dot.className = `dot ${LINES[index % LINES.length]}`;
      const sum = row.reduce((before, count) => before + count, 0);
      return [dot, `${sum.toLocaleString("en")} ${name}`];
    }));
    const plot = figure.querySelector(".plot");
    const title = figure.querySelector("strong").textContent;
    plot.setAttribute("aria-label", `${title}: ${totals.textContent}`);
  }

  function draw(answer) {
    const at = Array.from({ length: answer.steps }, (_, index) => answer.starts + index * answer.step);
    for (const figure of holder.querySelectorAll("[data-chart]")) {
      const lines = answer.charts[figure.dataset.chart];
      const names = lines.map(([name]) => name);
      const data = [at, ...lines.map(([, row]) => row)];
      const plot = figure.querySelector(".plot");
      const before = drawn.get(figure);
      if (before && before.names.join() === names.join()) {
        before.chart.setData(data);
      } else {
        if (before) before.chart.destroy();
        drawn.set(figure, { names, chart: new window.uPlot(options(names, plot.clientWidth), data, plot) });
      }
      tell(figure, lines);
    }
    holder.dataset.drawn = "yes";
  }

  async function renew() {
    if (document.hidden && drawn.size > 0) return;
    const answer = await fetch(holder.dataset.charts, {
      headers: { Accept: "application/json", "Desk-Live": "1" },
    }).catch(() => null);
    if (answer && answer.ok) draw(await answer.json());
  }

  new ResizeObserver(() => {
    for (const [figure, { chart }] of drawn) {
      chart.setSize({ width: figure.querySelector(".plot").clientWidth, height: HEIGHT });
    }
  }).observe(holder);

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { chart } of drawn.values()) chart.destroy();
    drawn.clear();
    renew();
  });

  renew();
  window.setInterval(renew, Number(holder.dataset.every) * 1000);
})();
