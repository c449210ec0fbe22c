// SPDX-License-Identifier: BSL-1.0
//
// The same calls through the official TypeScript SDK, with its defaults and a Private Integration
// token, and through undici for comparison. tools/setup --benchmarks installs them.
//
// usage: throughput_node_sdk.mjs --port P --ca FILE [--large] [--requests N] [--in-flight N]
//        [--mode sdk|undici]
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';

const args = { port: '0', ca: '', requests: '10000', 'in-flight': '64', mode: 'sdk', large: false };
for (let i = 2; i < process.argv.length; ++i) {
  const name = process.argv[i].slice(2);
  args[name] = name === 'large' ? true : process.argv[++i];
}
const requests = Number(args.requests);
const inFlight = Number(args['in-flight']);
const base = `https://127.0.0.1:${args.port}`;
const target = args.large ? '/contacts/?locationId=location&limit=100' : '/contacts/S';
// The packages lie where the driver installed them, beside its working folder.
const require = createRequire(pathToFileURL(`${process.cwd()}/`));

async function makeSdk() {
  const { HighLevel } = require('@gohighlevel/api-client');
  const sdk = new HighLevel({ privateIntegrationToken: 'pit-throughput' });
  const http = sdk.getHttpClient ? sdk.getHttpClient() : sdk.httpClient;
  http.defaults.baseURL = base;
  http.defaults.httpsAgent = new Agent({
    keepAlive: true, maxSockets: inFlight, ca: readFileSync(args.ca),
  });
  const path = args.large ? '?locationId=location&limit=100' : 'S';
  return async () => sdk.contacts.getContact({ contactId: path });
}

async function makeUndici() {
  const { Pool } = require('undici');
  const pool = new Pool(base, {
    connections: inFlight, connect: { ca: readFileSync(args.ca) },
  });
  const headers = {
    accept: 'application/json', authorization: 'Bearer pit-throughput', version: '2021-07-28',
  };
  return async () => (await pool.request({ path: target, method: 'GET', headers })).body.json();
}

const once = args.mode === 'undici' ? await makeUndici() : await makeSdk();
async function drive(count) {
  let left = count;
  const worker = async () => {
    while (left > 0) {
      --left;
      const got = await once();
      if (!got || typeof got !== 'object') throw new Error('no object');
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

await drive(inFlight);
const cpu = process.cpuUsage();
const begun = performance.now();
await drive(requests);
const used = process.cpuUsage(cpu);
console.log(JSON.stringify({
  program: 'node', mode: args.mode, size: args.large ? 'L' : 'S', in_flight: inFlight, requests,
  seconds: (performance.now() - begun) / 1000, cpu_seconds: (used.user + used.system) / 1e6,
  peak_kb: process.resourceUsage().maxRSS, bytes: 0,
}));
process.exit(0);
