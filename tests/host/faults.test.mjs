import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Admin } from './envoy/admin.mjs';
import { Envoy } from './envoy/envoy.mjs';
import { CLUSTERS, NOTHING_UNSENT, QUIT, WORKLOAD, signal, status } from './filter.mjs';

const MEGABYTE = 1_000_000;

function begin(options) {
  const envoy = new Envoy(options);
  return { envoy, admin: new Admin(envoy) };
}

function assertAlive(envoy) {
  assert.deepEqual(envoy.logged('critical'), [], 'a virtual machine has trapped');
}

// What can go wrong with a call.
const FAILURES = {
  'is answered with 500': (call) => call.answer(500, 'internal error'),
  'is answered with 503, as by Envoy if an upstream is down': (call) => call.answer(503, 'upstream connect error'),
  'is reset': (call) => call.reset(),
  'is never answered': () => {},
  'is answered with another page': (call) => call.answer(200, '<html>hello</html>'),
  'is answered with an empty page': (call) => call.answer(200, ''),
  'is answered with bytes that are no text': (call) => call.answer(200, Buffer.alloc(100_000, 0xff)),
  'is answered without a status': (call) => call.answer('', ''),
};

for (const [how, fail] of Object.entries(FAILURES)) {
  test(`if every call ${how}, Envoy is still told to quit, within the stall timeout and ten seconds`, () => {
    const { envoy, admin } = begin();
    admin.instead['*'] = fail;
    signal(envoy);
    envoy.advanceUntil(() => admin.requests.includes(QUIT), 25_000);
    assertAlive(envoy);
  });

  test(`if /clusters ${how}, the agent's facts alone decide`, () => {
    const { envoy, admin } = begin();
    admin.instead[CLUSTERS] = fail;
    signal(envoy, { unsent: { connections: 1, bytes: 5, downstream: 1 } });
    envoy.advance(10_000);
    assert.equal(admin.quitBy, undefined);
    // The pod still has a connection through the proxy, so Envoy is asked whether it is idle.
    while (!admin.quitBy && envoy.nowMs < 40_000) {
      signal(envoy, { unsent: { connections: 0, bytes: 0, downstream: 1 } });
      envoy.advance(250);
    }
    assert.equal(admin.quitBy, 'prometheus_stats');
    assert.ok(admin.count(CLUSTERS) > 0);
    assertAlive(envoy);
  });

  test(`if the quit of the admin interface ${how}, pilot-agent is asked`, () => {
    const { envoy, admin } = begin();
    admin.instead[QUIT] = (call) => (call.cluster === 'agent' ? call.answer(200, 'OK') : fail(call));
    signal(envoy, { unsent: NOTHING_UNSENT });
    envoy.advanceUntil(() => admin.requests.includes(`agent: ${QUIT}`), 15_000);
    assertAlive(envoy);
  });
}

test('without the admin cluster pilot-agent is asked to quit', () => {
  const { envoy, admin } = begin({ clusters: ['agent'] });
  signal(envoy, { unsent: NOTHING_UNSENT });
  envoy.advance(5);
  signal(envoy, { unsent: NOTHING_UNSENT });
  envoy.advanceUntil(() => admin.quitBy, 5_000);
  assert.equal(admin.quitBy, 'agent');
  assertAlive(envoy);
});

test('without any cluster the drain goes on trying, and the status says so', () => {
  const { envoy } = begin({ clusters: [] });
  signal(envoy);
  envoy.advance(60_000);
  assert.equal(status(envoy).state, 'quitting');
  assert.ok(envoy.logged('warning').length > 0, 'the log says why nothing happens');
  assert.ok(envoy.lines.length < 100, `${envoy.lines.length} lines in a minute`);
  assertAlive(envoy);
});

test('a call that Envoy refuses to send does not trap', () => {
  const { envoy, admin } = begin();
  envoy.refusesCalls = true;
  signal(envoy);
  envoy.advance(500);
  envoy.refusesCalls = false;
  envoy.advanceUntil(() => admin.quitBy, 30_000);
  assertAlive(envoy);
});

