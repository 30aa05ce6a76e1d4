// Every page works without this file. It shows that a payment is being sent, keeps a second press from sending it
// again, looks for news of a payment, which a page without it has a link for, and copies bank details.
(() => {
  "use strict";

  for (const form of document.querySelectorAll("[data-sc-form]")) {
    const status = form.querySelector("[data-sc-busy]");
    let sent = 0;

    const show = (busy) => {
      clearTimeout(sent);
      // A request that the shopper has stopped, or that hangs, must not lock the page. Sent twice, it is paid once.
      sent = busy ? setTimeout(show, 30000, false) : 0;
      for (const button of form.querySelectorAll("button")) {
        // Not "disabled": a disabled button would lose the focus, and its name would not be sent.
        if (busy) button.setAttribute("aria-disabled", "true");
        else button.removeAttribute("aria-disabled");
      }
      if (status) status.textContent = busy ? status.dataset.scBusy : "";
    };

    form.addEventListener("submit", (event) => {
      if (sent) event.preventDefault();
      else show(true);
    });
    // Back from a page that never loaded, or out of the back-forward cache.
    addEventListener("pageshow", () => show(false));
  }

  document.querySelector("[role=alert][autofocus]")?.focus();

  // The stylesheet shows the lines on a wide screen and on paper in any case; this tells assistive technology, and
  // browsers that do not know ::details-content.
  const unfold = () => document.querySelectorAll(".sc-fold").forEach((fold) => (fold.open = true));
  if (matchMedia("(min-width: 900px)").matches) unfold();
  addEventListener("beforeprint", unfold);

  // A click beside the languages, and Escape, close them.
  const languages = document.querySelector(".sc-langs details");
  addEventListener("click", (event) => languages?.contains(event.target) || languages?.removeAttribute("open"));
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !languages?.open) return;
    languages.open = false;
    languages.querySelector("summary").focus();
  });

  // A place inside of what is folded is unfolded and takes the focus, also when its link is pressed again.
  for (const link of document.querySelectorAll(".sc-links a[href^='#']"))
    link.addEventListener("click", () => {
      const place = document.querySelector(link.hash);
      const fold = place?.closest("details");
      if (fold) fold.open = true;
      place?.focus();
    });

  const copying = () => {
    for (const button of document.querySelectorAll("[data-sc-copy]")) {
      if (!navigator.clipboard) continue;
      button.hidden = false;
      const words = button.querySelector(".sc-ready");
      const usual = words.textContent;
      button.onclick = async () => {
        await navigator.clipboard.writeText(button.dataset.scCopy);
        words.textContent = button.dataset.scDone;
        announce(button.dataset.scDone);
        setTimeout(() => (words.textContent = usual), 3000);
      };
    }
  };
  const live = document.querySelector("[data-sc-news]");
  const announce = (text) => {
    if (live) live.textContent = text;
  };
  copying();

  // News take the place of what was said before; nothing moves on by itself, and the focus stays where it can.
  const take = (page, news, card) => {
    const had = card.contains(document.activeElement);
    card.replaceWith(news);
    document.title = page.title;
    if (had) news.querySelector("h1").focus();
    announce([...news.querySelectorAll("h1, h1 ~ p")].slice(0, 3).map((one) => one.textContent.trim()).join(" "));
    copying();
  };

  const state = (shown) => `${shown.dataset.scState} ${"scPoll" in shown.dataset}`;
  // Looks after 2, 3, 4.5 … seconds, later every 30, and not at all while nobody sees the page. Some 10 minutes, then
  // it is enough: the page says that it may be closed.
  const look = async (pause, looks) => {
    const card = document.querySelector("[data-sc-poll]");
    if (!card) return;
    if (document.visibilityState === "visible") {
      try {
        const answer = await fetch(location.href, { cache: "no-store" });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const news = page.querySelector("[data-sc-state]");
        if (news && state(news) !== state(card)) take(page, news, card);
        looks -= 1;
      } catch {
        // No network: the next look may find one.
      }
    }
    if (looks) setTimeout(look, pause * 1000, Math.min(pause * 1.5, 30), looks);
  };
  setTimeout(look, 2000, 3, 25);
})();
