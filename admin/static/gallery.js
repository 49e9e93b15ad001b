// The gallery: videos play while somebody points at them, adult pictures show when they are asked for.
(() => {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let playing = null;

  const stop = () => {
    if (!playing) return;
    playing.video.remove();
    playing.image.hidden = false;
    playing = null;
  };
  const play = (link) => {
    const image = link.querySelector("img");
    if (playing?.link === link || !image || link.closest(".adult")) return;
    stop();
    const video = document.createElement("video");
    Object.assign(video, { src: link.dataset.video, muted: true, loop: true, playsInline: true, autoplay: true });
    video.setAttribute("aria-hidden", "true");
    video.tabIndex = -1;
    const swap = () => {
      if (playing?.video !== video) return;
      image.hidden = true;
      image.after(video);
    };
    video.addEventListener("canplay", swap, { once: true });
    playing = { link, image, video };
  };
  const over = (event) => {
    const link = event.target.closest?.("[data-video]");
    if (link && !still) play(link);
    else if (playing && !playing.link.contains(event.target)) stop();
  };
  document.addEventListener("pointerover", over);
  document.addEventListener("focusin", over);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-reveal]");
    if (!button) return;
    const box = button.closest(".adult");
    box.classList.remove("adult");
    box.querySelector("a, video, img")?.focus?.();
    button.remove();
  });
})();
