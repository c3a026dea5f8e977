import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Admin } from './envoy/admin.mjs';
import { BYTES, Envoy, readModule } from './envoy/envoy.mjs';
import { Status } from './envoy/abi.mjs';
import { CLUSTERS, COMPLETE, NOTHING_UNSENT, signal, status } from './filter.mjs';

// The filter, built with the feature `panics`: a request with this path makes it panic.
const PANICKING = readModule('EXEUNT_PANICS_WASM', 'exeunt-panics.wasm');
const PANIC_PATH = '/v1/panic';

test('a drain writes one line for each transition, and at debug what leads to it', () => {
  for (const logLevel of ['info', 'debug']) {
    const envoy = new Envoy({ logLevel });
    const admin = new Admin(envoy);
    signal(envoy);
    envoy.advanceUntil(() => admin.quitBy, 1_000);
    assert.equal(envoy.logged('info').length, 2, envoy.shownLog);
    const details = envoy.logged('debug');
    assert.equal(details.some((line) => line.startsWith(`${CLUSTERS} was answered`)), logLevel === 'debug', envoy.shownLog);
    assert.equal(envoy.lines.length, 2 + details.length, 'nothing else is logged');
  }
});

test('a refused request is logged at debug only, in one line, with the reason', () => {
  const envoy = new Envoy({ logLevel: 'debug' });
  const before = envoy.lines.length;
  envoy.request({ method: 'POST', path: COMPLETE, headers: { 'x-exeunt': '1', 'x-exeunt-completion': '{"container":"","action":"stop"}' } });
  const lines = envoy.lines.slice(before);
  assert.deepEqual(lines.map(({ level }) => level), ['debug'], envoy.shownLog);
  assert.match(lines[0].message, /^a request is refused with status 400: .*container.*action/);
});

test('no signal can steer the terminal of those who read the log, or write a line of its own', () => {
  const envoy = new Envoy({ logLevel: 'debug' });
  const container = '\u001b[2J\n{"proxy":"gone"}\u202e\u009b';
  signal(envoy, { container, unsent: NOTHING_UNSENT });
  const [transition] = envoy.logged('info');
  assert.match(transition, /^serving => draining: \\u001b\[2J\\u000a\{"proxy":"gone"\}\\u202e\\u009b has ended/);
  envoy.request({ method: 'POST', path: COMPLETE, headers: { 'x-exeunt': '1', 'x-exeunt-completion': '{"action":"\u001b\u009b"}' } });
  // eslint-disable-next-line no-control-regex
  assert.ok(envoy.lines.every(({ message }) => !/[\x00-\x1f\x7f-\x9f\u202e]/.test(message)), envoy.shownLog);
});

test('a call that fails is a warning', () => {
  const { envoy, admin } = begin();
  admin.instead['POST /healthcheck/fail'] = { status: 503, body: '' };
  signal(envoy, { unsent: NOTHING_UNSENT });
  assert.deepEqual(envoy.logged('warning'), ['POST /healthcheck/fail was answered with 503']);
});

// The line of a panic: its place and its message.
const PLACE = /^panicked at ([\w./-]+):\d+:\d+: (.*)$/;

test('a panic names its place and its message, and ends its own virtual machine only', () => {
  const envoy = new Envoy({ module: new WebAssembly.Module(PANICKING) });
  const admin = new Admin(envoy);
  envoy.request({ worker: 0, path: PANIC_PATH });
  const [, file, message] = envoy.logged('critical')[0].match(PLACE) ?? [];
  assert.equal(file, 'src/panics.rs', envoy.shownLog);
  assert.equal(message, `a test has sent a request to ${PANIC_PATH}`);
  assert.ok(envoy.workers[0].failure instanceof WebAssembly.RuntimeError, String(envoy.workers[0].failure));
  signal(envoy, { unsent: NOTHING_UNSENT }, 1);
  envoy.advanceUntil(() => admin.quitBy, 1_000);
  assert.equal(envoy.workers[1].failure, undefined);
});

test('the shipped module contains no way to make it panic', () => {
  assert.ok(PANICKING.includes(PANIC_PATH));
  assert.ok(!BYTES.includes(PANIC_PATH));
  const envoy = new Envoy();
  assert.equal(envoy.request({ path: PANIC_PATH }).response.status, 404);
  assert.equal(status(envoy).state, 'serving');
});

test('the shipped module also names the place of a panic', () => {
  const { envoy } = begin();
  // The SDK panics on a status that Envoy never returns from this function.
  envoy.statuses.proxy_set_tick_period_milliseconds = Status.InternalFailure;
  signal(envoy);
  const [, file, message] = envoy.logged('critical')[0].match(PLACE) ?? [];
  assert.match(file, /\/proxy-wasm-[\d.]+\/src\/hostcalls\.rs$/, envoy.shownLog);
  assert.equal(message, `unexpected status: ${Status.InternalFailure}`);
});

function begin() {
  const envoy = new Envoy();
  return { envoy, admin: new Admin(envoy) };
}
