// Trials, for the playground and compare: the stream of events, attempts as a timeline, Markdown as nodes.
(() => {
  const root = document.documentElement;
  const texts = JSON.parse(document.getElementById("texts").textContent);
  const csrf = JSON.parse(document.body.getAttribute("hx-headers:inherited"))["x-csrf"];
  const number = (digits) => new Intl.NumberFormat(root.lang, { maximumFractionDigits: digits });
  const whole = number(0);
  const tenth = number(1);
  const hundredth = number(2);

  const make = (tag, className = "", ...children) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children);
    return node;
  };

  // Numbers as people read them
  const seconds = (ms) => (ms === null || ms === undefined ? "—" : ms < 10 ? `< ${hundredth.format(0.01)} ${texts.s}` : `${(ms < 10000 ? hundredth : tenth).format(ms / 1000)} ${texts.s}`);
  const money = (usd) => {
    if (usd === null || usd === undefined) return texts.unknown;
    if (usd === 0) return texts.free;
    return `$${new Intl.NumberFormat(root.lang, { maximumSignificantDigits: 3 }).format(usd)}`;
  };
  const tokens = (one) =>
    one.output_tokens === null ? "" : `${one.estimated ? "≈ " : ""}${whole.format(one.input_tokens ?? 0)} → ${whole.format(one.output_tokens)} ${texts.tokens}`;

  // Events of a POST; `signal` stops it
  const open = async (url, body, signal, on) => {
    const answer = await fetch(url, {
      method: "POST", signal, body: JSON.stringify(body),
      headers: { "content-type": "application/json", "x-csrf": csrf },
    });
    if (!(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
      const problem = answer.headers.get("content-type")?.includes("json") ? (await answer.json()).problem : "";
      throw new Error(problem || (answer.status === 413 ? texts.large : texts.broken));
    }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
      const { value, done } = await reader.read();
      if (done) return;
      const messages = (rest + value).split("\n\n");
      rest = messages.pop();
      for (const message of messages) {
        const name = /^event: (.*)$/m.exec(message)?.[1];
        const data = /^data: (.*)$/m.exec(message)?.[1];
        if (name) on(name, JSON.parse(data));
      }
    }
  };

  // What was tried, in order
  const tones = { ok: "ok", cancelled: "", null: "brand" };
  const step = (one) => {
    const facts = [
      one.key ? `${texts.key} ${one.key}` : "",
      one.first_token_ms === null ? "" : `${texts.first} ${seconds(one.first_token_ms)}`,
      one.total_ms === null ? "" : `${texts.total} ${seconds(one.total_ms)}`,
      tokens(one), one.outcome && one.output_tokens !== null ? money(one.cost) : "", one.cooled,
    ].filter(Boolean);
    const badge = make("span", `badge dot ${tones[one.outcome] ?? "bad"}`, one.words);
    const item = make("li", "step-item", make("div", "step-head", make("b", "mono", one.candidate), badge));
    if (facts.length) item.append(make("p", "quiet small", facts.join(" · ")));
    if (one.error) item.append(make("p", "small step-error", one.error));
    return item;
  };
  const passed = (one) =>
    make("li", "step-item passed", make("div", "step-head", make("b", "mono", one.candidate), make("span", "badge", texts.skipped)), make("p", "quiet small", one.words || one.reason));
  const steps = (list, { attempts, skipped }) => list.replaceChildren(...attempts.map(step), ...skipped.map(passed));
  const stopped = (list) => {
    for (const badge of list.querySelectorAll(".badge.brand")) {
      badge.className = "badge dot";
      badge.textContent = texts.stopped;
    }
  };

  // Markdown: blocks, then what is inside a line; never HTML, and links only to where one may go
  const LINE = /(`+)(.+?)\1|\*\*(.+?)\*\*|__(.+?)__|\*([^*\s][^*]*?)\*|(?<![\w])_([^_\s][^_]*?)_(?![\w])|~~(.+?)~~|\[([^\]]+)\]\(((?:https?:|mailto:)[^\s)]+)\)|(https?:\/\/[^\s<>()]+[^\s<>().,;:!?])/;
  const inline = (text) => {
    const found = [];
    for (let match; (match = LINE.exec(text)); text = text.slice(match.index + match[0].length)) {
      found.push(text.slice(0, match.index));
      const [, , code, bold, bold2, slant, slant2, gone, label, url, bare] = match;
      if (code !== undefined) found.push(make("code", "", code));
      else if (bold ?? bold2) found.push(make("strong", "", ...inline(bold ?? bold2)));
      else if (slant ?? slant2) found.push(make("em", "", ...inline(slant ?? slant2)));
      else if (gone) found.push(make("del", "", ...inline(gone)));
      else {
        const link = make("a", "", label ?? bare);
        link.href = url ?? bare;
        link.target = "_blank";
        link.rel = "noopener noreferrer nofollow";
        found.push(link);
      }
    }
    found.push(text);
    return found;
  };
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const table = (rows) => {
    const head = make("tr", "", ...cells(rows[0]).map((cell) => make("th", "", ...inline(cell))));
    const body = rows.slice(2).map((row) => make("tr", "", ...cells(row).map((cell) => make("td", "", ...inline(cell)))));
    const box = make("div", "md-table", make("table", "", make("thead", "", head), make("tbody", "", ...body)));
    box.tabIndex = 0;
    return box;
  };
  const broken = (rows) => rows.flatMap((row, place) => (place ? [make("br"), ...inline(row)] : inline(row)));
  const BLOCKS = [
    [/^ {0,3}#{1,6} /, (rows) => make("h3", "", ...inline(rows[0].replace(/^ *#+ /, ""))), 1],
    [/^ {0,3}>/, (rows) => make("blockquote", "", ...broken(rows.map((row) => row.replace(/^ *> ?/, ""))))],
    [/^ *[-*+] +/, (rows) => make("ul", "", ...rows.map((row) => make("li", "", ...inline(row.replace(/^ *[-*+] +/, "")))))],
    [/^ *\d+[.)] +/, (rows) => {
      const list = make("ol", "", ...rows.map((row) => make("li", "", ...inline(row.replace(/^ *\d+[.)] +/, "")))));
      list.start = parseInt(rows[0], 10);
      return list;
    }],
    [/^ *\|/, (rows) => (rows.length > 1 && /^[ |:-]+$/.test(rows[1]) ? table(rows) : make("p", "", ...broken(rows)))],
  ];
  const markdown = (box, text) => {
    const lines = text.split("\n");
    const nodes = [];
    for (let at = 0; at < lines.length;) {
      const line = lines[at];
      const fence = /^ {0,3}(```+|~~~+)/.exec(line)?.[1];
      const end = fence && lines.findIndex((one, place) => place > at && one.trim().startsWith(fence));
      const kind = BLOCKS.find(([pattern]) => pattern.test(line));
      let till = at + 1;
      if (fence) {
        till = end < 0 ? lines.length : end;
        const code = make("pre", "", make("code", "", lines.slice(at + 1, till).join("\n")));
        code.tabIndex = 0;
        nodes.push(code);
        till += 1;
      } else if (kind) {
        while (!kind[2] && till < lines.length && kind[0].test(lines[till])) till += 1;
        nodes.push(kind[1](lines.slice(at, till)));
      } else if (/^ {0,3}([-*_] ?){3,}$/.test(line)) nodes.push(make("hr"));
      else if (line.trim()) {
        const plain = (one) => one.trim() && !/^ {0,3}(```|~~~)/.test(one) && !BLOCKS.some(([pattern]) => pattern.test(one));
        while (till < lines.length && plain(lines[till])) till += 1;
        nodes.push(make("p", "", ...broken(lines.slice(at, till))));
      }
      at = till;
    }
    box.replaceChildren(...nodes);
  };

  // One answer in the making, painted once a frame
  class Answer {
    constructor(node) {
      const part = (name) => node.querySelector(`[data-part="${name}"]`);
      Object.assign(this, { node, body: part("body"), thoughts: part("thoughts"), list: part("steps"), facts: part("facts"), problem: part("problem"), fold: part("fold") });
      this.text = this.thinking = "";
      this.result = null;
    }
    paint() {
      this.frame ??= requestAnimationFrame(() => {
        this.frame = null;
        markdown(this.body, this.text);
        this.fold.hidden = !this.thinking;
        this.thoughts.textContent = this.thinking;
        this.onPaint?.();
      });
    }
    take(name, data) {
      if (name === "text") this.text += data.text;
      else if (name === "restart") this.text = "";
      else if (name === "thinking") this.thinking += data.text;
      else if (name === "attempts") steps(this.list, data);
      else if (name === "end") this.end(data);
      this.paint();
    }
    end(result) {
      this.result = result;
      this.node.removeAttribute("aria-busy");
      this.problem.hidden = !result.problem;
      this.problem.querySelector("b").textContent = result.problem;
      this.facts.textContent = [
        result.answered_by, `${texts.first} ${seconds(result.first_token_ms)}`, `${texts.total} ${seconds(result.total_ms)}`,
        tokens(result), result.output_tokens === null ? "" : money(result.cost_known ? result.cost : null), `${whole.format(result.words)} ${texts.words}`,
      ].filter(Boolean).join(" · ");
    }
    halt(problem = texts.halted) {
      if (this.result) return;
      stopped(this.list);
      this.end({ problem, state: "stopped", first_token_ms: null, total_ms: null, output_tokens: null, words: this.text.split(/\s+/).filter(Boolean).length });
      this.facts.textContent = "";
    }
  }

  const settings = (form) => {
    const found = {};
    for (const field of form.querySelectorAll("[data-setting]")) {
      const value = field.value.trim().replace(",", ".");
      if (value) found[field.dataset.setting] = field.type === "text" ? Number(value) : value;
    }
    return found;
  };

  window.trials = { Answer, make, money, number: whole, open, seconds, settings, texts, tokens };
})();
