import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Envoy } from './envoy/envoy.mjs';
import { COMPLETE, STATUS, completion, signal, signalHeaders, status } from './filter.mjs';

const GOOD = JSON.stringify(completion());

// A request, the status of its answer, and what the body must contain.
const TABLE = [
  ['the status', { path: STATUS }, 200, /"state":"serving"/],
  ['the status with a query', { path: `${STATUS}?pretty` }, 200, /"state":"serving"/],
  ['a completion', { method: 'POST', path: COMPLETE, headers: signalHeaders(GOOD) }, 202, /"state":"draining"/],
  ['a completion with a body besides', { method: 'POST', path: COMPLETE, headers: signalHeaders(GOOD), body: 'x' }, 202, /"base"/],
  ['a completion without x-exeunt', { method: 'POST', path: COMPLETE, headers: { 'x-exeunt-completion': GOOD } }, 400, /x-exeunt/],
  ['x-exeunt with another value', { method: 'POST', path: COMPLETE, headers: { ...signalHeaders(GOOD), 'x-exeunt': 'yes' } }, 400, /must be 1/],
  ['a plain form', { method: 'POST', path: COMPLETE, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=b' }, 400, /x-exeunt/],
  ['no completion at all', { method: 'POST', path: COMPLETE, headers: { 'x-exeunt': '1' } }, 400, /empty/],
  ['broken JSON', { method: 'POST', path: COMPLETE, headers: signalHeaders('{"container":') }, 400, /JSON/],
  ['a list', { method: 'POST', path: COMPLETE, headers: signalHeaders('[]') }, 400, /object/],
  ['bytes that are no text', { method: 'POST', path: COMPLETE, headers: { 'x-exeunt': '1', 'x-exeunt-completion': Buffer.of(0xff, 0xfe) } }, 400, /./],
  ['an unknown field', { method: 'POST', path: COMPLETE, headers: signalHeaders(JSON.stringify(completion({ foo: 1 }))) }, 400, /foo/],
  ['a wrong type', { method: 'POST', path: COMPLETE, headers: signalHeaders(JSON.stringify(completion({ exitCode: '0' }))) }, 400, /exitCode/],
  ['two mistakes', { method: 'POST', path: COMPLETE, headers: signalHeaders('{"container":"","action":"stop"}') }, 400, /container[^]*action|action[^]*container/],
  ['a header that is too long', { method: 'POST', path: COMPLETE, headers: signalHeaders(' '.repeat(4097)) }, 413, /4096/],
  ['a body that says it is too long', { method: 'POST', path: COMPLETE, headers: { 'x-exeunt': '1', 'content-length': '5120' }, body: 'x' }, 413, /4096/],
  ...['via', 'forwarded', 'x-envoy-attempt-count', 'x-forwarded-client-cert'].map((name) => [
    `a completion with the header ${name}`,
    { method: 'POST', path: COMPLETE, headers: { ...signalHeaders(GOOD), [name]: '1' } },
    403,
    new RegExp(`through a proxy.* ${name}$`, 'm'),
  ]),
  ...['10.5.0.9', '10.5.0.9, 10.5.0.2', 'unknown', Buffer.of(0xff)].map((addresses) => [
    `a completion that was forwarded for ${addresses}`,
    { method: 'POST', path: COMPLETE, headers: { ...signalHeaders(GOOD), 'x-forwarded-for': addresses } },
    403,
    /through a proxy.* x-forwarded-for$/m,
  ]),
  ['a completion for an address of the pod', { method: 'POST', path: COMPLETE, headers: { ...signalHeaders(GOOD), 'x-forwarded-for': '10.5.0.2' } }, 202, /./],
  ['the status, which a proxy may ask for', { path: STATUS, headers: { via: '1.1 x' } }, 200, /./],
  ['a GET of the completion', { path: COMPLETE, headers: signalHeaders(GOOD) }, 405, /POST/],
  ['a POST of the status', { method: 'POST', path: STATUS }, 405, /GET/],
  ['any other path', { path: '/' }, 404, /\/v1\/complete/],
  ['a path that only begins like one', { path: `${STATUS}es` }, 404, /./],
  ['an absolute URL, as to a forward proxy', { path: 'http://example.com/' }, 404, /./],
  ['a tunnel', { method: 'CONNECT', path: 'example.com:443' }, 404, /./],
];

for (const [what, request, code, body] of TABLE) {
  test(`${what} is answered with ${code}`, () => {
    const envoy = new Envoy();
    const { response, upstream } = envoy.request(request);
    assert.equal(response?.status, code);
    assert.match(response.headers.get('x-exeunt'), /^\d+\.\d+\.\d+$/, 'every answer carries x-exeunt');
    assert.match(response.body.toString(), body);
    assert.equal(upstream, undefined, 'nothing is forwarded to an upstream');
  });
}

test('405 says which methods are allowed', () => {
  const envoy = new Envoy();
  assert.equal(envoy.request({ path: COMPLETE }).response.headers.get('allow'), 'POST');
  assert.equal(envoy.request({ method: 'DELETE', path: STATUS }).response.headers.get('allow'), 'GET');
});

test('a status is JSON, and the reason of a refusal is plain text', () => {
  const envoy = new Envoy();
  assert.equal(envoy.request({ path: STATUS }).response.headers.get('content-type'), 'application/json');
  assert.equal(envoy.request({ path: '/' }).response.headers.get('content-type'), 'text/plain');
});

test('the status has every field, with null for what is not known', () => {
  const { version, ...rest } = status(new Envoy());
  assert.match(version, /^\d+\.\d+\.\d+$/);
  const nothing = { container: null, action: null, quits: true, inFlight: null, unsent: null, sinceMs: 0, deadlineMs: null, limit: null };
  assert.deepEqual(rest, { state: 'serving', ...nothing, drainTimeoutMs: 300_000, stallTimeoutMs: 15_000 });
});

test('a refused completion changes nothing', () => {
  const envoy = new Envoy();
  const stored = () => envoy.data.keys.map((key) => [key, envoy.data.get(key)]);
  const before = stored();
  signal(envoy, { exitCode: 256 });
  signal(envoy, { action: 'QUIT' });
  envoy.request({ method: 'POST', path: COMPLETE, headers: { 'x-exeunt-completion': GOOD } });
  assert.equal(status(envoy).state, 'serving');
  assert.deepEqual(envoy.calls, []);
  assert.deepEqual(stored(), before);
});

test('accepted and refused signals are counted', () => {
  const envoy = new Envoy();
  signal(envoy);
  signal(envoy, {}, 1);
  signal(envoy, { action: 'stop' }, 1);
  const counts = envoy.metrics.toObject();
  assert.equal(counts['wasmcustom.exeunt_signals_accepted'], 2);
  assert.equal(counts['wasmcustom.exeunt_signals_refused'], 1);
});

// === completions in a body ===

const IN_BODY = { method: 'POST', path: COMPLETE, headers: { 'x-exeunt': '1' } };

test('a completion can come in a body, in pieces', () => {
  const envoy = new Envoy();
  const { response } = envoy.request({ ...IN_BODY, body: [GOOD.slice(0, 7), GOOD.slice(7, 30), GOOD.slice(30)] });
  assert.equal(response?.status, 202);
  assert.equal(status(envoy).state, 'draining');
});

test('a completion can come in a body that ends with trailers', () => {
  const envoy = new Envoy();
  assert.equal(envoy.request({ ...IN_BODY, body: GOOD, trailers: { 'x-checksum': '1' } }).response?.status, 202);
});

test('the head of a completion in a body is held on the signal listener, and nothing leaves the pod', () => {
  const envoy = new Envoy();
  const stream = envoy.begin({ ...IN_BODY, address: '192.0.2.190:15190', body: GOOD });
  assert.equal(stream.filterState.get('envoy.network.transport_socket.original_dst_address'), '192.0.2.190:15190');
  assert.equal(stream.upstream.headers.get(':authority'), '192.0.2.190:15190');
  assert.deepEqual(stream.upstream.pieces, [], 'no byte of the body is forwarded');
  const { response, upstream } = envoy.request({ method: 'POST', path: stream.upstream.headers.get(':path') });
  assert.equal(response, undefined, 'it is held until the completion is answered');
  assert.equal(upstream, undefined);
});

test('a body that grows too long is refused before its end', () => {
  const envoy = new Envoy();
  const pieces = Array.from({ length: 40 }, () => 'x'.repeat(128));
  const { response } = envoy.request({ ...IN_BODY, body: pieces });
  assert.equal(response?.status, 413);
  assert.match(response.headers.get('x-exeunt'), /./);
});

test('if the head cannot be held, the answer says to use the header', () => {
  // Envoy before 1.29 cannot set where the head goes.
  const old = new Envoy();
  old.foreignFunctions = {};
  const refused = old.request({ ...IN_BODY, body: GOOD });
  // REGISTRY_ONLY: Istio's BlackHoleCluster answers before the body has come.
  const blackhole = new Envoy().begin({ ...IN_BODY, body: GOOD.slice(0, 7), unfinished: true });
  blackhole.answerFromUpstream(502);
  for (const { response } of [refused, blackhole]) {
    assert.equal(response?.status, 400);
    assert.match(response.headers.get('x-exeunt'), /./);
    assert.match(response.body.toString(), /x-exeunt-completion/);
  }
});
