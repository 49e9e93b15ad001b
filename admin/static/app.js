(() => {
  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // Light and dark
  const toggleTheme = () => {
    const theme = root.classList.toggle("dark") ? "dark" : "light";
    root.classList.toggle("light", theme === "light");
    document.cookie = `theme=${theme};path=/;max-age=31536000;samesite=lax`;
    document.dispatchEvent(new Event("theme"));
  };

  // The server counts "today" by the reader's clock
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) document.cookie = `zone=${zone};path=/;max-age=31536000;samesite=lax`;

  // The menu of a phone
  const openMenu = (open) => {
    root.classList.toggle("menu-open", open);
    const burger = $(".burger");
    burger?.setAttribute("aria-expanded", open);
    if (open) $(".side a")?.focus();
    else burger?.focus();
  };

  // Times in the reader's zone
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const relative = new Intl.RelativeTimeFormat(root.lang, { numeric: "auto", style: "short" });
  const styles = {
    minute: new Intl.DateTimeFormat(root.lang, { timeStyle: "short" }),
    day: new Intl.DateTimeFormat(root.lang, { dateStyle: "medium", timeZone: "UTC" }),
    full: new Intl.DateTimeFormat(root.lang, { dateStyle: "medium", timeStyle: "short" }),
  };
  const ago = (seconds) => {
    for (const [unit, size] of units) {
      if (Math.abs(seconds) >= size) return relative.format(-Math.trunc(seconds / size), unit);
    }
    return relative.format(0, "second");
  };
  const showTimes = (from = document) => {
    for (const time of all("time[data-when]", from)) {
      const at = new Date(Number(time.getAttribute("datetime")) * 1000);
      const style = time.dataset.when;
      const text = style === "ago" ? ago((Date.now() - at) / 1000) : styles[style].format(at);
      if (time.textContent !== text) time.textContent = text;
      time.title ||= styles.full.format(at);
    }
  };
  setInterval(showTimes, 15000);

  // Toasts
  const toast = (text, kind = "ok") => {
    const box = document.createElement("div");
    box.className = `toast ${kind}`;
    box.textContent = text;
    $(".toasts")?.append(box);
    setTimeout(() => box.remove(), 6000);
  };
  window.botyard = { toast, showTimes };
  setTimeout(() => all(".toasts > *").forEach((box) => box.remove()), 6000);
  const address = new URL(location);
  if (address.searchParams.has("done")) {
    address.searchParams.delete("done");
    history.replaceState(history.state, "", address);
  }

  // Questions before what cannot be undone, and a guard for what was not saved
  let dirty = false;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.ask && !form.dataset.sure) {
      event.preventDefault();
      const dialog = $("#ask");
      $("#ask-text").textContent = form.dataset.ask;
      dialog.returnValue = "";
      dialog.addEventListener("close", () => {
        if (dialog.returnValue !== "yes") return;
        form.dataset.sure = "yes";
        form.requestSubmit();
      }, { once: true });
      dialog.showModal();
      return;
    }
    dirty = false;
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-guard]");
    if (!form) return;
    dirty = true;
    all("[data-dirty]", form).forEach((mark) => (mark.hidden = false));
  });
  addEventListener("beforeunload", (event) => dirty && event.preventDefault());

  // The palette
  const openPalette = () => {
    const dialog = $("#palette");
    if (!dialog || dialog.open) return;
    dialog.showModal();
    const input = $("input", dialog);
    input.select();
    // htmx starts a moment after the page: a hasty Ctrl-K waits for it
    const ask = () =>
      input.hasAttribute("data-htmx-powered") ? input.dispatchEvent(new Event("open")) : setTimeout(ask, 20);
    ask();
  };
  const movePalette = (step) => {
    const found = all("#found a");
    if (!found.length) return;
    const at = found.findIndex((link) => link.getAttribute("aria-selected") === "true");
    found.forEach((link) => link.setAttribute("aria-selected", "false"));
    const next = found[(at + step + found.length) % found.length];
    next.setAttribute("aria-selected", "true");
    next.scrollIntoView({ block: "nearest" });
    $("#palette input").setAttribute("aria-activedescendant", next.id);
  };

  document.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    if (on("[data-theme-toggle]")) toggleTheme();
    else if (on("[data-menu]")) openMenu(!root.classList.contains("menu-open"));
    else if (on("[data-palette]")) openPalette();
    else if (on("[data-copy]")) {
      const text = $(on("[data-copy]").dataset.copy).textContent;
      navigator.clipboard.writeText(text).then(() => toast("✓ " + text.slice(0, 40)));
    } else if (event.target.matches?.("dialog")) event.target.close();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
    } else if (event.key === "Escape" && root.classList.contains("menu-open")) openMenu(false);
    else if ($("#palette")?.open && ["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) {
      event.preventDefault();
      if (event.key === "Enter") ($('#found a[aria-selected="true"]') || $("#found a"))?.click();
      else movePalette(event.key === "ArrowDown" ? 1 : -1);
    }
  });

  // A route's candidates: add, remove, up and down, drag
  const box = $("#candidates");
  if (box) {
    const changed = () => box.dispatchEvent(new Event("input", { bubbles: true }));
    $("[data-add]")?.addEventListener("click", () => {
      box.append($("#candidate").content.cloneNode(true));
      box.lastElementChild.querySelector("input").focus();
      changed();
    });
    box.addEventListener("click", (event) => {
      const item = event.target.closest(".cand");
      const act = event.target.closest("[data-move]")?.dataset.move;
      if (!act) return;
      if (act === "up") item.previousElementSibling?.before(item);
      else if (act === "down") item.nextElementSibling?.after(item);
      else item.remove();
      if (act !== "out") event.target.closest("button").focus();
      changed();
    });
    let dragged = null;
    box.addEventListener("dragstart", (event) => {
      dragged = event.target.closest(".cand");
      dragged.classList.add("dragged");
      event.dataTransfer.effectAllowed = "move";
    });
    box.addEventListener("dragover", (event) => {
      const over = event.target.closest(".cand");
      if (!dragged || !over || over === dragged) return;
      event.preventDefault();
      const half = over.getBoundingClientRect();
      over[event.clientY > half.top + half.height / 2 ? "after" : "before"](dragged);
    });
    box.addEventListener("dragend", () => {
      dragged?.classList.remove("dragged");
      dragged = null;
      changed();
    });
  }

  // Streams: what is live says so, and says when it is not
  const online = (yes) => root.classList.toggle("offline", !yes);
  document.addEventListener("htmx:sse:after:connection", () => online(true));
  document.addEventListener("htmx:sse:error", () => online(false));
  document.addEventListener("htmx:after:swap", () => showTimes());
  document.addEventListener("htmx:response:error", (event) => {
    event.detail?.ctx?.text && toast(event.detail.ctx.text.slice(0, 300), "bad");
  });
  document.addEventListener("toast", (event) => toast(event.detail.text, event.detail.kind));
  showTimes();
})();
