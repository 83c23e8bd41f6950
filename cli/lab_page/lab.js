// The experiment of ferry lab --serve: sends the choices to the program, shows the program's lines as
// they run, and beside them the tasks that there really are.
"use strict";

(() => {
  const byId = id => document.getElementById(id);
  const form = byId("experiment");
  const secret = document.querySelector("meta[name=ferry-run]").content;
  const token = new URLSearchParams(location.search).get("token");
  let shown = "";

  // ---- The program, as the choices make it

  const READS = {
    none: "",
    some: "    ferry_response_read(res, buf, 10, &err);",
    exact: "    read_exactly(res, ferry_response_length(res));",
    all: "    while (ferry_response_read(res, buf, size, &err) > 0);",
  };

  function program(choices) {
    const url = choices.hosts > 1 ? "urls[i % " + choices.hosts + "]" : "url";
    const lines = [["", "for (int i = 0; i < " + choices.num + "; i++) {"],
      ["request", "    res = ferry_get(" + url + ", &err);"]];
    if (READS[choices.read]) lines.push(["read", READS[choices.read]]);
    lines.push(choices.close === "yes" ? ["close", "    ferry_response_close(res);"]
      : ["missing", "    // nobody closes res"]);
    lines.push(["", "}"], ["count", 'printf("%d tasks\\n", ferry_num_tasks());']);
    return lines;
  }

  function showProgram(choices, step) {
    const key = JSON.stringify([choices, step]);
    if (key === shown) return;
    shown = key;
    byId("code").replaceChildren(...program(choices).map(([name, text]) => {
      const line = element("span", name === "missing" ? "missing" : "", text);
      if (name && name === step) line.classList.add("now");
      return line;
    }));
  }

  const choicesOfForm = () => Object.fromEntries(new FormData(form));

  // ---- Orders

  async function order(path, choices) {
    const query = new URLSearchParams(choices);
    if (token) query.set("token", token);
    try {
      const answer = await fetch(path + "?" + query, { method: "POST", headers: { "X-Ferry-Run": secret } });
      say(byId("lab-said"), answer.ok ? "" : await answer.text());
    } catch {
      say(byId("lab-said"), "The program does not answer.");
    }
  }

  form.addEventListener("submit", event => {
    event.preventDefault();
    order("run", choicesOfForm());
  });
  byId("reset").addEventListener("click", () => order("reset", {}));
  form.addEventListener("input", () => showProgram(choicesOfForm(), ""));
  for (const button of document.querySelectorAll("[data-preset]")) {
    button.addEventListener("click", () => {
      form.reset();
      for (const [name, value] of new URLSearchParams(button.dataset.preset)) form.elements[name].value = value;
      showProgram(choicesOfForm(), "");
      order("run", choicesOfForm());
    });
  }

  // ---- What happens

  function chips(ferry) {
    const states = new Map(ferry.connections.map(connection => [connection.connection, connection.state]));
    const order = [...ferry.tasks].sort((left, right) =>
      left.connection - right.connection || (left.name < right.name ? -1 : 1));
    const texts = order.map(task => task.name === "thread" ? "main"
      : task.name + (task.connection ? " " + task.connection : ""));
    const key = texts.join() + [...states.values()].join();
    if (byId("chips").dataset.key === key) return;
    byId("chips").dataset.key = key;
    byId("chips").replaceChildren(...order.map((task, i) => element("li",
      task.name === "thread" ? "main-task" : states.get(task.connection) || "", texts[i])));
  }

  function log(lines) {
    const list = byId("lab-log");
    const more = lines.length > list.children.length;
    while (list.children.length > lines.length) list.lastChild.remove();
    lines.forEach((text, i) => {
      if (list.children[i]) say(list.children[i], text);
      else list.append(element("li", "", text));
    });
    if (more) list.scrollTop = list.scrollHeight;
  }

  document.addEventListener("ferry", ({ detail: { ferry, lab } }) => {
    byId("run").disabled = lab.running;
    for (const button of document.querySelectorAll("[data-preset]")) button.disabled = lab.running;
    if (lab.running) showProgram(lab.choices, lab.step);
    else if (lab.done && shown.includes('"')) showProgram(choicesOfForm(), "");
    say(byId("lab-tasks"), String(lab.done ? lab.tasks : ferry.task_count));
    say(byId("lab-counts"), lab.done || lab.running
      ? "open connections: " + lab.connections + ", idle: " + lab.idle + ", dials: " + lab.dials +
        ", reuses: " + lab.reuses + ", responses not closed: " + lab.open_responses : "");
    say(byId("lab-reason"), lab.error || (lab.done ? lab.reason : ""));
    byId("lab").dataset.runs = lab.runs; // finished so far, for whoever waits
    chips(ferry);
    log(lab.log);
  });

  showProgram(choicesOfForm(), "");
})();