test('a /clusters of 35 MB is read without keeping it', () => {
  const { envoy, admin } = begin({ configuration: { maxClusters: 20_000 } });
  admin.clusterCount = 10_000;
  const line = `outbound|443||${'service.namespace.svc.cluster.local'.repeat(3)}::10.1.2.3:443::rq_active::0\n`;
  const page = line.repeat(Math.ceil((35 * MEGABYTE) / line.length));
  const workload = `${WORKLOAD}::127.0.0.1:9000::rq_active::`;
  let inFlight = 1;
  admin.instead[CLUSTERS] = (call) => call.answer(200, `${page}${workload}${inFlight}\n${page.slice(0, 1000 * line.length)}`);
  const before = envoy.workers[0].memory.size;
  signal(envoy);
  envoy.advance(50);
  assert.equal(status(envoy).inFlight, 1);
  assert.equal(admin.quitBy, undefined);
  inFlight = 0;
  envoy.advanceUntil(() => admin.quitBy, 5_000);
  const grown = envoy.workers[0].memory.size - before;
  assert.ok(grown < MEGABYTE, `the machine has grown by ${grown} bytes`);
});

test('an Envoy that answers slowly is asked rarely, and one answer is not enough', () => {
  const { envoy, admin } = begin();
  const held = [];
  admin.instead[CLUSTERS] = (call) => held.push(call);
  signal(envoy);
  for (let asked = 0; asked < 2; asked += 1) {
    envoy.advanceUntil(() => held.length > 0, 60_000);
    assert.equal(admin.quitBy, undefined);
    envoy.advance(4_000);
    held.pop().answer(200, admin.clustersPage);
    envoy.settle();
  }
  assert.equal(admin.quitBy, 'prometheus_stats');
  assert.ok(envoy.nowMs >= 40_000, `after ${envoy.nowMs} ms`);
});

test('a change of the wall clock does not end a drain', () => {
  for (const skew of [3_600_000, -3_600_000]) {
    const { envoy, admin } = begin();
    admin.inFlight[WORKLOAD] = 1;
    signal(envoy, { unsent: { connections: 1, bytes: 7, downstream: 1 } });
    envoy.advance(1_000);
    envoy.skewWallClock(skew);
    envoy.advance(1_000);
    assert.equal(admin.quitBy, undefined, `after ${skew} ms`);
    assert.equal(status(envoy).state, 'draining');
    signal(envoy, { unsent: NOTHING_UNSENT });
    envoy.advance(5);
    admin.inFlight[WORKLOAD] = 0;
    envoy.advanceUntil(() => admin.quitBy, 1_000);
  }
});

test('if the agent dies after its first report, the pod still ends', () => {
  const { envoy, admin } = begin();
  signal(envoy, { unsent: { connections: 1, bytes: 7, downstream: 1 } });
  envoy.advanceUntil(() => admin.quitBy, 25_000);
});

test('of contradicting reports the last one counts', () => {
  const { envoy, admin } = begin();
  for (let number = 0; number < 100; number += 1) {
    signal(envoy, { unsent: number % 2 === 0 ? NOTHING_UNSENT : { connections: 1, bytes: number, downstream: 1 } }, number % 2);
    envoy.advance(2);
  }
  assert.equal(admin.quitBy, undefined);
});

test('ten thousand signals make no second log line, no growth and no second drain', () => {
  const { envoy, admin } = begin();
  admin.inFlight[WORKLOAD] = 1;
  signal(envoy);
  const before = envoy.workers.map((vm) => vm.memory.size);
  for (let number = 0; number < 10_000; number += 1) {
    signal(envoy, { container: `c${number}` }, number % 2);
  }
  assert.deepEqual(envoy.workers.map((vm) => vm.memory.size), before);
  assert.equal(envoy.lines.length, 1, envoy.shownLog);
  assert.equal(status(envoy).container, 'base');
});
