// SPDX-License-Identifier: BSL-1.0
//
// The page of examples/dashboard: HTML, CSS and JavaScript as they are, in pieces that every
// compiler takes.
#pragma once

#include <string_view>

namespace dashboard_page {

inline constexpr std::string_view head = R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>highlevel: live buckets</title>
<link rel="icon" href="data:,">
)page";

inline constexpr std::string_view style = R"page(<style>
:root {
  --bg: #0d1320; --card: #151d2e; --line: #24304a; --text: #e7edf8; --dim: #8c9bb8;
  --green: #35c88f; --blue: #5b9dff; --violet: #a98bff; --amber: #f4b740; --red: #ff6b6b;
  --track: #202b43;
}
* { box-sizing: border-box; margin: 0; }
body {
  background: var(--bg); color: var(--text); padding: 26px 30px 34px;
  font: 14px/1.4 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; max-width: 1320px; margin: 0 auto;
}
header { display: flex; align-items: baseline; gap: 14px; margin-bottom: 20px; }
h1 { font-size: 21px; font-weight: 650; letter-spacing: -.01em; }
header .where { color: var(--dim); margin-left: auto; }
.dot { width: 9px; height: 9px; border-radius: 50%; background: var(--green); display: inline-block;
  margin-right: 7px; }
.lost .dot { background: var(--red); }
.tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: 14px; margin-bottom: 14px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 14px 16px; }
.tile .label, h2 { color: var(--dim); font-size: 12px; font-weight: 550; }
.tile .value { font-size: 26px; font-weight: 650; letter-spacing: -.02em; margin-top: 2px; }
.tile .value small { font-size: 13px; font-weight: 500; color: var(--dim); letter-spacing: 0; }
.tile .note { color: var(--dim); font-size: 12px; }
.charts { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; margin-bottom: 14px; }
.charts svg { width: 100%; height: 150px; display: block; margin-top: 8px; }
.legend { float: right; font-size: 12px; color: var(--dim); }
.legend i { display: inline-block; width: 9px; height: 9px; border-radius: 2px;
  margin: 0 5px 0 12px; }
.buckets { display: grid; grid-template-columns: repeat(3, 1fr); gap: 14px; }
.bucket .top { display: flex; align-items: baseline; gap: 8px; }
.bucket .name { font-weight: 620; font-size: 15px; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }
.bucket .id { color: var(--dim); font: 11px ui-monospace, "DejaVu Sans Mono", monospace;
  overflow: hidden; text-overflow: ellipsis; }
.bucket .state { margin-left: auto; font-size: 11px; padding: 1px 8px; border-radius: 99px;
  background: var(--track); color: var(--dim); white-space: nowrap; }
