// The rest of the page: listens to the server's events and shows what they say. Texts from the server
// only ever become text nodes.
"use strict";

(() => {
  const byId = id => document.getElementById(id);
  const token = new URLSearchParams(location.search).get("token");
  const lanes = new Lanes(byId("hosts"), byId("no-connections"));
  let paused = false;

  for (const state in STATES) {
    const item = element("li");
    item.append(element("span", "state " + state, STATES[state]));
    byId("legend").append(item);
  }

  // As many children as there are items; those that are there already are only brought up to date, so
  // that what a reader has selected, focused or opened stays so.
  function list(parent, items, make, update) {
    while (parent.children.length > items.length) parent.lastChild.remove();
    while (parent.children.length < items.length) parent.append(make());
    items.forEach((item, i) => update(parent.children[i], item));
  }

  const plural = (count, noun) => count + " " + noun + (count === 1 ? "" : "s");

  // ---- Numbers and their small graphs: the last minute of each

  const GRAPH_MS = 60000;
  const numbers = [
    ["tasks", ferry => ferry.task_count],
    ["connections", ferry => ferry.connection_count],
    ["idle in the pool", ferry => ferry.total.idle],
    ["open responses", ferry => ferry.ledger.open],
    ["requests waiting", ferry => ferry.total.waiting],
    ["requests per second", rate("requests")],
    ["dials per second", rate("dials")],
    ["reuses per second", rate("reuses")],
  ].map(([name, read]) => {
    const box = element("div");
    const value = element("dd", "", "0");
    const graph = svg("svg", { viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" });
    const area = graph.appendChild(svg("path", { class: "area" }));
    const line = graph.appendChild(svg("path", { class: "line" }));
    const most = element("dd", "most");
    box.append(element("dt", "", name), value, graph, most);
    byId("numbers").append(box);
    return { read, value, area, line, most, points: [] };
  });

  // A counter's growth over the last second.
  function rate(counter) {
    const past = [];
    return ferry => {
      past.push([ferry.at_ms, ferry.total[counter]]);
      while (past.length > 2 && past[1][0] <= ferry.at_ms - 1000) past.shift();
      const [at, value] = past[0];
      return ferry.at_ms > at ? (ferry.total[counter] - value) * 1000 / Math.max(ferry.at_ms - at, 1000) : 0;
    };
  }

  const round = value => Number.isInteger(value) ? String(value) : value.toFixed(1);

  function showNumber(number, ferry) {
    const value = number.read(ferry);
    number.points.push([ferry.at_ms, value]);
    while (number.points[0][0] < ferry.at_ms - GRAPH_MS) number.points.shift();
    const most = Math.max(...number.points.map(point => point[1]));
    const x = at => (100 - (ferry.at_ms - at) * 100 / GRAPH_MS).toFixed(1);
    const y = high => (19 - 18 * high / Math.max(1, most)).toFixed(1);
    const steps = number.points.map(([at, high], i) =>
      (i ? "H" + x(at) + "V" : "M" + x(at) + " ") + y(high)).join("");
    number.line.setAttribute("d", steps);
    number.area.setAttribute("d", steps + "V20H" + x(number.points[0][0]) + "Z");
    say(number.value, round(value));
    say(number.most, "at most " + round(most));
  }

  // ---- What has been counted since the start, and how long things took

  const COUNTS = {
    requests: "requests", errors: "failed", retries: "sent again", dials: "dials",
    dial_failures: "dials failed", reuses: "reuses", puts: "back to the pool",
    put_failures: "not taken back", close_waits: "found closed by the server",
  };
  const TIMES = {
    dns: "name lookup", connect: "connect", tls: "TLS handshake", first_byte: "first byte of the answer",
    body: "body, to its end",
  };
  const counts = Object.entries(COUNTS).map(([key, name]) => {
    const value = element("dd", "", "0");
    const box = element("div");
    box.append(element("dt", "", name), value);
    byId("counts").append(box);
    return { key, value };
  });
  const times = Object.entries(TIMES).map(([key, name]) => {
    const line = element("tr");
    const cells = [element("td"), element("td"), element("td")];
    const head = element("th", "", name);
    head.scope = "row";
    line.append(head, ...cells);
    byId("times").append(line);
    return { key, cells };
  });

  const short = us => us < 1000 ? us + " µs" : us < 1e6 ? (us / 1000).toFixed(1) + " ms" : (us / 1e6).toFixed(1) + " s";

  function showTotals(total) {
    for (const { key, value } of counts) say(value, String(total[key]));
    for (const { key, cells } of times) {
      const time = total[key];
      say(cells[0], String(time.count));
      say(cells[1], time.count ? short(time.median_us) : "");
      say(cells[2], time.count ? short(time.p99_us) : "");
    }
  }

  // ---- Open responses: by the line that opened them

  const MANY = 20;   // with more than that, only the oldest of each line are shown
  const OLDEST = 3;

  const place = one => one.file ? one.file + ":" + one.line : "(unknown place)";
  const idle = one => one.unread_ms === null ? one.age_ms : one.unread_ms;
  const costs = one => one.tasks
    ? "holds connection " + one.connection + " and its 2 tasks"
    : one.abandoned ? "abandoned: ferry has taken its connection away" : "holds memory only";

  function read(one) {
    return one.length === null ? plural(one.bytes_read, "byte") + " read of an unknown length"
      : one.bytes_read + " of " + plural(one.length, "byte") + " read";
  }

  function memory(bytes) {
    return bytes < 1 << 20 ? Math.ceil(bytes / 1024) + " KiB" : (bytes / (1 << 20)).toFixed(1) + " MiB";
  }

  // The call sites, each with those of its responses that the event has; the suspicious ones first.
  function sites({ ferry: { ledger }, suspicious_ms }) {
    const suspicious = one => one.tasks > 0 && idle(one) >= suspicious_ms;
    const byPlace = new Map();
    for (const one of ledger.responses) {
      if (!byPlace.has(place(one))) byPlace.set(place(one), []);
      byPlace.get(place(one)).push({ ...one, suspicious: suspicious(one) });
    }
    return ledger.call_sites.map(site => {
      const all = byPlace.get(place(site)) || [];
      const first = all.sort((left, right) => right.suspicious - left.suspicious); // stable: then the oldest
      return { ...site, suspicious: all.some(one => one.suspicious),
        shown: ledger.open > MANY ? first.slice(0, OLDEST) : first };
    }).sort((left, right) => right.suspicious - left.suspicious);
  }

  function makeSite() {
    const item = element("li", "site");
    item.append(element("p", "place"), element("p", "hint"), element("ul"), element("p", "hint"));
    return item;
  }

  function makeResponse() {
    const item = element("li");
    item.append(element("strong", "why"), element("span", "url"), element("span", "hint"));
    return item;
  }

  function showSite(item, site) {
    const [where, sum, shown, more] = item.children;
    item.classList.toggle("suspicious", site.suspicious);
    say(where, place(site));
    say(sum, plural(site.open, "response") + " opened here, the oldest " + duration(site.oldest_ms) + " ago: " +
      (site.sockets ? plural(site.sockets, "connection") + ", " + plural(site.tasks, "task") + ", " : "") + memory(site.memory));
    list(shown, site.shown, makeResponse, showResponse);
    say(more, site.open > site.shown.length ? "and " + (site.open - site.shown.length) + " more" : "");
  }

  function showResponse(item, one) {
    const [why, url, rest] = item.children;
    item.className = one.suspicious ? "response suspicious" : "response";
    say(why, one.suspicious ? "not read for " + duration(idle(one)) : "");
    say(url, one.url);
    say(rest, "open for " + duration(one.age_ms) + ", " + read(one) + ", " + costs(one) + " (" + memory(one.memory) + ")");
  }

  // The alarm is at the top of the page, wherever the list is.
  function showAlarm(all) {
    const places = all.filter(site => site.suspicious).map(place);
    byId("alarm").hidden = places.length === 0;
    if (places.length === 0) return;
    say(byId("alarm-text"), "Not read and not closed for a while: what was opened at " +
      places.slice(0, 3).join(", ") + (places.length > 3 ? " and " + plural(places.length - 3, "more place") : "") + ".");
  }

  function showResponses(event) {
    const all = sites(event);
    list(byId("responses"), all, makeSite, showSite);
    showAlarm(all);
    byId("no-responses").hidden = event.ferry.ledger.open > 0;
    return all.some(site => site.suspicious);
  }

  // ---- Tasks

  function makeTask() {
    const line = element("tr");
    for (let i = 0; i < 5; i++) line.append(element("td"));
    return line;
  }

  function showTask(line, task) {
    [task.task, task.name, task.connection || "", task.waits || (task.running ? "running" : "outside ferry, or ready"),
      task.waits ? duration(task.ms) : ""].forEach((text, i) => say(line.children[i], String(text)));
  }

  function showTasks(ferry) {
    say(byId("task-count"), String(ferry.task_count));
    if (byId("all-tasks").open) list(byId("tasks"), ferry.tasks, makeTask, showTask);
  }

  function showRest(id, shown, count) {
    byId(id).hidden = count <= shown;
    say(byId(id), shown + " of " + count + " are shown.");
  }

  // ---- For who listens instead of looking: what has changed, and not more often than every 5 s

  let announced = "", announcedAt = 0;
  function announce(ferry, suspicious) {
    const text = "tasks: " + ferry.task_count + ", connections: " + ferry.connection_count +
      ", open responses: " + ferry.ledger.open + (suspicious ? ", some of them suspicious" : "");
    if (text === announced || ferry.at_ms - announcedAt < 5000) return;
    announced = text;
    announcedAt = ferry.at_ms;
    byId("announcer").textContent = text;
  }

  // ---- Events

  function show(event) {
    const { ferry } = event;
    say(byId("program"), "in " + ferry.program + ", process " + ferry.pid);
    document.title = plural(ferry.task_count, "task") + " · " + ferry.program + " · ferry";
    for (const number of numbers) showNumber(number, ferry);
    showTotals(ferry.total);
    lanes.update(ferry.connections, ferry.at_ms);
    showRest("more-connections", ferry.connections.length, ferry.connection_count);
    showTasks(ferry);
    showRest("more-tasks", ferry.tasks.length, ferry.task_count);
    announce(ferry, showResponses(event));
    document.dispatchEvent(new CustomEvent("ferry", { detail: event }));
  }

  function status(text) {
    say(byId("status"), text);
    byId("status").dataset.status = text;
  }

  const source = new EventSource("events" + (token ? "?token=" + encodeURIComponent(token) : ""));
  source.onmessage = message => {
    if (!paused) {
      status("live");
      show(JSON.parse(message.data));
    }
  };
  source.onerror = () => status("the program does not answer");

  byId("pause").addEventListener("click", () => {
    paused = !paused;
    byId("pause").setAttribute("aria-pressed", String(paused));
    status(paused ? "paused" : "live");
  });
})();
