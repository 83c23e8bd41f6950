// The rest of the page: listens to the server's events and shows what they say. Texts from the server
// only ever become text nodes.
"use strict";

(() => {
  const byId = id => document.getElementById(id);
  const token = new URLSearchParams(location.search).get("token");
  const lanes = new Lanes(byId("hosts"), byId("no-connections"));
  let paused = false;

  for (const state of ["dialing", "handshake", "writing", "awaiting", "unread", "draining", "idle", "closed"])
    byId("legend").append(wrap("li", element("span", "state " + state, STATES[state])));

  function wrap(name, child) {
    const made = element(name);
    made.append(child);
    return made;
  }

  // ---- Numbers and their small graphs: the last minute of each

  const GRAPH_MS = 60000;
  const numbers = [
    ["tasks", event => event.task_count],
    ["connections", event => event.connection_count],
    ["idle in the pool", event => event.total.idle],
    ["open responses", event => event.response_count],
    ["requests per second", rate("requests")],
    ["dials per second", rate("dials")],
    ["reuses per second", rate("reuses")],
    ["requests in all", event => event.total.requests],
  ].map(([name, read]) => {
    const box = element("div");
    const value = element("dd", "", "0");
    const graph = svg("svg", { viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" });
    const path = graph.appendChild(svg("path", {}));
    box.append(element("dt", "", name), value, graph);
    value.dataset.number = name;
    byId("numbers").append(box);
    return { read, value, path, points: [] };
  });

  // A counter's growth over the last second.
  function rate(counter) {
    const past = [];
    return event => {
      past.push([event.at_ms, event.total[counter]]);
      while (past.length > 2 && past[1][0] <= event.at_ms - 1000) past.shift();
      const [at, value] = past[0];
      return event.at_ms > at ? (event.total[counter] - value) * 1000 / Math.max(event.at_ms - at, 1000) : 0;
    };
  }

  function showNumbers(event) {
    for (const number of numbers) {
      const value = number.read(event);
      say(number.value, Number.isInteger(value) ? String(value) : value.toFixed(1));
      number.points.push([event.at_ms, value]);
      while (number.points[0][0] < event.at_ms - GRAPH_MS) number.points.shift();
      const most = Math.max(1, ...number.points.map(point => point[1]));
      const x = at => (100 - (event.at_ms - at) * 100 / GRAPH_MS).toFixed(1);
      const y = high => (19 - 18 * high / most).toFixed(1);
      number.path.setAttribute("d", number.points.map(([at, high], i) =>
        (i ? "H" + x(at) + "V" : "M" + x(at) + " ") + y(high)).join(""));
    }
  }

  // ---- Open responses

  function row(response) {
    const item = element("li", response.suspicious ? "response suspicious" : "response");
    const place = response.file ? response.file + ":" + response.line : "(unknown place)";
    const read = response.bytes_read +
      (response.length === null ? " bytes read of an unknown length" : " of " + response.length + " bytes read");
    const costs = response.holds_connection
      ? "holds connection " + response.connection + " and its 2 tasks" : "holds memory only";
    item.append(element("p", "place", (response.suspicious ? "not read for " + duration(response.unread_ms) + ": " : "") + place),
      element("p", "", response.url),
      element("p", "hint", "open for " + duration(response.age_ms) + ", " + read + ", " + costs));
    return item;
  }

  function showResponses(event) {
    const sorted = [...event.responses].sort((left, right) => right.suspicious - left.suspicious);
    byId("responses").replaceChildren(...sorted.map(row));
    byId("no-responses").hidden = event.response_count > 0;
  }

  function showTasks(event) {
    say(byId("task-count"), String(event.task_count));
    if (!document.querySelector("details[open]")) return;
    byId("tasks").replaceChildren(...event.tasks.map(task => {
      const line = element("tr");
      line.append(element("td", "", task.task), element("td", "", task.name),
        element("td", "", task.connection || ""),
        element("td", "", task.waits || (task.running ? "running" : "outside ferry, or ready")),
        element("td", "", task.waits ? duration(task.ms) : ""));
      return line;
    }));
  }

  // ---- For who listens instead of looking: what has changed, and not more often than every 5 s

  let announced = "", announcedAt = 0;
  function announce(event) {
    const suspicious = event.responses.filter(response => response.suspicious).length;
    const text = "tasks: " + event.task_count + ", connections: " + event.connection_count +
      ", open responses: " + event.response_count + ", suspicious: " + suspicious;
    if (text === announced || event.at_ms - announcedAt < 5000) return;
    announced = text;
    announcedAt = event.at_ms;
    byId("announcer").textContent = text;
  }

  // ---- Events

  function show(event) {
    say(byId("program"), event.program + " (" + event.pid + ")");
    document.title = event.task_count + " tasks · " + event.program + " · ferry";
    showNumbers(event);
    lanes.update(event.connections, event.at_ms);
    showResponses(event);
    showTasks(event);
    announce(event);
    document.dispatchEvent(new CustomEvent("ferry", { detail: event }));
  }

  const source = new EventSource("events" + (token ? "?token=" + encodeURIComponent(token) : ""));
  source.onmessage = message => {
    if (!paused) {
      say(byId("status"), "live");
      show(JSON.parse(message.data));
    }
  };
  source.onerror = () => say(byId("status"), "the program does not answer");

  byId("pause").addEventListener("click", () => {
    paused = !paused;
    byId("pause").setAttribute("aria-pressed", String(paused));
    say(byId("status"), paused ? "paused" : "live");
  });
})();
