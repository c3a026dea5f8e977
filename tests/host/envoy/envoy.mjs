// An Envoy as a Wasm filter sees it: a main thread and workers, each with its own virtual machine. The test moves the clock, and decides
// when asynchronous events are delivered.

import { readFileSync } from 'node:fs';

import { Headers } from './headers.mjs';
import { Metrics, SharedData, SharedQueues } from './shared.mjs';
import { Stream } from './stream.mjs';
import { Vm } from './vm.mjs';
import { LOG_LEVELS, Status } from './abi.mjs';

// The module that is shipped: what ./build.sh wasm builds, unless the environment names another file.
export const BYTES = readModule('EXEUNT_WASM', 'exeunt.wasm');
const MODULE = new WebAssembly.Module(BYTES);

// The bytes of a built module: from the file that the environment variable names, else from target/.
export function readModule(variable, name) {
  return readFileSync(process.env[variable] || new URL(`../../../target/${name}`, import.meta.url));
}

// Any date: the filter must work with all of them.
const START_MS = Date.UTC(2026, 0, 1);

export class Envoy {
  module;
  data = new SharedData();
  queues = new SharedQueues();
  metrics = new Metrics();
  // The names of the clusters that calls can go to.
  clusters;
  // The level of the `wasm` logger: Envoy drops the lines below it.
  logLevel;
  // Host functions that fail, by name, with the status that they return.
  statuses = {};
  // Set: a call out is refused at once, as with a cluster that has no healthy host.
  refusesCalls = false;
  // Calls without an answer.
  calls = [];
  // Lines of the log: { level, message, thread }.
  lines = [];
  // Called with every new call; may answer it now or later.
  onCall = () => {};
  foreignFunctions = { set_envoy_filter_state: setFilterState };
  main;
  workers;

  #configuration;
  #nowMs = 0;
  #wallSkewMs = 0;
  #events = [];
  #ticks = new Map();
  #nextToken = 1;

