import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Admin } from './envoy/admin.mjs';
import { Envoy } from './envoy/envoy.mjs';
import { CLUSTERS, NOTHING_UNSENT, QUIT, WORKLOAD, signal, status } from './filter.mjs';

function begin(options) {
  const envoy = new Envoy(options);
  return { envoy, admin: new Admin(envoy) };
}

test('there is no tick while serving, and none after a request', () => {
  const { envoy } = begin();
  assert.equal(envoy.ticking, false);
  status(envoy);
  signal(envoy, { action: 'stop' });
  assert.equal(envoy.ticking, false);
});

test('a completion without facts drains, and quits after two readings of nothing in flight', () => {
  const { envoy, admin } = begin();
  signal(envoy);
  envoy.advanceUntil(() => admin.quitBy, 1_000);
  assert.equal(admin.quitBy, 'prometheus_stats');
  assert.equal(admin.count(CLUSTERS), 2);
  assert.equal(admin.count('POST /healthcheck/fail'), 1);
  assert.equal(admin.count('POST /drain_listeners?inboundonly&graceful&skip_exit'), 1);
  assert.equal(admin.requests.at(-1), QUIT);
});

test('the two readings are at least settle apart', () => {
  const { envoy, admin } = begin({ configuration: { settle: '200ms' } });
  signal(envoy);
  const took = envoy.advanceUntil(() => admin.quitBy, 1_000);
  assert.ok(took >= 200 && took < 250, `${took} ms`);
});

test('with the agent\'s facts and nothing in flight, Envoy quits within 20 ms', () => {
  const { envoy, admin } = begin();
  signal(envoy, { unsent: NOTHING_UNSENT });
  const took = envoy.advanceUntil(() => admin.quitBy, 1_000);
  assert.ok(took <= 20, `${took} ms`);
});

test('two idle reports of the agent are enough if the pod has no connection left', () => {
  const { envoy, admin } = begin();
  signal(envoy, { unsent: NOTHING_UNSENT });
  envoy.advance(4);
  signal(envoy, { unsent: NOTHING_UNSENT }, 1);
  assert.equal(admin.quitBy, 'prometheus_stats');
  assert.equal(admin.count(CLUSTERS) <= 1, true);
});

test('Envoy does not quit while a request is in flight, and quits within 40 ms after its end', () => {
  const { envoy, admin } = begin();
  admin.inFlight[WORKLOAD] = 1;
  signal(envoy);
  envoy.advance(60_000);
  assert.equal(status(envoy).state, 'draining');
  assert.equal(status(envoy).inFlight, 1);
  admin.inFlight[WORKLOAD] = 0;
  const took = envoy.advanceUntil(() => admin.quitBy, 1_000);
  assert.ok(took <= 40, `${took} ms`);
});

test('one idle reading between two busy ones does not count', () => {
  const { envoy, admin } = begin();
  let reading = 0;
  admin.instead[CLUSTERS] = (call) => {
    admin.inFlight[WORKLOAD] = reading % 2;
    reading += 1;
    call.answer(200, admin.clustersPage);
  };
  signal(envoy);
  envoy.advance(30_000);
  assert.ok(reading > 100, `${reading} readings`);
  assert.equal(admin.quitBy, undefined);
});

test('while the kernel holds bytes, Envoy is not asked and does not quit', () => {
  const { envoy, admin } = begin();
  for (let left = 10; left > 0; left -= 1) {
    signal(envoy, { unsent: { connections: 1, bytes: left * 1000, downstream: 1 } }, left % 2);
    envoy.advance(10_000);
  }
  assert.equal(admin.quitBy, undefined);
  assert.equal(status(envoy).unsent.bytes, 1000);
  signal(envoy, { unsent: NOTHING_UNSENT });
  envoy.advanceUntil(() => admin.quitBy, 40);
});

