// A conversation: what is being written just now, and the end of the page kept in sight.
(() => {
  const box = document.getElementById("writing");
  const bubble = box.firstElementChild;
  const atEnd = () => innerHeight + scrollY > document.body.scrollHeight - 160;
  const toEnd = () => scrollTo({ top: document.body.scrollHeight });
  let writing = "";
  document.addEventListener("delta", (event) => {
    const { text, message_id: id, restart } = JSON.parse(event.detail.data);
    const follow = atEnd();
    if (restart || id !== writing) bubble.textContent = "";
    writing = id;
    bubble.textContent += text;
    box.hidden = false;
    if (follow) toEnd();
  });
  document.addEventListener("htmx:after:swap", () => {
    const follow = atEnd();
    box.hidden = true;
    bubble.textContent = "";
    if (follow) toEnd();
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
