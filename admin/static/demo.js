// The demo page: light and dark, the snippet to copy, and questions for the widget.
(() => {
  const root = document.documentElement;
  const chat = () => document.querySelector("botyard-chat");

  const toggleTheme = () => {
    const theme = root.classList.toggle("dark") ? "dark" : "light";
    root.classList.toggle("light", theme === "light");
    document.cookie = `theme=${theme};path=/;max-age=31536000;samesite=lax`;
    if (chat()) chat().dataset.theme = theme;
  };

  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.querySelector("span").textContent = button.dataset.done;
    } catch {
      getSelection().selectAllChildren(source); // no clipboard without HTTPS: selected, so that Ctrl-C copies it
    }
  };

  document.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    if (on("[data-theme-toggle]")) toggleTheme();
    else if (on("[data-copy]")) void copy(on("[data-copy]"));
    else if (on("[data-ask]")) chat()?.dispatchEvent(new CustomEvent("botyard-ask", { detail: on("[data-ask]").dataset.ask }));
  });
})();
