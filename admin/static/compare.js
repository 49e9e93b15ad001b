// Compare: one prompt to several, all at once; a table at the end.
(() => {
  const { Answer, make, money, number, open, seconds, settings, texts } = window.trials;
  const $ = (id) => document.getElementById(id);
  const form = $("compare-form");
  const columns = $("columns");
  let running = null;
  let answers = [];
  let asked = null;

  const names = () => [...document.querySelectorAll("[data-model]")].map((field) => field.value.trim()).filter(Boolean);
  const lines = () => [...$("models").children];
  const tidy = () => {
    $("more").hidden = lines().length >= Number(form.dataset.most);
    lines().forEach((line) => (line.querySelector("button").hidden = lines().length <= 2));
  };
  const busy = (yes) => {
    $("stop").hidden = !yes;
    $("go").hidden = yes;
    $("columns-empty").hidden = yes || answers.length > 0;
  };
  const link = () => {
    const url = new URL("/compare", location);
    asked.models.forEach((name) => url.searchParams.append("model", name));
    url.searchParams.set("prompt", asked.talk[0].text);
    return url.href;
  };
  const row = (name, { result: one }) => [
    name, one.problem ? texts.no : texts.yes, seconds(one.first_token_ms), seconds(one.total_ms),
    one.output_tokens === null ? "—" : `${one.estimated ? "≈ " : ""}${number.format(one.output_tokens)}`,
    one.output_tokens === null ? "—" : money(one.cost_known ? one.cost : null), number.format(one.words),
  ];
  const rows = () => answers.map((answer, place) => row(asked.models[place], answer));
  const finish = () => {
    $("results").replaceChildren(...rows().map(([name, ...cells]) => {
      const head = make("th", "mono", name);
      head.scope = "row";
      return make("tr", "", head, ...cells.map((cell, place) => make("td", place ? "num" : "", cell)));
    }));
    $("outcome").hidden = false;
    $("progress").textContent = texts.finished;
  };

  const run = async () => {
    asked = { models: names(), prompt: $("f-prompt").value, settings: settings(form), talk: [{ role: "user", text: $("f-text").value.trim() }] };
    if (running || !asked.talk[0].text || asked.models.length < 2) return window.botyard.toast(texts.two, "bad");
    columns.replaceChildren();
    $("outcome").hidden = true;
    answers = asked.models.map((name) => {
      columns.append($("column").content.cloneNode(true));
      columns.lastElementChild.querySelector("h2").textContent = name;
      return new Answer(columns.lastElementChild);
    });
    running = new AbortController();
    busy(true);
    $("progress").textContent = texts.answering;
    let problem = texts.lost;
    try {
      await open("/compare/answers", asked, running.signal, (name, data) => answers[data.n].take(name, data));
    } catch (error) {
      problem = error.name === "AbortError" ? texts.halted : error.name === "TypeError" ? texts.lost : error.message;
    }
    answers.forEach((answer) => {
      answer.halt(problem);
      answer.paint();
    });
    running = null;
    busy(false);
    finish();
  };

  const markdown = () => {
    const head = [...document.querySelectorAll("#outcome thead th")].map((cell) => cell.textContent.trim());
    const table = [head, head.map(() => "---"), ...rows()].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
    const parts = answers.map((answer, place) => `## ${asked.models[place]}\n\n${answer.text || answer.result.problem}`);
    return [`> ${asked.talk[0].text.replaceAll("\n", "\n> ")}`, table, ...parts].join("\n\n") + "\n";
  };
  const copy = (text) => navigator.clipboard.writeText(text).then(() => window.botyard.toast(texts.copied));

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  $("f-text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run();
    }
  });
  $("more").addEventListener("click", () => {
    $("models").append($("model-line").content.cloneNode(true));
    lines().at(-1).querySelector("input").focus();
    tidy();
  });
  $("models").addEventListener("click", (event) => {
    if (!event.target.closest("button")) return;
    event.target.closest(".cand").remove();
    tidy();
    lines().at(-1).querySelector("input").focus();
  });
  $("stop").addEventListener("click", () => running?.abort());
  $("copy-all").addEventListener("click", () => copy(markdown()));
  $("copy-link").addEventListener("click", () => copy(link()));
  tidy();
  busy(false);
})();