  // Throws if the filter refuses its configuration, as Envoy refuses the resource.
  constructor({ workers = 2, configuration = '', clusters = ['prometheus_stats', 'agent'], logLevel = 'info', module = MODULE } = {}) {
    this.module = module;
    this.logLevel = logLevel;
    this.#configuration = typeof configuration === 'string' ? configuration : JSON.stringify(configuration);
    this.clusters = new Set(clusters);
    // Envoy tries one machine before it makes the others (WasmHandleBase::canary).
    const canary = new Vm(this, 'canary');
    if (!canary.configure(this.#configuration)) {
      throw new Error('the configuration is refused');
    }
    canary.shutDown();
    this.main = this.#spawn('main');
    this.workers = Array.from({ length: workers }, (_, number) => this.#spawn(`worker ${number}`));
    this.settle();
  }

  get vms() {
    return [this.main, ...this.workers];
  }

  // Replaces a machine that has failed, as with `failStrategy: FAIL_RELOAD`.
  reload(worker) {
    this.workers[worker] = this.#spawn(`worker ${worker}`);
    this.settle();
  }

  // Makes new machines everywhere, and shuts the old ones down after that.
  reconfigure(configuration) {
    const old = this.vms;
    this.#configuration = typeof configuration === 'string' ? configuration : JSON.stringify(configuration);
    this.main = this.#spawn('main');
    this.workers = this.workers.map((_, number) => this.#spawn(`worker ${number}`));
    old.forEach((vm) => vm.shutDown());
    this.settle();
  }

  // === streams ===

  // A stream on a worker, on a connection that was accepted on `address`; with null the address is not known.
  open(worker, address = '127.0.0.1:15190') {
    const destination = address === null ? {} : { 'destination.address': address };
    // The addresses of the pod, as pilot-agent writes them into the node metadata.
    const node = { 'xds.node.metadata.INSTANCE_IPS': '10.5.0.2,fd00:5::2' };
    return new Stream(this.workers[worker], { 'source.address': '127.0.0.1:40000', ...node, ...destination });
  }

  // Sends a request, without the events that follow. With `unfinished` more of its body is to come.
  begin({ worker = 0, address, method = 'GET', path = '/', headers = {}, body, trailers, unfinished = false }) {
    const stream = this.open(worker, address);
    const pieces = body === undefined ? [] : [body].flat();
    const head = new Headers({ ':method': method, ':path': path, ':authority': '127.0.0.1:15190', ':scheme': 'http', ...headers });
    stream.sendHeaders(head, pieces.length === 0 && !trailers);
    pieces.forEach((piece, place) => stream.sendBody(piece, place === pieces.length - 1 && !trailers && !unfinished));
    if (trailers) {
      stream.sendTrailers(new Headers(trailers));
    }
    return stream;
  }

  // Sends a whole request, and runs everything that follows without time passing.
  request(parts) {
    const stream = this.begin(parts);
    stream.close();
    this.settle();
    return stream;
  }

  // === time ===

  get nowMs() {
    return this.#nowMs;
  }

  get wallNanoseconds() {
    return BigInt(Math.round((START_MS + this.#nowMs + this.#wallSkewMs) * 1000)) * 1000n;
  }

  // Sets the wall clock; timers are not affected.
  skewWallClock(ms) {
    this.#wallSkewMs += ms;
  }

  // Delivers all events that need no time.
  settle() {
    while (this.#events.length > 0) {
      this.#events.shift()();
    }
  }

  // Lets time pass, from timer to timer.
  advance(ms) {
    const end = this.#nowMs + ms;
    for (let next = this.#nextTimer(); next && next.due <= end; next = this.#nextTimer()) {
      this.#nowMs = Math.max(this.#nowMs, next.due);
      next.fire();
      this.settle();
    }
    this.#nowMs = end;
  }

  // Lets time pass until `done`, at most `limitMs`; returns how long it took.
  advanceUntil(done, limitMs) {
    const start = this.#nowMs;
    while (!done()) {
      const next = this.#nextTimer();
      if (!next || next.due > start + limitMs) {
        throw new Error(`nothing more happens, or not within ${limitMs} ms:\n${this.shownLog}`);
      }
      this.advance(Math.max(0, next.due - this.#nowMs));
    }
    return this.#nowMs - start;
  }

  get ticking() {
    return this.#ticks.size > 0;
  }

  // === what the imports need ===

  log(level, message, vm) {
    if (LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(this.logLevel)) {
      this.lines.push({ level, message, thread: vm?.name });
    }
  }

  logged(level) {
    return this.lines.filter((line) => line.level === level).map((line) => line.message);
  }

  get shownLog() {
    return this.lines.map(({ level, message, thread }) => `${level} ${thread}: ${message}`).join('\n');
  }

  later(event) {
    this.#events.push(event);
  }

  setTick(vm, root, period) {
    const key = `${vm.name} ${root.id}`;
    this.#ticks.delete(key);
    if (period > 0) {
      this.#ticks.set(key, { vm, root, period, due: this.#nowMs + period });
    }
  }

  send(call) {
    const token = this.#nextToken;
    this.#nextToken += 1;
    const sent = { ...call, token, sentMs: this.#nowMs, due: call.timeout > 0 ? this.#nowMs + call.timeout : Infinity };
    sent.request = `${call.headers.get(':method')} ${call.headers.get(':path')}`;
    sent.answer = (status, body = '', headers = {}) => this.#deliver(sent, { status, body, headers });
    sent.reset = () => this.#deliver(sent, undefined);
    this.calls.push(sent);
    this.later(() => this.onCall(sent));
    return token;
  }

  forget(vm) {
    this.calls = this.calls.filter((call) => call.vm !== vm);
    [...this.#ticks].filter(([, tick]) => tick.vm === vm).forEach(([key]) => this.#ticks.delete(key));
  }

  // Delivers an answer with any status, or a reset of the stream: then there are no maps and no body.
  #deliver(call, answer) {
    if (!this.calls.includes(call)) {
      return;
    }
    this.calls.splice(this.calls.indexOf(call), 1);
    this.later(() => {
      const { vm, root, token } = call;
      if (!answer) {
        vm.call('proxy_on_http_call_response', root, token, 0, 0, 0);
        return;
      }
      const headers = new Headers({ ':status': String(answer.status), ...answer.headers });
      root.answer = { headers, trailers: new Headers(), body: Buffer.from(answer.body) };
      vm.call('proxy_on_http_call_response', root, token, headers.size, root.answer.body.length, 0);
      root.answer = undefined;
    });
  }

  #nextTimer() {
    const ticks = [...this.#ticks.values()].map((tick) => ({ due: tick.due, fire: () => this.#tick(tick) }));
    // If an upstream does not answer, Envoy's router does.
    const calls = this.calls.map((call) => ({ due: call.due, fire: () => call.answer(504, 'upstream request timeout') }));
    return [...ticks, ...calls].filter(({ due }) => due < Infinity).sort((a, b) => a.due - b.due)[0];
  }

  // After its tick a timer starts again, unless the tick has set another one.
  #tick(tick) {
    tick.due = Infinity;
    tick.vm.call('proxy_on_tick', tick.root);
    if (tick.due === Infinity) {
      tick.due = this.#nowMs + tick.period;
    }
  }

  #spawn(name) {
    const vm = new Vm(this, name);
    vm.configure(this.#configuration);
    return vm;
  }
}

// source/extensions/common/wasm/foreign.cc: SetEnvoyFilterStateArguments, 1 path, 2 value, each shorter than 128 bytes here.
function setFilterState(stream, message) {
  const fields = [];
  for (let place = 0; place < message.length; place += 2 + message[place + 1]) {
    fields[message[place] >> 3] = message.subarray(place + 2, place + 2 + message[place + 1]).toString();
  }
  if (!stream) {
    return Status.NotFound;
  }
  stream.filterState.set(fields[1], fields[2]);
  return Status.Ok;
}
