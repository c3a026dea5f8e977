// The requests of the tests to the filter.

export const COMPLETE = '/v1/complete';
export const STATUS = '/v1/status';
export const QUIT = 'POST /quitquitquit';
export const CLUSTERS = 'GET /clusters';
export const WORKLOAD = 'outbound|9000||backend.example';

export const NOTHING_UNSENT = Object.freeze({ connections: 0, bytes: 0, downstream: 0 });

// A completion as the agent sends it; without facts, as a script would send it that cannot read the kernel's tables.
export function completion(changes = {}) {
  return { container: 'base', exitCode: 0, signal: null, action: 'quit', unsent: null, ...changes };
}

// Sends a completion in the header, and runs everything that follows without time passing.
export function signal(envoy, changes = {}, worker = 0) {
  return envoy.request({ worker, method: 'POST', path: COMPLETE, headers: signalHeaders(JSON.stringify(completion(changes))) });
}

export function signalHeaders(text) {
  return { 'x-exeunt': '1', 'x-exeunt-completion': text };
}

// The status, as a worker reports it.
export function status(envoy, worker = 0) {
  return JSON.parse(envoy.request({ worker, path: STATUS }).response.body);
}