test('after the stall timeout without a moving byte Envoy quits, and the log says what is lost', () => {
  const { envoy, admin } = begin({ configuration: { stallTimeout: '7s' } });
  const began = envoy.nowMs;
  while (!admin.quitBy && envoy.nowMs < began + 20_000) {
    // A running agent repeats its report.
    signal(envoy, { unsent: { connections: 3, bytes: 4711, downstream: 1 } });
    envoy.advance(500);
  }
  const took = envoy.nowMs - began;
  assert.ok(took >= 7_000 && took < 7_600, `${took} ms`);
  assert.match(envoy.logged('info').at(-1), /draining => quitting: .*stall.* 4711 bytes in 3 connections/);
  assert.equal(envoy.metrics.toObject()['wasmcustom.exeunt_undelivered_bytes'], 4711);
});

test('without the agent Envoy\'s own count decides, but not before the stall timeout', () => {
  const { envoy, admin } = begin({ configuration: { stallTimeout: '7s' } });
  admin.inFlight[WORKLOAD] = 1;
  signal(envoy, { unsent: { connections: 3, bytes: 4711, downstream: 1 } });
  envoy.advance(60_000);
  assert.equal(admin.quitBy, undefined, 'a stream is in flight, and nothing shows whether its bytes move');
  admin.inFlight[WORKLOAD] = 0;
  const took = envoy.advanceUntil(() => admin.quitBy, 20_000);
  assert.ok(took >= 7_000 && took < 7_600, `${took} ms`);
});

test('after the drain timeout Envoy quits, even if bytes still move', () => {
  const { envoy, admin } = begin({ configuration: { drainTimeout: '30s' } });
  for (let bytes = 1000; !admin.quitBy; bytes -= 1) {
    signal(envoy, { unsent: { connections: 1, bytes, downstream: 1 } });
    envoy.advance(100);
    assert.ok(envoy.nowMs < 31_000, 'the deadline has passed');
  }
  assert.ok(envoy.nowMs >= 30_000, `${envoy.nowMs} ms`);
});

test('the limits of a completion count instead of those of the configuration', () => {
  for (const [drainTimeout, drainTimeoutMs, longest] of [['10s', 40_000, 41_000], ['5m', 10_000, 11_000]]) {
    const { envoy, admin } = begin({ configuration: { drainTimeout } });
    for (let bytes = 1000; !admin.quitBy; bytes -= 1) {
      signal(envoy, { unsent: { connections: 1, bytes, downstream: 1 }, drainTimeoutMs }, bytes % 2);
      assert.equal(status(envoy, 1).drainTimeoutMs, drainTimeoutMs);
      assert.equal(status(envoy, 1).deadlineMs, drainTimeoutMs - envoy.nowMs);
      envoy.advance(100);
      assert.ok(envoy.nowMs < longest, 'the deadline has passed');
    }
    assert.ok(envoy.nowMs >= drainTimeoutMs, `${envoy.nowMs} ms`);
  }
});

test('an agent that brings no limits gets those of the configuration, and the status names the one that has passed', () => {
  const { envoy } = begin({ configuration: { stallTimeout: '7s' } });
  const unsent = { connections: 3, bytes: 4711, downstream: 1 };
  signal(envoy, { action: 'drain', unsent });
  assert.deepEqual([status(envoy).stallTimeoutMs, status(envoy).limit], [7_000, null]);
  for (let second = 0; second < 8; second += 1) {
    envoy.advance(1_000);
    signal(envoy, { action: 'drain', unsent }, second % 2);
  }
  assert.deepEqual([status(envoy, 0), status(envoy, 1)].map(({ state, limit }) => [state, limit]), Array(2).fill(['drained', 'stall-timeout']));
});

test('the action drain never quits, and ends in the state drained', () => {
  const { envoy, admin } = begin();
  signal(envoy, { action: 'drain' });
  envoy.advance(3_600_000);
  assert.equal(status(envoy).state, 'drained');
  assert.equal(admin.count(QUIT), 0);
  assert.equal(envoy.ticking, false, 'nothing ticks any more');
});

