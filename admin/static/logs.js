// A log as it is written, by level and search; the newest lines stay in sight unless one scrolled up.
(() => {
  const box = document.getElementById("log");
  const level = document.getElementById("f-level");
  const find = document.getElementById("f-find");
  const levels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
  const clock = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "medium" });
  const most = 2000;
  const fits = (line) =>
    (line.rank < 0 || line.rank >= Number(level.value)) &&
    (!find.value || line.textContent.toLowerCase().includes(find.value.toLowerCase()));
  const show = ({ at, level: name, text }) => {
    const line = document.createElement("p");
    const time = document.createElement("time");
    const words = document.createElement("span");
    time.textContent = at ? clock.format(at * 1000) : "";
    words.textContent = text;
    line.className = name;
    line.append(time, words);
    line.rank = levels.indexOf(name);
    line.hidden = !fits(line);
    return line;
  };
  document.addEventListener("lines", (event) => {
    const follow = box.scrollTop + box.clientHeight > box.scrollHeight - 40;
    box.append(...JSON.parse(event.detail.data).map(show));
    while (box.childElementCount > most) box.firstElementChild.remove();
    if (follow) box.scrollTop = box.scrollHeight;
  });
  const filter = () => {
    for (const line of box.children) line.hidden = !fits(line);
    box.scrollTop = box.scrollHeight;
  };
  level.addEventListener("change", filter);
  find.addEventListener("input", filter);
  document.getElementById("f-of").addEventListener("change", (event) => event.target.form.submit());
})();
