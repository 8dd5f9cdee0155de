// Shows an answer sentence by sentence. Without it the form loads the page again, with the same answer.
// What is inserted as HTML comes escaped from our own server.
"use strict";

(() => {
  const form = document.getElementById("ask");
  const turns = document.getElementById("turns");
  const box = document.getElementById("message");
  if (!form || !turns || !window.fetch || !window.ReadableStream) return;
  const token = form.querySelector("[name=csrf_token]").value;
  let busy = false;
  if (turns.lastElementChild && !location.hash) turns.lastElementChild.scrollIntoView({ block: "nearest" });

  const ask = async (message, yes) => {
    if (busy || !message.trim()) return;
    busy = true;
    turns.setAttribute("aria-busy", "true");
    document.querySelectorAll(".suggest, .confirm").forEach((e) => e.remove());
    const item = document.createElement("li");
    const asked = document.createElement("p");
    asked.className = "asked";
    const you = document.createElement("span");
    you.className = "small";
    you.textContent = "You:";
    asked.append(you, " " + message);
    const said = document.createElement("div");
    said.className = "said";
    const waiting = document.createElement("p");
    waiting.className = "small";
    waiting.textContent = "…";
    said.append(waiting);
    item.append(asked, said);
    turns.append(item);
    item.scrollIntoView({ block: "nearest" });
    const fail = (text) => {
      const p = document.createElement("p");
      p.className = "warning";
      p.setAttribute("role", "alert");
      p.textContent = "It could not be answered: " + text;
      said.append(p);
    };
    const take = (name, data) => {
      waiting.remove();
      if (name === "sentence") said.insertAdjacentHTML("beforeend", "<p>" + data.html + "</p>");
      else if (name === "problem") said.insertAdjacentHTML("beforeend", '<div class="warning" role="alert">' + data.html + "</div>");
      else if (name === "end") {
        said.insertAdjacentHTML("beforeend", data.html);
        const confirm = said.querySelector("[data-confirm]");
        if (confirm) offer(said, confirm.dataset.confirm);
      }
      item.scrollIntoView({ block: "nearest" });
    };
    try {
      const body = new FormData(form);
      body.set("message", message);
      if (yes) body.set("yes", "1");
      body.set("csrf_token", token);
      const answer = await fetch("/chat/stream", { method: "POST", body, headers: { "X-CSRF-Token": token } });
      if (!answer.ok || !answer.body) { fail("the server answers " + answer.status); return; }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let held = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        held += value;
        const events = held.split("\n\n");
        held = events.pop();
        for (const text of events) {
          const name = /^event: (.*)$/m.exec(text);
          const data = /^data: (.*)$/m.exec(text);
          if (name && data) take(name[1], JSON.parse(data[1]));
        }
      }
    } catch (error) {
      fail(error.message);
    } finally {
      waiting.remove();
      busy = false;
      turns.setAttribute("aria-busy", "false");
    }
  };

  const offer = (said, message) => {
    const yes = document.createElement("button");
    yes.type = "button";
    yes.textContent = "Yes, start it";
    yes.addEventListener("click", () => { yes.remove(); ask(message, true); });
    said.append(yes);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const message = box.value;
    box.value = "";
    ask(message, false);
    box.focus();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  for (const button of document.querySelectorAll(".suggest button")) {
    button.addEventListener("click", (event) => { event.preventDefault(); ask(button.value, false); });
  }
})();
