// The lanes: what each connection has been doing for the last half minute, drawn as one bar of
// coloured stretches. The history is kept here; the server only says what is so now.
"use strict";

const STATES = {
  dialing: "dialing", handshake: "TLS handshake", writing: "writing the request",
  awaiting: "awaiting the response", unread: "body unread", draining: "reading on after an early close",
  idle: "idle in the pool", closing: "closing", closed: "closed",
};
const WINDOW_MS = 30000;
const GONE_MS = 6000; // a closed connection's lane stays so long

const SVG = "http://www.w3.org/2000/svg";

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function svg(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  return made;
}

// Only what changes is written, so that nothing flickers under a reader's cursor.
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function duration(ms) {
  if (ms < 1000) return ms + " ms";
  if (ms < 60000) return (ms / 1000).toFixed(1) + " s";
  return Math.floor(ms / 60000) + " min " + Math.floor(ms % 60000 / 1000) + " s";
}

class Lane {
  constructor(key) {
    this.key = key;
    this.stretches = []; // {state, from, to}, oldest first
    this.ticks = [];     // when requests went by between two looks
    this.requests = 0;
    this.goneAt = 0;
    this.node = element("li", "lane");
    const title = element("div", "title");
    this.name = element("strong");
    this.state = element("span", "state");
    this.served = element("span", "hint");
    title.append(this.name, this.state, this.served);
    this.bar = svg("svg", { viewBox: "0 0 300 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    this.url = element("div", "url");
    this.loops = element("div", "loops");
    this.node.append(title, this.bar, this.url, this.loops);
  }

  note(state, since, now) {
    const last = this.stretches[this.stretches.length - 1];
    if (last && last.state === state) {
      last.to = now;
    } else {
      const from = last ? Math.max(last.from, Math.min(now, Math.max(since, last.to))) : since;
      if (last) last.to = from;
      this.stretches.push({ state, from, to: now });
    }
    while (this.stretches.length && this.stretches[0].to < now - WINDOW_MS) this.stretches.shift();
    while (this.ticks.length && this.ticks[0] < now - WINDOW_MS) this.ticks.shift();
  }

  update(connection, now) {
    if (this.requests && connection.requests > this.requests) this.ticks.push(now);
    this.requests = connection.requests;
    this.note(connection.state, now - connection.ms, now);
    this.show(connection.state, connection.ms);
    say(this.name, connection.connection ? "connection " + connection.connection : "new connection");
    say(this.served, connection.requests === 1 ? "1 request" : connection.requests + " requests");
    say(this.url, connection.url || "");
    const loops = connection.dial
      ? [["dial", connection.dial]]
      : [["read loop", connection.read_loop], ["write loop", connection.write_loop]];
    say(this.loops, loops.filter(([, parked]) => parked).map(([name, parked]) =>
      name + ": " + (parked.waits ? parked.waits + ", for " + duration(parked.ms) : "running")).join(" · "));
    this.draw(now);
  }

  // It is no more: its lane says so for a while.
  gone(now) {
    if (!this.goneAt) {
      this.goneAt = now;
      say(this.url, "");
      say(this.loops, "its two tasks have ended");
    }
    this.note("closed", now, now);
    this.show("closed", now - this.goneAt);
    this.draw(now);
    return now - this.goneAt < GONE_MS;
  }

  show(state, ms) {
    this.state.className = "state " + state;
    say(this.state, STATES[state] + ", for " + duration(ms));
    this.node.dataset.state = state;
  }

  draw(now) {
    const x = at => 300 * (1 - Math.min(now - at, WINDOW_MS) / WINDOW_MS);
    const shapes = this.stretches.map(stretch => svg("rect", {
      class: stretch.state, x: x(stretch.from), y: stretch.state === "idle" ? 3 : 0,
      width: Math.max(x(stretch.to) - x(stretch.from), 0.8), height: stretch.state === "idle" ? 4 : 10,
    }));
    for (const at of this.ticks) shapes.push(svg("line", { x1: x(at), x2: x(at), y1: 0, y2: 10 }));
    this.bar.replaceChildren(...shapes);
  }
}

// The lanes of all hosts, by connection number (or, while it is being made, its dial's task).
class Lanes {
  constructor(container, empty) {
    this.container = container;
    this.empty = empty;
    this.hosts = new Map(); // name -> {node, list, lanes: Map(key -> Lane)}
  }

  host(name) {
    let host = this.hosts.get(name);
    if (!host) {
      host = { node: element("div", "host"), list: element("ul"), sum: element("p", "hint"), lanes: new Map() };
      const axis = element("div", "axis");
      axis.append(element("span", "", WINDOW_MS / 1000 + " s ago"), element("span", "", "now"));
      axis.setAttribute("aria-hidden", "true");
      host.list.setAttribute("aria-label", "Connections to " + name);
      host.node.append(element("h3", "", name), host.sum, host.list, axis);
      this.container.append(host.node);
      this.hosts.set(name, host);
    }
    return host;
  }

  hostOf(connection, key) {
    for (const [name, host] of this.hosts) if (host.lanes.has(key) && !connection.host) return name;
    const name = connection.host || (connection.proxied ? "(any host, by a proxy)" : "(closed)");
    return connection.scheme + "://" + name + (connection.proxied ? " (by a proxy)" : "");
  }

  // "3 connections: 1 idle in the pool, 2 body unread"
  sum(host) {
    const states = new Map();
    for (const lane of host.lanes.values()) {
      const state = lane.node.dataset.state;
      if (state !== "closed") states.set(state, (states.get(state) || 0) + 1);
    }
    const count = [...states.values()].reduce((sum, more) => sum + more, 0);
    say(host.sum, (count === 1 ? "1 connection" : count + " connections") + (count ? ": " : "") +
      [...states].map(([state, number]) => number + " " + STATES[state]).join(", "));
  }

  update(connections, now) {
    const seen = new Set();
    for (const connection of connections) {
      const key = connection.connection ? "c" + connection.connection : "d" + (connection.dial || {}).task;
      const host = this.host(this.hostOf(connection, key));
      let lane = host.lanes.get(key);
      if (!lane) {
        lane = new Lane(key);
        host.lanes.set(key, lane);
        host.list.append(lane.node);
      }
      lane.update(connection, now);
      seen.add(lane);
    }
    for (const [name, host] of this.hosts) {
      for (const [key, lane] of host.lanes) {
        if (!seen.has(lane) && (key[0] === "d" || !lane.gone(now))) {
          lane.node.remove();
          host.lanes.delete(key);
        }
      }
      if (host.lanes.size === 0) {
        host.node.remove();
        this.hosts.delete(name);
      }
      this.sum(host);
    }
    this.empty.hidden = this.hosts.size > 0;
  }
}
