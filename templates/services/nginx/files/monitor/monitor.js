// A page that needs nothing but Prometheus. What Prometheus tells goes into the page as text alone.
"use strict";

const API = "../prometheus/api/v1/";
const EVERY = 30000;
const MOST_LINES = 30;
const COLOURS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2",
                 "#7f7f7f", "#bcbd22", "#17becf"];
const DISKS = 'fstype!~"tmpfs|overlay|squashfs|nsfs"';
const PODS = 'namespace!="kube-system",container!="",container!="POD"';

const percent = (value) => `${value.toFixed(0)} %`;
const plain = (value) => Number.isInteger(value) ? String(value) : value.toFixed(2);
const bytes = (value) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let place = 0;
  while (Math.abs(value) >= 1024 && place < units.length - 1) { value /= 1024; place += 1; }
  return `${value.toFixed(place ? 1 : 0)} ${units[place]}`;
};

const seconds = (value) => value < 120 ? `${value.toFixed(0)} s`
  : value < 7200 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`;
const slowest = (name) => `histogram_quantile(0.95, sum by (vc, le) (rate(${name}_bucket[1h])))`;

// What is shown: for each section the lines of its charts, and the columns of its table.
const SECTIONS = {
  nodes: {
    keys: ["instance"],
    charts: [
      ["Processors in use", '100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])))', percent],
      ["Memory in use", "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)", percent],
      ["Network, received", 'sum by (instance) (rate(node_network_receive_bytes_total{device!~"lo|veth.*|cni.*|cali.*|flannel.*"}[5m]))', bytes],
      ["Network, sent", 'sum by (instance) (rate(node_network_transmit_bytes_total{device!~"lo|veth.*|cni.*|cali.*|flannel.*"}[5m]))', bytes],
    ],
    columns: [
      ["up", 'up{job="node"}', (value) => value ? "up" : "down"],
      ["processors", 'count by (instance) (node_cpu_seconds_total{mode="idle"})', plain],
      ["load", "node_load5", plain],
      ["memory", "node_memory_MemTotal_bytes", bytes],
      ["memory free", "node_memory_MemAvailable_bytes", bytes],
      ["fullest disk", `max by (instance) (100 * (1 - node_filesystem_avail_bytes{${DISKS}} / node_filesystem_size_bytes{${DISKS}}))`, percent],
    ],
    none: "Prometheus measures no node yet.",
  },
  devices: {
    keys: ["instance", "minor_number"],
    charts: [
      ["Devices in use", "nvidiasmi_utilization_gpu or npu_utilization", percent],
      ["Device memory in use", "nvidiasmi_utilization_memory or npu_memory_utilization", percent],
    ],
    columns: [
      ["in use", "nvidiasmi_utilization_gpu or npu_utilization", percent],
      ["memory", "nvidiasmi_utilization_memory or npu_memory_utilization", percent],
      ["temperature", "nvidiasmi_temperature or npu_temperature", (value) => `${plain(value)} °C`],
    ],
    none: "No device is measured: job-exporter does that, of the service monitor.",
  },
  jobs: {
    keys: ["namespace", "pod"],
    charts: [
      ["Processors used by jobs", `sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{${PODS}}[5m]))`, plain],
      ["Memory used by jobs", `sum by (namespace, pod) (container_memory_working_set_bytes{${PODS}})`, bytes],
    ],
    columns: [
      ["node", `count by (namespace, pod, instance) (container_memory_working_set_bytes{${PODS}})`, null, "instance"],
      ["processors", `sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{${PODS}}[5m]))`, plain],
      ["memory", `sum by (namespace, pod) (container_memory_working_set_bytes{${PODS}})`, bytes],
      ["devices in use", 'label_replace(avg by (pod_name) (task_gpu_percent), "pod", "$1", "pod_name", "(.*)")', percent],
    ],
    none: "No job runs.",
  },
  queue: {
    keys: ["vc", "device", "status", "code"],
    charts: [
      ["Jobs by state", "sum by (status) (dlws_jobs)", plain],
      ["Devices that jobs hold", "sum by (vc, device) (dlws_vc_used)", plain],
      ["Waiting for devices: 95 of 100 jobs, at most", slowest("dlws_job_waiting_seconds"), seconds],
      ["Starting: 95 of 100 jobs, at most", slowest("dlws_job_starting_seconds"), seconds],
      ["Requests to the API, per second, by answer", "sum by (code) (rate(dlws_api_requests_total[5m]))", plain],
      ["Slowest requests to the API: 99 of 100, at most", "1000 * histogram_quantile(0.99, sum by (le) (rate(dlws_api_request_seconds_bucket[5m])))", (value) => `${value.toFixed(0)} ms`],
    ],
    columns: [
      ["running", 'sum by (vc) (dlws_jobs{status="running"})', plain],
      ["waiting", 'sum by (vc) (dlws_jobs{status=~"unapproved|queued"})', plain],
      ["devices held", "sum by (vc) (dlws_vc_used)", plain],
      ["of a quota of", "sum by (vc) (dlws_vc_quota)", plain],
      ["device hours, 1 day", "sum by (vc) (increase(dlws_device_seconds_total[1d])) / 3600", plain],
      ["device hours, 1 week", "sum by (vc) (increase(dlws_device_seconds_total[7d])) / 3600", plain],
    ],
    none: "Nothing is told of jobs: the services jobmanager2 and restfulapi2 do that.",
  },
};

async function ask(path, parameters) {
  const answer = await fetch(`${API}${path}?${new URLSearchParams(parameters)}`);
  if (!answer.ok) throw new Error(`Prometheus answers with ${answer.status}`);
  const { status, data, error } = await answer.json();
  if (status !== "success") throw new Error(error);
  return data;
}

// An element with text; what stands in the text is never read as HTML.
function element(name, text = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

const nameOf = (labels, keys) => keys.map((key) => labels[key]).filter(Boolean).join(" ");

// Series of Prometheus as columns of uPlot: all times, and a value or null for each of them.
function columnsOf(series) {
  const times = [...new Set(series.flatMap((one) => one.values.map(([time]) => time)))].sort((a, b) => a - b);
  const place = new Map(times.map((time, index) => [time, index]));
  const lines = series.map((one) => {
    const line = new Array(times.length).fill(null);
    for (const [time, value] of one.values) {
      if (Number.isFinite(Number(value))) line[place.get(time)] = Number(value);
    }
    return line;
  });
  return [times, ...lines];
}

const mean = (one) => one.values.reduce((sum, [, value]) => sum + (Number(value) || 0), 0) / one.values.length;

async function chart([title, query, show], keys) {
  const range = Number(document.getElementById("range").value);
  const end = Math.floor(Date.now() / 1000);
  const data = await ask("query_range", { query, start: end - range, end, step: Math.max(15, Math.ceil(range / 300)) });
  if (!data.result.length) return null;
  const series = data.result.sort((a, b) => mean(b) - mean(a)).slice(0, MOST_LINES);
  const left = data.result.length - series.length;
  const box = element("div", "", "chart");
  box.append(element("h3", left > 0 ? `${title} (the highest ${MOST_LINES} of ${data.result.length})` : title));
  box.draw = () => new uPlot({
    width: Math.max(300, box.clientWidth - 16), height: 200,
    axes: [{ stroke: "#888" }, { stroke: "#888", size: 80, values: (_, ticks) => ticks.map(show) }],
    series: [{}, ...series.map((one, index) => ({
      label: nameOf(one.metric, keys) || "all", stroke: COLOURS[index % COLOURS.length], width: 1,
      value: (_, value) => value === null || value === undefined ? "-" : show(value),
    }))],
  }, columnsOf(series), box);
  return box;
}

async function table({ keys, columns }) {
  const found = await Promise.all(columns.map(([, query]) => ask("query", { query })));
  const rows = new Map();
  found.forEach((data, place) => {
    for (const { metric, value } of data.result) {
      const name = nameOf(metric, keys);
      if (!name) continue;
      if (!rows.has(name)) rows.set(name, new Array(columns.length).fill(null));
      const [, , show, label] = columns[place];
      rows.get(name)[place] = label ? metric[label] || "" : show(Number(value[1]));
    }
  });
  if (!rows.size) return null;
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const word of [keys.join(" "), ...columns.map(([title]) => title)]) head.append(element("th", word));
  const body = made.createTBody();
  for (const [name, cells] of [...rows].sort(([a], [b]) => a.localeCompare(b, undefined, { numeric: true }))) {
    const row = body.insertRow();
    row.append(element("td", name));
    for (const cell of cells) {
      const kind = cell === "down" ? "bad" : cell === "up" ? "good" : "";
      row.append(element("td", cell === null ? "-" : cell, kind));
    }
  }
  return made;
}

async function alerts() {
  const { alerts: all } = await ask("alerts", {});
  const place = document.querySelector("#alerts .table");
  if (!all.length) {
    place.replaceChildren(element("p", "Nothing is wrong.", "empty"));
    return;
  }
  const made = element("table");
  const body = made.createTBody();
  for (const one of all) {
    const row = body.insertRow();
    row.append(element("td", one.labels.alertname || "", one.state === "firing" ? "bad" : ""));
    row.append(element("td", one.state, "word"), element("td", (one.annotations || {}).summary || "", "word"));
  }
  place.replaceChildren(made);
}

async function section(id, says) {
  const [shown, ...charts] = await Promise.all([table(says), ...says.charts.map((one) => chart(one, says.keys))]);
  const drawn = charts.filter(Boolean);
  const nothing = !shown && !drawn.length;
  document.querySelector(`#${id} .charts`).replaceChildren(...drawn);
  document.querySelector(`#${id} .table`).replaceChildren(shown || element("p", nothing ? says.none : "", "empty"));
  for (const box of drawn) box.draw();
}

let running = false;

async function refresh() {
  if (running || document.hidden) return;
  running = true;
  const state = document.getElementById("state");
  try {
    await Promise.all([...Object.entries(SECTIONS).map(([id, says]) => section(id, says)), alerts()]);
    state.textContent = `as of ${new Date().toLocaleTimeString()}`;
    state.className = "";
  } catch (error) {
    state.textContent = `Prometheus cannot be asked: ${error.message}`;
    state.className = "bad";
  } finally {
    running = false;
  }
}

document.getElementById("range").addEventListener("change", refresh);
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, EVERY);
refresh();