test('a drain outranks a quit, before and after it', () => {
  for (const actions of [['quit', 'drain'], ['drain', 'quit']]) {
    const { envoy, admin } = begin();
    admin.inFlight[WORKLOAD] = 1;
    actions.forEach((action) => signal(envoy, { action }));
    envoy.advance(600_000);
    assert.equal(admin.count(QUIT), 0, actions.join(' then '));
    assert.equal(status(envoy).state, 'drained');
  }
});

test('a quit that does not end Envoy is repeated, also through pilot-agent', () => {
  const { envoy, admin } = begin();
  signal(envoy);
  envoy.advance(60_000);
  assert.ok(admin.count(QUIT) > 1, admin.requests.join(', '));
  assert.ok(admin.count(`agent: ${QUIT}`) >= 1, admin.requests.join(', '));
  assert.ok(admin.requests.length < 60, 'with pauses');
});

test('control-plane clusters and ignored ones do not count', () => {
  const { envoy, admin } = begin({ configuration: { ignoreClusters: ['outbound|443||noise.example'] } });
  admin.inFlight = { 'outbound|443||noise.example': 9, agent: 2, 'sds-grpc': 1, zipkin: 4 };
  signal(envoy);
  envoy.advanceUntil(() => admin.quitBy, 1_000);
});

test('with more clusters than maxClusters Envoy is not asked: the agent confirms its own report', () => {
  const { envoy, admin } = begin({ configuration: { maxClusters: 100 } });
  admin.clusterCount = 101;
  signal(envoy, { unsent: NOTHING_UNSENT });
  envoy.advance(1_000);
  assert.equal(admin.quitBy, undefined, 'one idle reading is not enough');
  signal(envoy, { unsent: NOTHING_UNSENT });
  assert.equal(admin.quitBy, 'prometheus_stats');
  assert.equal(admin.count(CLUSTERS), 0);
});

test('there is one info line per transition, and none per request', () => {
  const { envoy, admin } = begin();
  for (let number = 0; number < 50; number += 1) {
    status(envoy, number % 2);
  }
  assert.deepEqual(envoy.lines, []);
  for (let number = 0; number < 50; number += 1) {
    signal(envoy, { exitCode: 3 }, number % 2);
    status(envoy, number % 2);
  }
  envoy.advanceUntil(() => admin.quitBy, 1_000);
  assert.equal(envoy.lines.length, 2, envoy.shownLog);
  assert.match(envoy.lines[0].message, /^serving => draining: base has ended \(exit code 3\), action quit$/);
  assert.match(envoy.lines[1].message, /^draining => quitting: everything is delivered after \d+ ms$/);
  assert.deepEqual(envoy.lines.map(({ level }) => level), ['info', 'info']);
});

test('the metrics show the state, the duration and what is in flight', () => {
  const { envoy, admin } = begin();
  assert.equal(envoy.metrics.toObject()['wasmcustom.exeunt_state'], 0);
  admin.inFlight[WORKLOAD] = 2;
  signal(envoy);
  envoy.advance(500);
  assert.equal(envoy.metrics.toObject()['wasmcustom.exeunt_in_flight'], 2);
  admin.inFlight[WORKLOAD] = 0;
  envoy.advanceUntil(() => admin.quitBy, 1_000);
  const { 'wasmcustom.exeunt_drain_milliseconds': lasted, 'wasmcustom.exeunt_state': state } = envoy.metrics.toObject();
  assert.ok(lasted >= 500 && lasted <= 600, `${lasted} ms`);
  assert.equal(state, 3, 'quitting');
});

test('the status counts down to the deadline', () => {
  const { envoy, admin } = begin();
  admin.inFlight[WORKLOAD] = 1;
  signal(envoy);
  envoy.advance(10_000);
  const { sinceMs, deadlineMs, container, action } = status(envoy, 1);
  assert.deepEqual([sinceMs, deadlineMs, container, action], [10_000, 290_000, 'base', 'quit']);
});
