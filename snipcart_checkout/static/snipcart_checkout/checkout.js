// Every page works without this file. It shows that a payment is being sent, keeps a second press from sending it
// again, and looks for news of a payment, which a page without it does by loading itself anew.
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
      if (sent) return event.preventDefault();
      if (navigator.onLine === false && status) {
        event.preventDefault();
        status.textContent = status.dataset.scOffline;
      } else show(true);
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

  const card = document.querySelector("[data-sc-poll]");
  const state = (shown) => `${shown.dataset.scState} ${"scPoll" in shown.dataset}`;
  // Looks after 2, 3, 4.5 … seconds, later every 30, and not at all while nobody sees the page. Some 10 minutes, then
  // it is enough: the page says that it may be closed.
  const look = async (pause, looks) => {
    if (document.visibilityState === "visible") {
      try {
        const answer = await fetch(location.href, { cache: "no-store" });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const news = page.querySelector("[data-sc-state]");
        if (news && state(news) !== state(card)) return location.reload();
        looks -= 1;
      } catch {
        // No network: the next look may find one.
      }
    }
    if (looks) setTimeout(look, pause * 1000, Math.min(pause * 1.5, 30), looks);
  };
  if (card) setTimeout(look, 2000, 3, 25);
})();