.bucket .state.full { background: #46341a; color: var(--amber); }
.bucket .state.shared { background: #332a55; color: var(--violet); }
.bucket .state.flow { background: #143a31; color: var(--green); }
.level { display: flex; align-items: center; gap: 16px; margin: 12px 0 10px; }
.big { font-size: 30px; font-weight: 680; letter-spacing: -.03em; line-height: 1; }
.big small { font-size: 13px; color: var(--dim); font-weight: 500; letter-spacing: 0; }
.level svg { flex: 1; height: 40px; min-width: 0; }
.bar { display: flex; height: 10px; border-radius: 5px; overflow: hidden; background: var(--track);
  gap: 1px; }
.bar div { transition: width .35s; }
.key { display: flex; gap: 14px; color: var(--dim); font-size: 12px; margin: 6px 0 12px; }
.key b { color: var(--text); font-weight: 600; }
.key i { display: inline-block; width: 8px; height: 8px; border-radius: 2px; margin-right: 5px; }
.lane { display: grid; grid-template-columns: 76px 1fr 36px; align-items: center; gap: 10px;
  font-size: 12px; color: var(--dim); margin-top: 5px; }
.lane .bar { height: 7px; }
.lane b { color: var(--text); text-align: right; font-weight: 600; }
.foot { display: flex; justify-content: space-between; color: var(--dim); font-size: 12px;
  border-top: 1px solid var(--line); margin-top: 12px; padding-top: 9px; }
.foot b { color: var(--text); font-weight: 600; }
.foot b.bad { color: var(--red); }
@media (max-width: 1000px) {
  .tiles { grid-template-columns: repeat(3, 1fr); }
  .charts { grid-template-columns: 1fr; }
  .buckets { grid-template-columns: repeat(2, 1fr); }
}
@media (max-width: 640px) {
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .buckets { grid-template-columns: 1fr; }
}
</style>
</head>
)page";

inline constexpr std::string_view body = R"page(<body>
<header>
  <h1>Live buckets</h1>
  <span class="where"><span class="dot"></span><span id="where">connecting</span></span>
</header>
<section class="tiles" id="tiles"></section>
<section class="charts">
  <div class="card">
    <span class="legend"><i style="background:var(--blue)"></i>answered
      <i style="background:var(--amber)"></i>failed
      <i style="background:var(--red)"></i>refused (429)</span>
    <h2>Requests per second, last minute</h2>
    <svg id="requests" preserveAspectRatio="none" role="img" aria-label="requests per second"></svg>
  </div>
  <div class="card">
    <span class="legend"><i style="background:var(--violet)"></i>95th percentile
      <i style="background:var(--green)"></i>median</span>
    <h2>Latency of requests, last minute</h2>
    <svg id="latency" preserveAspectRatio="none" role="img" aria-label="latency"></svg>
  </div>
</section>
<section class="buckets" id="buckets"></section>
)page";

inline constexpr std::string_view script = R"page(<script>
'use strict';
const points = 60;
const byId = id => document.getElementById(id);
const whole = n => Math.round(n).toLocaleString('en-US');
const entities = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'};
const safe = text => String(text).replace(/[&<>"]/g, c => entities[c]);
const sum = (list, of) => list.reduce((total, item) => total + of(item), 0);

function tile(label, value, unit, note) {
  return `<div class="card tile"><div class="label">${label}</div>` +
    `<div class="value">${value} <small>${unit}</small></div><div class="note">${note}</div></div>`;
}

// A scale that ends on a round number above the highest value.
function ceiling(value) {
  const step = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 2.5, 5, 10].map(f => f * step).find(top => top >= value);
}

function axis(top, unit, width, height) {
  return [0.25, 0.5, 0.75, 1].map(share => {
    const y = height - share * (height - 12);
    return `<line x1="0" x2="${width}" y1="${y}" y2="${y}" stroke="#24304a" stroke-width="1"/>` +
      (share === 1 || share === 0.5 ? `<text x="0" y="${y - 3}" fill="#8c9bb8" font-size="10">` +
        `${+(top * share).toFixed(1)}${unit}</text>` : '');
  }).join('');
}

function bars(svg, seconds) {
  const width = svg.clientWidth || 560, height = 150, step = (width - 34) / points;
  const top = ceiling(Math.max(...seconds.map(s => s.requests), 4));
  const skip = points - seconds.length;
  let out = axis(top, '/s', width, height);
  seconds.forEach((s, i) => {
    let y = height;
    const x = 34 + (i + skip) * step;
    const part = (n, color) => {
      const h = n / top * (height - 12);
      y -= h;
      if (n) out += `<rect x="${x}" y="${y}" width="${Math.max(step - 2, 1)}" height="${h}" ` +
        `fill="${color}" rx="1.5"/>`;
    };
    part(s.requests - s.failed - s.refused, '#5b9dff');
    part(s.failed, '#f4b740');
    part(s.refused, '#ff6b6b');
  });
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.innerHTML = out;
}

function path(values, x, y) {
  return values.map((v, i) => `${i ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join('');
}

function lines(svg, seconds) {
  const width = svg.clientWidth || 560, height = 150, step = (width - 44) / (points - 1);
  const top = ceiling(Math.max(...seconds.map(s => s.p95), 10));
  const skip = points - seconds.length;
  const x = i => 44 + (i + skip) * step, y = v => height - v / top * (height - 12);
  const of = name => seconds.map(s => s[name]);
  const area = seconds.length > 1 ? `<path d="${path(of('p95'), x, y)}L${width} ${height}L${x(0)} ` +
    `${height}Z" fill="#a98bff" opacity=".14"/>` : '';
  const line = (name, color) => `<path d="${path(of(name), x, y)}" fill="none" stroke="${color}" ` +
    'stroke-width="2" stroke-linejoin="round"/>';
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.innerHTML = axis(top, ' ms', width, height) + area + line('p95', '#a98bff') +
    line('p50', '#35c88f');
}

function spark(levels, limit) {
  if (levels.length < 2) return '<svg></svg>';
  const x = i => (points - levels.length + i) / (points - 1) * 200;
  const y = v => 38 - v / Math.max(limit, 1) * 34;
  const line = path(levels, x, y);
  return '<svg viewBox="0 0 200 40" preserveAspectRatio="none">' +
    `<path d="${line}L200 40L${x(0)} 40Z" fill="#35c88f" opacity=".13"/>` +
    `<path d="${line}" fill="none" stroke="#35c88f" stroke-width="1.6" ` +
    'vector-effect="non-scaling-stroke"/></svg>';
}

function lane(name, count, color) {
  // A full bar is a queue of one whole interval; the root shows short ones, too.
  const share = Math.min(Math.sqrt(count / 100), 1) * 100;
  return `<div class="lane"><span>${name}</span><div class="bar"><div style="width:${share}%;` +
    `background:${color}"></div></div><b>${whole(count)}</b></div>`;
}

function condition(b) {
  if (!b.known) return ['idle', ''];
  if (b.shared) return ['shared', 'shared'];
  if (b.interactive + b.bulk > 0) return ['queueing', 'full'];
  return ['open', 'flow'];
}

function bucket(b) {
  const limit = Math.max(b.limit, 1);
  const available = Math.min(b.available, limit), flying = Math.min(b.in_flight, limit - available);
  const used = Math.max(limit - available - flying, 0);
  const [state, look] = condition(b);
  const part = (n, color) => `<div style="width:${n / limit * 100}%;background:${color}"></div>`;
  const key = (n, what, color) =>
    `<span><i style="background:${color}"></i>${what} <b>${whole(n)}</b></span>`;
  // While anybody waits nothing counts as available, but calls of the lane interactive go first.
  const now = b.bulk && !b.interactive ? 'interactive only' : 'now';
  const next = b.next_ms === undefined ? 'after an answer'
    : b.next_ms === 0 ? now : `in ${whole(b.next_ms)} ms`;
  const day = b.daily_limit === undefined ? 'not told yet'
    : `${whole(b.daily_remaining)} left`;
  return `<article class="card bucket" data-location="${safe(b.id)}"><div class="top">` +
    `<span class="name">${safe(b.name)}</span><span class="id">${safe(b.id)}</span>` +
    `<span class="state ${look}">${state}</span></div>` +
    `<div class="level"><div class="big">${whole(available)} <small>of ${whole(b.limit)} per ` +
    `${b.interval_ms / 1000} s</small></div>${spark(b.levels, limit)}</div>` +
    `<div class="bar">${part(used, '#3a4a6d')}${part(flying, '#5b9dff')}` +
    `${part(available, '#35c88f')}</div><div class="key">${key(used, 'used', '#3a4a6d')}` +
    `${key(flying, 'in flight', '#5b9dff')}${key(available, 'available', '#35c88f')}</div>` +
    lane('interactive', b.interactive, '#f4b740') + lane('bulk', b.bulk, '#a98bff') +
    `<div class="foot"><span>permit <b>${next}</b></span><span>day <b>${day}</b></span>` +
    `<span>429 <b class="${b.refused ? 'bad' : ''}">${whole(b.refused)}</b></span></div></article>`;
}

function show(s) {
  const recent = s.seconds.slice(-5);
  const rate = recent.length ? sum(recent, x => x.requests) / recent.length : 0;
  const last = s.seconds.filter(x => x.requests).slice(-1)[0] || {p50: 0, p95: 0};
  const interactive = sum(s.buckets, b => b.interactive), bulk = sum(s.buckets, b => b.bulk);
  byId('where').textContent = `${s.server}, up ${whole(s.uptime)} s`;
  byId('tiles').innerHTML =
    tile('Requests', rate.toFixed(1), 'per s', `${whole(s.calls)} calls so far`) +
    tile('Latency', whole(last.p50), 'ms', `95 % within ${whole(last.p95)} ms`) +
    tile('Waiting', whole(interactive + bulk), 'calls',
      `${whole(interactive)} interactive, ${whole(bulk)} bulk`) +
    tile('Under way', whole(s.in_progress), 'calls', `${whole(s.retries)} attempts repeated`) +
    tile('Refused', whole(s.refused), '429s', `${whole(s.failed)} calls failed`) +
    tile('Connections', whole(s.connections.open), 'open',
      `${whole(s.connections.opened)} opened, ${whole(s.connections.resumed)} resumed`);
  bars(byId('requests'), s.seconds);
  lines(byId('latency'), s.seconds);
  byId('buckets').innerHTML = s.buckets.map(bucket).join('');
  document.body.dataset.ready = 'yes';
}

async function refresh() {
  try {
    const got = await fetch('state');
    if (!got.ok) throw new Error(got.statusText);
    show(await got.json());
    document.body.classList.remove('lost');
  } catch (e) {
    document.body.classList.add('lost');
    byId('where').textContent = 'the program does not answer';
  }
  setTimeout(refresh, 500);
}
refresh();
</script>
</body>
</html>
)page";

} // namespace dashboard_page
