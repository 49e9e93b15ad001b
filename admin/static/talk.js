// A conversation: what was just asked and is being written, until it is a row; the end kept in sight.
(() => {
  const [asked, answer] = document.getElementById("writing").children;
  const atEnd = () => innerHeight + scrollY > document.body.scrollHeight - 160;
  const toEnd = () => scrollTo({ top: document.body.scrollHeight });
  const write = (bubble, text) => {
    const follow = atEnd();
    bubble.textContent = text;
    bubble.hidden = !text;
    if (follow) toEnd();
  };
  document.addEventListener("asked", (event) => {
    write(answer, "");
    write(asked, JSON.parse(event.detail.data).text);
  });
  document.addEventListener("delta", (event) => {
    const { text, restart } = JSON.parse(event.detail.data);
    write(answer, (restart ? "" : answer.textContent) + text);
  });
  document.addEventListener("settled", () => {
    write(asked, "");
    write(answer, "");
  });
  const input = document.getElementById("f-text");
  input?.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      input.form.requestSubmit();
    }
  });
  toEnd();
})();
