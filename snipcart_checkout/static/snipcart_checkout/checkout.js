// Every page works without this file. It shows that a payment is being sent, keeps a second press from sending it
// again, and looks for news of a payment sooner than the page's own Refresh header would.
(() => {
  "use strict";

  for (const form of document.querySelectorAll("[data-sc-form]")) {
    const status = form.querySelector("[data-sc-busy]");
    let sent = false;

    const show = (busy) => {
      sent = busy;
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

  // The stylesheet shows the lines on a wide screen in any case; this tells assistive technology.
  if (matchMedia("(min-width: 900px)").matches) {
    for (const fold of document.querySelectorAll(".sc-fold")) fold.open = true;
  }

  const card = document.querySelector("[data-sc-poll]");
  if (card) {
    const look = async (seconds) => {
      if (document.visibilityState === "visible") {
        try {
          const answer = await fetch(location.href, { cache: "no-store" });
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const news = page.querySelector("[data-sc-state]");
          if (news && news.dataset.scState !== card.dataset.scState) return location.reload();
        } catch {
          // No network: the next look may find one.
        }
      }
      setTimeout(look, seconds * 1000, Math.min(seconds * 1.5, 30));
    };
    setTimeout(look, 2000, 3);
  }
})();
