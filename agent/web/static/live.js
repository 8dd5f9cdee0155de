// Follows a job or an experiment while its page is open. Without it the page shows the same, and stands still.
"use strict";

(() => {
  const told = document.getElementById("told");
  const say = (text) => { if (told && told.textContent !== text) told.textContent = text; };

  const jobs = document.querySelector("[data-steps]");
  if (jobs) {
    const list = document.getElementById("steps");
    const source = new EventSource(jobs.dataset.steps);
    source.addEventListener("step", (event) => {
      const step = JSON.parse(event.data);
      const experiment = step.progress && step.progress.experiment_id;
      if (experiment) {
        const line = document.getElementById("experiment");
        const link = line.querySelector("a");
        link.href = "/experiments/" + encodeURIComponent(experiment);
        link.textContent = experiment;
        line.hidden = false;
      }
      if (!step.message) return;
      const item = document.createElement("li");
      const time = document.createElement("time");
      time.dateTime = step.at;
      time.textContent = step.at.slice(11, 19);
      const node = document.createElement("span");
      node.className = "node";
      node.textContent = step.node;
      item.append(time, " ", node, " ");
      if ("claims" in list.dataset) {
        const claim = document.createElement("a");
        claim.className = "small";
        claim.href = "/claims/" + encodeURIComponent(step.claim_id);
        claim.textContent = step.claim_id;
        item.append(claim, " ");
      }
      item.append(step.message);
      const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
      list.append(item);
      while (list.children.length > 200) list.firstElementChild.remove();
      if (atEnd) list.scrollTop = list.scrollHeight;
    });
    source.addEventListener("state", (event) => {
      const badge = document.createElement("span");
      const name = JSON.parse(event.data).state;
      badge.className = "badge state-" + name;
      badge.textContent = name;
      document.getElementById("state").replaceChildren(badge);
    });
    source.addEventListener("end", () => { source.close(); location.reload(); });
  }

  const experiment = document.querySelector("[data-events]");
  if (experiment) {
    const bar = document.getElementById("all-seeds");
    const over = new Set();
    const final = ["succeeded", "failed", "cancelled"];
    for (const row of experiment.querySelectorAll("tbody tr")) {
      if (final.includes(row.querySelector("[data-cell=state]").textContent.trim())) over.add(row.id);
    }
    const n = experiment.querySelectorAll("tbody tr").length;
    let saidAt = 0;
    const source = new EventSource(experiment.dataset.events);
    const put = (row, name, text) => {
      const cell = row.querySelector("[data-cell=" + name + "]");
      cell.classList.remove("none");
      cell.textContent = text;
    };
    source.addEventListener("progress", (event) => {
      const p = JSON.parse(event.data);
      if (!p.run_id) {
        if (final.includes(p.state)) { source.close(); location.reload(); }
        return;
      }
      const row = document.getElementById(p.run_id);
      if (!row) return;
      const badge = document.createElement("span");
      badge.className = "badge state-" + p.state;
      badge.textContent = p.state;
      row.querySelector("[data-cell=state]").replaceChildren(badge);
      if (p.phase || p.arm) put(row, "phase", [p.arm, p.phase].filter(Boolean).join(", "));
      if (p.step !== undefined) put(row, "step", p.steps ? p.step + " of " + p.steps : String(p.step));
      if (p.loss !== undefined) put(row, "loss", p.loss.toFixed(3));
      if (p.metric !== undefined) put(row, "metric", p.metric.toFixed(3));
      if (p.seconds_left !== undefined && p.state === "running") put(row, "left", "about " + Math.ceil(p.seconds_left) + " s left");
      if (final.includes(p.state)) { over.add(p.run_id); put(row, "left", "over"); }
      bar.value = over.size;
      // A screen reader is told now and then, not at every step.
      if (Date.now() - saidAt > 10000 || final.includes(p.state)) {
        saidAt = Date.now();
        say(over.size + " of " + n + " seeds are over.");
      }
    });
    source.addEventListener("end", () => { source.close(); location.reload(); });
    source.addEventListener("gone", (event) => {
      source.close();
      say("No news from the lab: " + JSON.parse(event.data).why + ". This page is as it was last seen.");
    });
  }
})();
