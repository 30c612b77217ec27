// SPDX-License-Identifier: BSD-2-Clause
// The way to the server: REST calls, and one WebSocket that comes back by itself as its close code allows.
// Knows nothing of the page; tells what happens by three events, each with its `detail`:
//   state  {state, reason, retryInMs}: connecting, online, waiting, replaced, unauthorized, stopped
//   event  a frame of the server that answers no request of ours
//   hello  the first frame of each connection

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30000;
const PING_EVERY_MS = 25000;
const ANSWER_WITHIN_MS = 15000;

export class ApiError extends Error {
    constructor(status, code, detail) {
        super(detail || code);
        this.status = status;
        this.code = code;
    }

    // The same request may succeed later.
    get passing() {
        return ['unavailable', 'overloaded', 'rate_limited', 'disconnected'].includes(this.code);
    }
}

export function randomId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

export class Client extends EventTarget {
    #base;
    #token;
    #socket = null;
    #waiting = new Map(); // ref -> {resolve, reject, timer}
    #nextRef = 1;
    #failures = 0;
    #comeBackMs = null; // said by the server that is leaving
    #timer = null;
    #pinger = null;
    #online = false;
    #stopped = false;

    // base: the path that the API is mounted under, '' for the root.
    constructor(base, token) {
        super();
        this.#base = base;
        this.#token = token;
    }

    get online() {
        return this.#online;
    }

    async call(method, path, body) {
        const headers = {Authorization: `Bearer ${this.#token}`};
        if (body !== undefined)
            headers['Content-Type'] = 'application/json';
        let response;
        try {
            response = await fetch(this.#base + path, {
                method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: 'no-store',
            });
        } catch {
            throw new ApiError(0, 'disconnected', 'The server cannot be reached.');
        }
        const text = await response.text();
        let json = null;
        try {
            json = text === '' ? null : JSON.parse(text);
        } catch {
            throw new ApiError(response.status, 'malformed', 'The answer is no JSON.');
        }
        if (!response.ok) {
            if (response.status === 401)
                this.#end('unauthorized', json?.detail);
            throw new ApiError(response.status, json?.code ?? 'unknown', json?.detail ?? response.statusText);
        }
        return json;
    }

    connect() {
        if (this.#socket || this.#stopped)
            return;
        clearTimeout(this.#timer);
        this.#tell('connecting');
        const url = new URL(`${this.#base}/messages/ws?device=web`, location.href);
        url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
        const socket = new WebSocket(url, ['tidings.v1', `bearer.${this.#token}`]);
        let opened = false;
        this.#socket = socket;
        this.#comeBackMs = null;
        socket.onopen = () => {
            opened = true;
        };
        socket.onmessage = (e) => this.#receive(JSON.parse(e.data));
        socket.onclose = (e) => this.#lost(socket, e, opened);
    }

    // After it the client is of no more use.
    stop() {
        this.#end('stopped');
    }

    // Sends a frame and waits for its ack, result or error.
    request(type, fields) {
        if (!this.#online)
            return Promise.reject(new ApiError(0, 'disconnected', 'Not connected.'));
        const ref = String(this.#nextRef++);
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => {
                // A connection that answers nothing is as good as none; the next one finds out what was done.
                if (this.#waiting.has(ref))
                    this.#socket?.close(3000, 'no answer');
            }, ANSWER_WITHIN_MS);
            this.#waiting.set(ref, {resolve, reject, timer});
            this.#socket.send(JSON.stringify({type, ref, ...fields}));
        });
    }

    // Sends a frame that needs no answer.
    hint(type, fields) {
        if (this.#online)
            this.#socket.send(JSON.stringify({type, ...fields}));
    }

    #tell(state, reason = '', retryInMs = 0) {
        this.#online = state === 'online';
        this.dispatchEvent(new CustomEvent('state', {detail: {state, reason, retryInMs}}));
    }

    #receive(frame) {
        if (frame.type === 'hello') {
            this.#failures = 0;
            this.#pinger = setInterval(() => this.request('ping', {}).catch(() => {}), PING_EVERY_MS);
            this.#tell('online');
            this.dispatchEvent(new CustomEvent('hello', {detail: frame}));
            return;
        }
        if (frame.type === 'reconnect')
            this.#comeBackMs = frame.after_ms;
        const asked = frame.ref && ['ack', 'result', 'error', 'pong'].includes(frame.type) &&
            this.#waiting.get(frame.ref);
        if (!asked) {
            this.dispatchEvent(new CustomEvent('event', {detail: frame}));
            return;
        }
        this.#waiting.delete(frame.ref);
        clearTimeout(asked.timer);
        if (frame.type === 'error')
            asked.reject(new ApiError(0, frame.code, frame.detail));
        else
            asked.resolve(frame);
    }

    #forgetSocket() {
        clearInterval(this.#pinger);
        this.#socket = null;
        this.#online = false;
        for (const {reject, timer} of this.#waiting.values()) {
            clearTimeout(timer);
            reject(new ApiError(0, 'disconnected', 'The connection was lost.'));
        }
        this.#waiting.clear();
    }

    #lost(socket, event, opened) {
        if (socket !== this.#socket)
            return;
        this.#forgetSocket();
        if (event.code === 4001) {
            this.#tell('replaced', event.reason);
            return;
        }
        if (event.code === 4002) {
            this.#end('unauthorized', 'The token has expired.');
            return;
        }
        let wait = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#failures++) * (0.5 + Math.random());
        if (this.#comeBackMs !== null)
            wait = this.#comeBackMs;
        this.#tell('waiting', event.reason, wait);
        this.#timer = setTimeout(() => this.connect(), wait);
        // A refused handshake does not tell a page why: a request does, and a 401 ends it.
        if (!opened)
            this.call('GET', '/messages/unread-count').catch(() => {});
    }

    #end(state, reason) {
        if (this.#stopped)
            return;
        this.#stopped = true;
        clearTimeout(this.#timer);
        const socket = this.#socket;
        this.#forgetSocket();
        socket?.close(1000);
        this.#tell(state, reason);
    }
}
