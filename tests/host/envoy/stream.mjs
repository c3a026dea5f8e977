// One HTTP stream through the filter, as Envoy's filter manager runs it: the filter, and behind it a router.

import { DataStatus, HeadersStatus } from './abi.mjs';
import { Headers } from './headers.mjs';

const NOTHING = Object.freeze({
  requestHeaders: undefined,
  requestBody: undefined,
  requestTrailers: undefined,
  responseHeaders: undefined,
  responseBody: undefined,
  responseTrailers: undefined,
});

export class Stream {
  // What `getProperty` tells, by dotted path.
  properties;
  // What the filter can see just now.
  current = { ...NOTHING };
  // Set while the filter wants nothing to go on.
  stopped = false;
  // What has come out behind the filter: { headers, pieces, trailers, ended }; undefined while the head has not.
  upstream;
  // What has come back to the client: { status, headers, body }.
  response;
  // Filter state that the filter has set, by name.
  filterState = new Map();

  #vm;
  #context;
  #headsStopped = false;
  #buffered;
  #encoding = false;

  constructor(vm, properties) {
    this.#vm = vm;
    this.properties = properties;
    this.#context = vm.open(this);
  }

  // The request's head. Nothing of what follows is shown to a filter that pauses here (ABI 0.2.x: StopIteration is taken for
  // StopAllIterationAndWatermark).
  sendHeaders(headers, end) {
    const status = this.#call('proxy_on_request_headers', { requestHeaders: headers }, headers.size, end);
    if (this.response) {
      return;
    }
    if (this.stopped || (status ?? HeadersStatus.Continue) !== HeadersStatus.Continue) {
      this.#headsStopped = true;
      return;
    }
    this.upstream = { headers: new Headers(headers), pieces: [], trailers: undefined, ended: Boolean(end) };
  }

  // A piece of the request's body.
  sendBody(piece, end) {
    if (this.response || this.#headsStopped) {
      return;
    }
    const bytes = Buffer.concat([this.#buffered ?? Buffer.alloc(0), Buffer.from(piece)]);
    const status = this.#call('proxy_on_request_body', { requestBody: bytes }, bytes.length, end) ?? DataStatus.Continue;
    this.#buffered = undefined;
    if (this.response || this.stopped) {
      return;
    }
    if (status === DataStatus.Continue) {
      this.upstream.pieces.push(bytes);
      this.upstream.ended = Boolean(end);
    } else if (status === DataStatus.StopIterationAndBuffer) {
      this.#buffered = bytes;
    }
  }

  sendTrailers(trailers) {
    if (this.response || this.#headsStopped) {
      return;
    }
    // While the trailers are shown the body that was held back still is.
    const shown = { requestTrailers: trailers, requestBody: this.#buffered };
    const status = this.#call('proxy_on_request_trailers', shown, trailers.size) ?? 0;
    if (this.response || this.stopped || status !== 0) {
      return;
    }
    if (this.#buffered) {
      this.upstream.pieces.push(this.#buffered);
    }
    Object.assign(this.upstream, { trailers: new Headers(trailers), ended: true });
  }

  // The upstream's answer, on its way back through the filter.
  answerFromUpstream(status, headers = {}, body = '') {
    const head = new Headers({ ':status': String(status), ...headers });
    const bytes = Buffer.from(body);
    this.#encode(head, bytes);
    this.response ??= { status: Number(head.get(':status')), headers: head, body: bytes };
  }

  // An answer of the filter's own. One to the request goes back through the filter, one in place of an answer does not
  // (FilterManager::sendLocalReply).
  respondLocally(headers, body) {
    if (this.response) {
      return;
    }
    this.response = { status: Number(headers.get(':status')), headers, body };
    if (!this.#encoding) {
      this.#encode(headers, body);
    }
  }

  close() {
    this.#vm.close(this.#context);
  }

  // The names of the host functions that the filter has called for this stream.
  get hostCalls() {
    return this.#vm.trace.filter(({ context }) => context === this.#context.id).map(({ name }) => name);
  }

  #encode(headers, body) {
    this.#encoding = true;
    this.#call('proxy_on_response_headers', { responseHeaders: headers }, headers.size, Number(body.length === 0));
    if (body.length > 0) {
      this.#call('proxy_on_response_body', { responseBody: body }, body.length, 1);
    }
    this.#encoding = false;
  }

  #call(name, visible, ...words) {
    this.current = { ...NOTHING, ...visible };
    const status = this.#vm.call(name, this.#context, ...words.map(Number));
    this.current = { ...NOTHING };
    return status;
  }
}
