// The dashboard's traffic chart.
(() => {
  const root = document.documentElement;
  const box = document.getElementById("chart");
  if (!box) return;
  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const time = new Intl.DateTimeFormat(root.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const number = new Intl.NumberFormat(root.lang);
  let data = JSON.parse(document.getElementById("traffic").textContent);
  let chart = null;

  const area = (stroke) => (plot) => {
    const { top, height } = plot.bbox;
    const shade = plot.ctx.createLinearGradient(0, top, 0, top + height);
    shade.addColorStop(0, `color-mix(in oklab, ${stroke} 22%, transparent)`);
    shade.addColorStop(1, `color-mix(in oklab, ${stroke} 1%, transparent)`);
    return shade;
  };
  const series = (name, label) => ({
    label, stroke: color(name), width: 2, fill: area(color(name)), points: { show: false },
    paths: uPlot.paths.spline(),
  });
  const size = () => ({ width: Math.max(200, box.clientWidth - 18), height: 258 });
  const draw = () => {
    chart?.destroy();
    const axis = {
      stroke: color("--quiet"), grid: { stroke: color("--grid"), width: 1 }, ticks: { show: false },
      font: "11px Inter, sans-serif", size: 40,
    };
    chart = new uPlot({
      ...size(), padding: [12, 8, 0, 0], legend: { show: false }, cursor: { points: { size: 7 } },
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(5, Math.ceil(high * 1.15))] } },
      axes: [
        { ...axis, grid: { show: false }, space: 90, size: 30, values: (_, at) => at.map((t) => time.format(t * 1000)) },
        { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000], values: (_, at) => at.map((n) => number.format(n)) },
      ],
      series: [{}, series("--brand", box.dataset.first), series("--brand-2", box.dataset.second)],
    }, data, box);
  };

  document.fonts.ready.then(draw);
  document.addEventListener("theme", draw);
  new ResizeObserver(() => chart?.setSize(size())).observe(box);
  document.addEventListener("traffic", (event) => {
    data = JSON.parse(event.detail.data);
    chart?.setData(data);
  });
})();
