// The playground: a talk that lives in this page, one answer at a time.
(() => {
  const { Answer, open, settings, texts } = window.trials;
  const $ = (id) => document.getElementById(id);
  const form = $("ask-form");
  const talk = $("talk");
  const said = [];
  let picture = "";
  let running = null;

  const atEnd = () => innerHeight + scrollY > document.body.scrollHeight - 200;
  const toEnd = () => scrollTo({ top: document.body.scrollHeight });
  const busy = (yes) => {
    $("stop").hidden = !yes;
    $("ask-send").hidden = yes;
    $("clear").disabled = yes || !said.length;
    $("talk-empty").hidden = yes || said.length > 0;
  };
  const shown = (template) => {
    talk.append($(template).content.cloneNode(true));
    return talk.lastElementChild;
  };
  const choosePicture = (url) => {
    picture = url;
    $("picture-preview").hidden = !url;
    if (url) $("picture-shown").src = url;
    else $("f-picture").value = "";
  };
  const load = (file) => {
    if (file.size > 10 * 1024 * 1024) return window.botyard.toast(texts.large, "bad");
    const reader = new FileReader();
    reader.addEventListener("load", () => choosePicture(reader.result));
    reader.readAsDataURL(file);
  };

  const ask = async () => {
    const text = $("f-text").value.trim();
    if (running || (!text && !picture)) return;
    const question = { role: "user", text, image: picture };
    const mine = shown("user-bubble");
    mine.querySelector("[data-part=text]").textContent = text;
    const image = mine.querySelector("img");
    if (picture) image.src = picture;
    else image.remove();
    said.push(question);
    $("f-text").value = "";
    choosePicture("");
    const answer = new Answer(shown("answer-bubble"));
    const thinkingFold = answer.fold;
    thinkingFold.open = false;
    let follow = true;
    answer.onPaint = () => follow && toEnd();
    const watch = () => (follow = atEnd());
    addEventListener("scroll", watch, { passive: true });
    running = new AbortController();
    busy(true);
    $("progress").textContent = texts.answering;
    toEnd();
    const body = { models: [$("f-model").value.trim()], prompt: $("f-prompt").value, settings: settings($("settings")), talk: said };
    try {
      await open("/playground/answer", body, running.signal, (name, data) => answer.take(name, data));
      answer.halt(texts.lost);
    } catch (error) {
      answer.halt(error.name === "AbortError" ? texts.halted : error.name === "TypeError" ? texts.lost : error.message);
    }
    removeEventListener("scroll", watch);
    answer.paint();
    if (answer.text.trim()) said.push({ role: "assistant", text: answer.text });
    else said.pop();
    running = null;
    busy(false);
    $("progress").textContent = answer.result.problem || answer.text;
    $("f-text").focus({ preventScroll: true });
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  $("f-text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      ask();
    }
  });
  $("f-text").addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (file) load(file);
  });
  $("f-picture").addEventListener("change", (event) => event.target.files[0] && load(event.target.files[0]));
  $("picture-out").addEventListener("click", () => choosePicture(""));
  $("stop").addEventListener("click", () => running?.abort());
  $("clear").addEventListener("click", () => {
    said.length = 0;
    talk.replaceChildren();
    busy(false);
    $("f-text").focus();
  });
  $("f-character")?.addEventListener("change", (event) => {
    const chosen = event.target.selectedOptions[0];
    if (chosen.value) $("f-prompt").value = chosen.dataset.prompt;
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && running?.abort());
  busy(false);
})();
